/**
 * SIGKILL of an engine that recovers two services at once, after each number of transitions of whichever run comes to it first, around each step of
 * the one that is needed, and in the middle of effects: one resume finishes both, each effect once.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { ofAnotherService } from "../../src/testing/file-world.ts";
import { neededSteps, recoverySteps } from "../../src/testing/run-plans.ts";
import { KilledRun, type ProcessTrouble, bundleEngineProcess } from "./support/killed-run.ts";

let programs: TestFolder;
let program: string;

beforeAll(async () => {
  programs = await createTestFolder("refloat-joint-process");
  program = await bundleEngineProcess(programs.path);
});

afterAll(async () => {
  await programs.remove();
});

const recoveredTogether = {
  serving: "new",
  running: ["app.new"],
  store: ["accounts.old", "accounts.r1", "db.old", "db.r2", "files.old", "files.r2"],
  repeated: [],
  applied: recoverySteps.length + neededSteps.length,
};

const killAndGoOn = async (trouble: ProcessTrouble): Promise<boolean> => {
  const run = await KilledRun.create(program, ["db", "files", ofAnotherService]);
  try {
    const { killed } = await run.process("executeJoint", trouble);
    expect(["old", "none", "new"]).toContain(run.world.serving);
    const records = await run.goOnTogether();
    expect(records.map(({ service, state }) => `${service} ${state}`)).toEqual([
      "identity succeeded",
      "shop succeeded",
    ]);
    expect(run.seen).toEqual(recoveredTogether);
    expect(run.world.linkOf(ofAnotherService)).toBe("../store/accounts.r1");
    return killed;
  } finally {
    await run.remove();
  }
};

it(
  "is finished by one resume, however many transitions a run had when it was killed",
  { timeout: 600_000 },
  async () => {
    let transitions = 0;
    while (await killAndGoOn({ fault: `kill-after:${transitions + 1}` })) transitions += 1;
    expect(transitions).toBe(2 + 2 * recoverySteps.length);
  },
);

it.each([
  "kill:check:restore:accounts",
  "kill:prepare:check:accounts",
  "kill:prepare:switch:accounts",
  "kill:check:switch:accounts",
  "kill:apply:switch:accounts",
  "kill:prepare:try:app",
  "kill:half:restore:db",
  "kill:apply:admit",
])("is finished by one resume after %s", async (trouble) => {
  expect(await killAndGoOn({ troubles: [trouble] })).toBe(true);
});
