/**
 * Which copies of runs may go from the vault. Kept is whatever a run could still be taken up from, on whatever machine: the newest copy of each
 * run that has not ended for good, however old. The rest is evidence, and stays for a while. Pure.
 */
import type { RunState } from "../../model/run.ts";
import type { RunCopy } from "../ports/vault-points.ts";

/** Long enough for whoever looks into what happened. */
export const runCopyKeptMs = 90 * 86_400_000;

/** What the newest copy says of a run that nobody takes up, undoes or commits any more. A word that is not known keeps it. */
const ended: ReadonlySet<string> = new Set(["cancelled", "committed"] satisfies RunState[]);

export type ExpiringRunCopy = {
  readonly copy: RunCopy;
  readonly why: "superseded" | "ended";
};

/** @param copies of all runs; of one run the newest first */
export const expiringRunCopies = (copies: readonly RunCopy[], now: string): readonly ExpiringRunCopy[] => {
  const isOld = ({ savedAt }: RunCopy): boolean => Date.parse(now) - Date.parse(savedAt) > runCopyKeptMs;
  return [...Map.groupBy(copies, ({ uid }) => uid).values()].flatMap(([newest, ...others]) => {
    const superseded = others.filter(isOld).map((copy) => ({ copy, why: "superseded" as const }));
    const isOver = newest !== undefined && isOld(newest) && ended.has(newest.state);
    // Whatever is left of a run is never older than its end.
    return isOver && superseded.length === others.length
      ? [...superseded, { copy: newest, why: "ended" as const }]
      : superseded;
  });
};
