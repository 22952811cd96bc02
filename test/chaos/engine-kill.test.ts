/**
 * SIGKILL of the engine at every transition it journals, and in the middle of an effect, in a process of its own: the next
 * process finishes the run, each effect has happened once, the names were switched once, and nothing is left over.
 */
import { expect, it } from "vitest";
import { RefloatError } from "../../src/model/refloat-error.ts";
import { failAt } from "../../src/testing/engine-bench.ts";
import { recoverySteps } from "../../src/testing/run-plans.ts";
import { KilledRun } from "./support/killed-run.ts";

const recovered = {
  serving: "new",
  running: ["app.new"],
  store: ["db.old", "db.r1", "files.old", "files.r1"],
  repeated: [],
  applied: recoverySteps.length,
};

const old = { serving: "old", running: ["app.old"], repeated: [] };

const refuses = () => new RefloatError("target.failed", "it refuses");

/** Kills at the first, second, ... transition until there is none left to be killed at. @returns how many there were */
const atEachTransition = async (
  moment: "before" | "after",
  scenario: (run: KilledRun, fault: string) => Promise<{ readonly killed: boolean }>,
  first = 1,
): Promise<number> => {
  for (let sequence = first; ; sequence += 1) {
    const run = await KilledRun.create();
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
      const { killed } = await run.process("execute", { fault });
      // Whatever the moment, users meet one side or nobody.
      expect(["old", "none", "new"]).toContain(run.world.serving);
      expect(await run.goOn()).toMatchObject({ state: "succeeded" });
      expect(run.seen).toEqual(recovered);
      return { killed };
    });
    // Its begin, two for each step, its end.
    expect(transitions).toBe(2 + 2 * recoverySteps.length);
  },
);

it("a failed cutover that is killed at any transition is undone by resume", { timeout: 600_000 }, async () => {
  const transitions = await atEachTransition("after", async (run, fault) => {
    const { killed } = await run.process("execute", { fault, troubles: ["fail:apply:start:app"] });
    const record = await run.goOn("resume", failAt("apply", "start:app", refuses));
    expect(record).toMatchObject({ state: "undone", direction: "undo", message: "start:app failed: it refuses" });
    expect(run.seen).toMatchObject(old);
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
      const { killed } = await run.process("cancel", { fault });
      expect(await run.goOn("cancel")).toMatchObject({ state: "cancelled" });
      expect(run.seen).toMatchObject({ ...old, store: ["db.old", "files.old"] });
      expect(run.world.names("lost")).toEqual([]);
      return { killed };
    },
    first,
  );
  // Taken up, two for each of the seven steps, the end.
  expect(transitions).toBe(1 + 2 * 7 + 1);
});

it.each(["restore:db", "restore:files"])("a recovery that dies in the middle of %s clears it first", async (step) => {
  const run = await KilledRun.create();
  try {
    expect(await run.process("execute", { troubles: [`kill:half:${step}`] })).toMatchObject({ killed: true });
    expect(run.world.names("store")).toContain(`${step.slice("restore:".length)}.r1.part`);
    expect(await run.goOn()).toMatchObject({ state: "succeeded" });
    expect(run.seen).toEqual(recovered);
    expect(run.world.effects).toContain(`clear ${step}`);
  } finally {
    await run.remove();
  }
});

it("a recovery whose machine restarts again and again is finished, with the names switched once", async () => {
  const run = await KilledRun.create();
  try {
    expect(await run.process("execute", { fault: "kill-after:12" })).toMatchObject({ killed: true });
    for (const sequence of [20, 27, 33, 38, 43]) {
      run.world.reboot();
      expect(await run.process("resume", { fault: `kill-before:${sequence}` })).toMatchObject({ killed: true });
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
