/**
 * What stood behind a name when a run put it away may itself have been restored by an earlier run, from a point older than the one that is gone back to now: what
 * it has from there did not come after the newer point, and may have been deleted before that was taken.
 */
import type { Position } from "../../model/facts.ts";
import type { RunNumber } from "../../model/identifiers.ts";
import type { Plan } from "../../model/plan.ts";
import type { RunRecord } from "../../model/run.ts";
import type { Journal } from "../ports/engine.ts";
import { servedBy } from "./serving-run.ts";

type RecoveredPoint = NonNullable<Plan["intent"]["point"]>;

export type SideOrigin = {
  /** The run that had put the side behind its name. */
  readonly run: RunNumber;
  /** What that run went back to. */
  readonly point: RecoveredPoint;
  /** Where the side stood before its users reached it; null where that is not known. */
  readonly position: Position | null;
};

/** As of which moment a plan restores a component; null where it restores it from no point. */
const momentOf = ({ intent }: Plan, component: string): number | null => {
  const at = intent.replays?.[component]?.at ?? intent.point?.components[component]?.facts.position?.takenAt;
  return at === undefined ? null : Date.parse(at);
};

/** @returns null where the side goes on from the point that the run goes back to, as far as this machine knows */
export const sideOrigin = async (
  journal: Pick<Journal, "listRuns" | "readRun">,
  { record, plan }: { readonly record: RunRecord; readonly plan: Plan },
  component: string,
): Promise<SideOrigin | null> => {
  const wanted = momentOf(plan, component);
  if (wanted === null) return null;
  for (const run of await journal.listRuns(record.service)) {
    const switched = run.number < record.number ? servedBy(run, component) : null;
    if (switched === null) continue;
    const { newPosition: position } = switched;
    const servedFrom = Date.parse(position?.takenAt ?? run.endedAt ?? run.beganAt);
    // From then on the point was captured from what that run had put there, or from what came of it.
    if (servedFrom <= wanted) return null;
    const before = (await journal.readRun(run.number)).plan;
    const restored = momentOf(before, component);
    const { point } = before.intent;
    if (point !== null && restored !== null && restored < wanted) return { run: run.number, point, position };
  }
  return null;
};
