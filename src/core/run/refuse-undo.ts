/**
 * Whether a run may be taken back by an undo: asked when the undo is planned, and again by the journal in the transaction that begins
 * it, since a plan that was shown stays runnable by its digest when the run that it undoes is long undone, committed or overtaken.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import type { RunRecord, RunState } from "../../model/run.ts";
import { switchedComponents } from "./switched-components.ts";

/**
 * @param runs of the service
 * @throws RefloatError run.wrong-state
 */
export const refuseUndo = (record: RunRecord, runs: readonly RunRecord[]): void => {
  refuseUnlessServing(record);
  refuseBelowLaterRun(record, runs);
};

/** Users were let in to what it built, as far as that went. */
export const hasServed = ({ state }: RunRecord): boolean => state === "succeeded" || state === "needs-operator";

/** It has cut over, and its old side stands beside. */
export const hasSideToPutBack = (record: RunRecord): boolean =>
  hasServed(record) && record.purpose === "recover" && switchedComponents(record).length > 0;

const refuseUnlessServing = (record: RunRecord): void => {
  const served = hasServed(record);
  if (hasSideToPutBack(record)) return;
  const why =
    record.purpose === "undo"
      ? "it is an undo itself; recover again instead"
      : served
        ? record.state === "needs-operator"
          ? "it stopped before any side was put away: resume goes on with it, cancel takes back what it did"
          : "it did not cut over, so live was never touched"
        : record.state === "undone" && record.message !== null
          ? `it is undone already: ${record.message}`
          : `it is ${record.state}`;
  throw new RefloatError("run.wrong-state", `run ${record.number} cannot be undone: ${why}`, {
    nextCommand: `refloat runs ${record.number}`,
  });
};

/** What serves now is the later run's: exchanging under it would put a side away that this run has never made. */
const refuseBelowLaterRun = (record: RunRecord, runs: readonly RunRecord[]): void => {
  const serving = new Set<RunState>(["succeeded", "needs-operator", "committed"]);
  const later = runs.find(
    (run) =>
      run.service === record.service &&
      run.number > record.number &&
      run.purpose === "recover" &&
      serving.has(run.state) &&
      switchedComponents(run).length > 0,
  );
  if (later === undefined) return;
  throw new RefloatError(
    "run.wrong-state",
    `run ${record.number} cannot be undone: run ${later.number} has cut over since`,
    {
      hint:
        later.state === "committed"
          ? "its old side is dropped; recover to a point instead"
          : "undo the later one first",
      nextCommand: later.state === "committed" ? `refloat points ${record.service}` : `refloat undo ${later.number}`,
    },
  );
};
