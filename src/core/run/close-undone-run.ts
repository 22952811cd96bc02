import type { Journal } from "../ports/engine.ts";
import type { Plan } from "../../model/plan.ts";
import type { RunRecord } from "../../model/run.ts";

/** When an undo has succeeded, the run that it undid is marked so: it can be neither undone again nor committed. Idempotent. */
export const closeUndoneRun = async (journal: Journal, plan: Plan, undo: RunRecord, at: string): Promise<void> => {
  const { undoes } = plan.intent;
  if (undoes === null || undo.state !== "succeeded") return;
  const { record } = await journal.readRun(undoes.run);
  if (record.state === "undone") return;
  await journal.record(undoes.run, record.epoch, at, {
    run: { state: "undone", message: `undone by run ${undo.number}` },
  });
};
