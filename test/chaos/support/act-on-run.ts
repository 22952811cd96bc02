/** One act of an engine on run 1 of a folder with a world of files. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Journal } from "../../../src/core/ports/engine.ts";
import { createEngine } from "../../../src/engine/create-engine.ts";
import type { RunNumber } from "../../../src/model/identifiers.ts";
import type { RunRecord } from "../../../src/model/run.ts";
import { createLeases } from "../../../src/platform/lease.ts";
import { silentLog } from "../../../src/platform/log.ts";
import { systemClock } from "../../../src/platform/system-clock.ts";
import { FileWorld } from "../../../src/testing/file-world.ts";
import { jointRecoveryPlan, recoveryPlan } from "../../../src/testing/run-plans.ts";
import { type Intercept, createWorldHandlers } from "../../../src/testing/world-handlers.ts";

/** `joint`: of two services at once. */
export type EngineAct = "execute" | "resume" | "cancel" | "executeJoint" | "resumeJoint";

export const actOnRun = async (options: {
  readonly folder: string;
  readonly journal: Journal;
  readonly act: EngineAct;
  readonly intercept: Intercept;
}): Promise<RunRecord> => {
  const { folder, journal, act, intercept } = options;
  const engine = createEngine({
    journal,
    leases: createLeases(join(folder, "leases")),
    handlers: createWorldHandlers(new FileWorld(join(folder, "world")), { intercept }),
    clock: systemClock,
    log: silentLog,
    newUid: randomUUID,
  });
  const run = 1 as RunNumber;
  const given = { listener: () => undefined, signal: new AbortController().signal };
  if (act === "execute") return engine.execute(recoveryPlan(), { ...given, incidentAt: null });
  if (act === "executeJoint" || act === "resumeJoint") {
    const records =
      act === "executeJoint"
        ? await engine.executeJoint(jointRecoveryPlan(), { ...given, incidentAt: null })
        : await engine.resumeJoint(run, given);
    const last = records.toSorted((one, other) => one.number - other.number).at(-1);
    if (last === undefined) throw new Error("nothing was executed");
    return last;
  }
  return act === "resume" ? engine.resume(run, given) : engine.cancel(run, given);
};
