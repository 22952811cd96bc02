/** An engine that does what the given one does, and hands each run that has ended to an exporter of traces. */
import type { RunRecord } from "../../model/run.ts";
import type { Engine } from "../ports/engine.ts";

/** A run that waits or was interrupted goes on another time: it is one trace, told when it has ended. */
const ended: ReadonlySet<RunRecord["state"]> = new Set([
  "succeeded",
  "failed",
  "undone",
  "needs-operator",
  "cancelled",
]);

export const tracingEngine = (engine: Engine, told: (run: RunRecord) => void): Engine => {
  const watched = async (act: Promise<RunRecord>): Promise<RunRecord> => {
    const record = await act;
    if (ended.has(record.state)) told(record);
    return record;
  };
  const watchedAll = async (act: Promise<readonly RunRecord[]>): Promise<readonly RunRecord[]> => {
    const records = await act;
    for (const record of records) if (ended.has(record.state)) told(record);
    return records;
  };
  return {
    executeJoint: (plan, options) => watchedAll(engine.executeJoint(plan, options)),
    resumeJoint: (run, options) => watchedAll(engine.resumeJoint(run, options)),
    execute: (plan, options) => watched(engine.execute(plan, options)),
    resume: (run, options) => watched(engine.resume(run, options)),
    cancel: (run, options) => watched(engine.cancel(run, options)),
  };
};
