import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { shopPlan, shopRun } from "../../../test/fixtures/shop-run.ts";
import { silentLog } from "../../platform/log.ts";
import { createDirectories } from "../../platform/state-directories.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import type { ComponentDriver, DriverContext } from "../ports/driver.ts";
import type { Workbench } from "../ports/workbench.ts";
import { readDisarmed } from "./read-disarmed.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-read-disarmed");
});
afterEach(async () => {
  vi.restoreAllMocks();
  await folder.remove();
});

/** @param disarmed of the driver of the database, the only one that the run has switched */
const read = (disarmed: (context: DriverContext) => Promise<never[]>, signal: AbortSignal) => {
  const driver = { arming: { disarmed } } as unknown as ComponentDriver;
  const bench = {
    registry: { components: new Map([["postgres", driver]]) },
    clock: systemClock,
    log: silentLog,
    directories: createDirectories(`${folder.path}/state`),
  } as unknown as Workbench;
  const runs = [shopRun({ state: "committed" })];
  return readDisarmed(bench, { service: shopPlan.intent.declaration, runs, signal });
};

const never = ({ signal }: DriverContext) =>
  new Promise<never[]>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("of a server that says nothing it is told that it cannot be told, and who asks may stop", async () => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  vi.spyOn(AbortSignal, "timeout").mockImplementation(() => timeout(50));
  expect(await read(never, new AbortController().signal)).toEqual({
    disarmed: [],
    undisclosed: [{ component: "db", problem: "no answer within 10 s" }],
  });
  vi.restoreAllMocks();
  const stopped = new AbortController();
  const asked = read(never, stopped.signal);
  setTimeout(() => stopped.abort(new Error("told to stop")), 50);
  await expect(asked).rejects.toThrow("told to stop");
});
