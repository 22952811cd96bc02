/** A service has one run at a time: the next one waits until it is finished or taken away. Pure. */
import { RefloatError } from "../../model/refloat-error.ts";
import type { RunRecord } from "../../model/run.ts";
import { isLive } from "./legal-transitions.ts";

/**
 * @param runs of the service
 * @param undoes uid of the run that the next one undoes, which may itself wait for a person
 * @throws RefloatError run.in-progress
 */
export const refuseSecondRun = (runs: readonly Omit<RunRecord, "steps">[], undoes: string | null): void => {
  for (const run of runs) {
    if (!isLive(run.state)) continue;
    const isItsUndo = run.state === "needs-operator" && undoes === run.uid;
    if (!isItsUndo) throw inProgress(run);
  }
};

export const inProgress = ({ number, service, state, message }: Omit<RunRecord, "steps">): RefloatError =>
  new RefloatError(
    "run.in-progress",
    state === "running"
      ? `run ${number} of ${service} was interrupted and is not finished`
      : `run ${number} of ${service} is not finished: ${message ?? state}`,
    {
      hint: `go on with it, or remove what it built: refloat cancel ${number}`,
      nextCommand: `refloat resume ${number}`,
      context: { run: number, state },
    },
  );
