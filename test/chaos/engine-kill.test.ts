/**
 * SIGKILL of the engine at every transition it journals, in the middle of an effect and at random moments, in a process of its own: the next
 * process finishes the run, each effect has happened once, the names were switched once, nothing is left over, and the journal alone tells it.
 * More than 100 kills in the usual run, more than 1,000 with REFLOAT_KILLS=all; REFLOAT_FAULT_SEED for the same moments again.
 */
import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { RefloatError } from "../../src/model/refloat-error.ts";
import { failAt } from "../../src/testing/engine-bench.ts";
import { recoverySteps } from "../../src/testing/run-plans.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type Account, expectFinishedOnce } from "./support/journal-account.ts";
import { KillCount, isNightly, random, seed } from "./support/kill-count.ts";
import { KilledRun, type ProcessEnd, bundleEngineProcess } from "./support/killed-run.ts";

const kills = new KillCount();
const killsNeeded = isNightly ? 1000 : 100;
const randomRounds = isNightly ? 900 : 12;

let programs: TestFolder;
let program: string;

beforeAll(async () => {
  programs = await createTestFolder("refloat-engine-process");
  program = await bundleEngineProcess(programs.path);
});

afterAll(async () => {
  await programs.remove();
});

const counted = (end: ProcessEnd): ProcessEnd => {
  if (end.killed) kills.add("engine");
  return end;
};

const recovered = {
  serving: "new",
  running: ["app.new"],
  store: ["db.old", "db.r1", "files.old", "files.r1"],
  repeated: [],
  applied: recoverySteps.length,
};

const old = { serving: "old", running: ["app.old"], repeated: [] };

const refuses = () => new RefloatError("target.failed", "it refuses");

/** What the journal calls done is there, whatever was killed since. */
const expectTold = (run: KilledRun, account: Account | null): void => {
  for (const step of account?.finished.keys() ?? []) expect(run.world.begun).toContain(step);
};

const expectRecovered = async (run: KilledRun): Promise<void> => {
  expect(run.seen).toEqual(recovered);
  expectFinishedOnce(await run.account());
  // No lease is held, and no file is left of one that was.
  expect((await readdir(run.folder)).toSorted()).toEqual(["journal.db", "leases", "world"]);
};

/** Kills at the first, second, ... transition until there is none left to be killed at. @returns how many there were */
const atEachTransition = async (
  moment: "before" | "after",
  scenario: (run: KilledRun, fault: string) => Promise<{ readonly killed: boolean }>,
  first = 1,
): Promise<number> => {
  for (let sequence = first; ; sequence += 1) {
    const run = await KilledRun.create(program);
    try {
      const { killed } = await scenario(run, `kill-${moment}:${sequence}`);
      if (!killed) return sequence - first;
    } finally {
      await run.remove();
    }
  }
};

it.each(["before", "after"] as const)(
  "a recovery that is killed %s any transition is finished by resume",
  { timeout: 600_000 },
  async (moment) => {
    const transitions = await atEachTransition(moment, async (run, fault) => {
      const { killed } = counted(await run.process("execute", { fault }));
      expectTold(run, await run.account());
      // Whatever the moment, users meet one side or nobody.
      expect(["old", "none", "new"]).toContain(run.world.serving);
      expect(await run.goOn()).toMatchObject({ state: "succeeded" });
      await expectRecovered(run);
      return { killed };
    });
    // Its begin, two for each step, its end.
    expect(transitions).toBe(2 + 2 * recoverySteps.length);
  },
);

it("a failed cutover that is killed at any transition is undone by resume", { timeout: 600_000 }, async () => {
  const transitions = await atEachTransition("after", async (run, fault) => {
    const { killed } = counted(await run.process("execute", { fault, troubles: ["fail:apply:start:app"] }));
    expectTold(run, await run.account());
    const record = await run.goOn("resume", failAt("apply", "start:app", refuses));
    expect(record).toMatchObject({ state: "undone", direction: "undo", message: "start:app failed: it refuses" });
    expect(run.seen).toMatchObject(old);
    expect((await run.account())?.record.state).toBe("undone");
    expect(run.world.effects).not.toContain("apply admit");
    return { killed };
  });
  // Forward until start:app has failed, the turn, two for each of the six steps taken back, the end.
  expect(transitions).toBe(1 + 2 * (recoverySteps.length - 2) + 1 + 2 * 6 + 1);
});

it("a cancel that is killed at any transition is finished when it is given again", { timeout: 600_000 }, async () => {
  // Begin, two for each of the seven steps, and the end of the run that failed; the cancel's own transitions follow.
  const first = 1 + 2 * 7 + 1 + 1;
  const transitions = await atEachTransition(
    "after",
    async (run, fault) => {
      expect(await run.goOn("resume", failAt("apply", "try:app", refuses))).toMatchObject({ state: "failed" });
      const { killed } = counted(await run.process("cancel", { fault }));
      expectTold(run, await run.account());
      expect(await run.goOn("cancel")).toMatchObject({ state: "cancelled" });
      expect(run.seen).toMatchObject({ ...old, store: ["db.old", "files.old"] });
      expect(run.world.names("lost")).toEqual([]);
      expect((await run.account())?.record.state).toBe("cancelled");
      return { killed };
    },
    first,
  );
  // Taken up, two for each of the seven steps, the end.
  expect(transitions).toBe(1 + 2 * 7 + 1);
});

it.each(["restore:db", "restore:files"])("a recovery that dies in the middle of %s clears it first", async (step) => {
  const run = await KilledRun.create(program);
  try {
    expect(counted(await run.process("execute", { troubles: [`kill:half:${step}`] }))).toMatchObject({ killed: true });
    expect(run.world.names("store")).toContain(`${step.slice("restore:".length)}.r1.part`);
    expect(await run.goOn()).toMatchObject({ state: "succeeded" });
    await expectRecovered(run);
    expect(run.world.effects).toContain(`clear ${step}`);
  } finally {
    await run.remove();
  }
});

it("a recovery whose machine restarts again and again is finished, with the names switched once", async () => {
  const run = await KilledRun.create(program);
  try {
    expect(counted(await run.process("execute", { fault: "kill-after:12" }))).toMatchObject({ killed: true });
    for (const sequence of [20, 27, 33, 38, 43]) {
      run.world.reboot();
      expect(counted(await run.process("resume", { fault: `kill-before:${sequence}` }))).toMatchObject({
        killed: true,
      });
    }
    run.world.reboot();
    expect(await run.goOn()).toMatchObject({ state: "succeeded", epoch: 7 });
    expect(run.seen).toMatchObject({ serving: "new", running: ["app.new"] });
    // Only what died with the machine was made again.
    expect(run.seen.repeated.filter((line) => !line.endsWith("start:app") && !line.endsWith("fence:app"))).toEqual([]);
  } finally {
    await run.remove();
  }
});

it(
  `a recovery that is killed at ${randomRounds} random moments, seed ${seed}, is finished by resume`,
  { timeout: 60_000 + randomRounds * 10_000 },
  async () => {
    const unharmed = await KilledRun.create(program);
    const beganAt = performance.now();
    expect(await unharmed.process("execute")).toMatchObject({ killed: false, state: "succeeded" });
    let wholeMs = performance.now() - beganAt;
    await unharmed.remove();

    const before = kills.total;
    for (let round = 0; kills.total - before < randomRounds; round += 1) {
      // What is not killed in time is no round; a machine that has become faster must not make this endless.
      expect(round).toBeLessThan(4 * randomRounds);
      const run = await KilledRun.create(program);
      try {
        const killAfterMs = random() * wholeMs;
        const first = counted(await run.process("execute", { killAfterMs }));
        // The machine has less to do now than when the time was taken.
        if (!first.killed) wholeMs = Math.min(wholeMs, killAfterMs);
        expectTold(run, await run.account());
        expect(["old", "none", "new"]).toContain(run.world.serving);
        // Every other one is killed when it is taken up as well.
        const isThere = (await run.account()) !== null;
        if (first.killed && isThere && round % 2 === 1)
          counted(await run.process("resume", { killAfterMs: random() * wholeMs }));
        expect(await run.goOn(), `round ${round}`).toMatchObject({ state: "succeeded" });
        await expectRecovered(run);
      } finally {
        await run.remove();
      }
    }
  },
);

it(`were at least ${killsNeeded} kills`, () => {
  kills.print("engine");
  expect(kills.total).toBeGreaterThanOrEqual(killsNeeded);
});
