/**
 * Executes or resumes a graph of steps with the real engine, journal and lease: `refloat-program.ts FOLDER SHAPE execute|resume [KILL]`.
 * Writes `first` when the first step acts, and at the end how long it took. With KILL it ends itself by SIGKILL when that step acts.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createEngine } from "../../src/engine/create-engine.ts";
import { openJournal } from "../../src/journal/open-journal.ts";
import type { RunNumber } from "../../src/model/identifiers.ts";
import { createLeases } from "../../src/platform/lease.ts";
import { silentLog } from "../../src/platform/log.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { testPlan, testStep } from "../../src/testing/run-plans.ts";
import { timedHandlers } from "../../src/testing/timed-handlers.ts";
import { shapeSchema } from "./step-shape.ts";

const [folder = "", shapeFile = "", act = "", killAt] = process.argv.slice(2);
const { steps, concurrency } = shapeSchema.parse(JSON.parse(readFileSync(shapeFile, "utf8")));
const durations = Object.fromEntries(steps.map(({ id, durationMs }) => [id, durationMs]));
const journal = await openJournal(join(folder, "journal.db"));
let begun = false;
const engine = createEngine({
  journal,
  leases: createLeases(join(folder, "leases")),
  handlers: timedHandlers(async ({ step, signal }) => {
    if (!begun) process.stdout.write("first\n");
    begun = true;
    if (step.id === killAt) process.kill(process.pid, "SIGKILL");
    const durationMs = durations[step.id] ?? 0;
    if (durationMs > 0) await systemClock.sleep(durationMs, signal);
  }),
  clock: systemClock,
  log: silentLog,
  newUid: randomUUID,
  limits: { concurrency },
});
const { signal } = new AbortController();
const how = { incidentAt: null, listener: () => undefined, signal };
const plan = testPlan({
  steps: steps.map(({ id, needs }) => testStep(id, "restore", { kind: "restore", component: "db" }, needs)),
  durations,
});
const beganMs = performance.now();
const { state } = await (act === "resume" ? engine.resume(1 as RunNumber, how) : engine.execute(plan, how));
const tookMs = performance.now() - beganMs;
await journal.close();
if (state !== "succeeded") throw new Error(`the run is ${state}`);
process.stdout.write(`took ${tookMs}\n`);
