/** The run that has put behind a component's name what stands there now, as far as this machine knows. */
import type { RunRecord, RunState } from "../../model/run.ts";
import { keptSides } from "./kept-sides.ts";
import { switchedComponents } from "./switched-components.ts";

const serves: ReadonlySet<RunState> = new Set(["succeeded", "needs-operator", "committed"]);

/** @param runs of the service, newest first; one that was taken back is passed over */
export const servingRun = (runs: readonly RunRecord[], component: string): RunRecord | null =>
  runs.find((run) => serves.has(run.state) && switchedComponents(run).some((one) => one.component === component)) ??
  null;

/** Until it is committed; what an undo has brought back cannot be undone itself. */
export const canBeUndone = (run: RunRecord): boolean => run.purpose === "recover" && run.state !== "committed";

/** Where the other side of a component stands; null when there is none any more. */
export const otherSideOf = (run: RunRecord, component: string): string | null =>
  keptSides(run).find((side) => side.component === component)?.name ?? null;
