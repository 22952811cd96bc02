/** The run that has put behind a component's name what stands there now, as far as this machine knows. */
import type { RunRecord, RunState } from "../../model/run.ts";
import { keptSides } from "./kept-sides.ts";
import { type SwitchedComponent, switchedComponents } from "./switched-components.ts";

const serves: ReadonlySet<RunState> = new Set(["succeeded", "needs-operator", "committed"]);

/** What a run has put behind a component's name; null of one that was taken back, or has not come so far. */
export const servedBy = (run: RunRecord, component: string): SwitchedComponent | null =>
  serves.has(run.state) ? (switchedComponents(run).find((one) => one.component === component) ?? null) : null;

/** @param runs of the service, newest first; one that was taken back is passed over */
export const servingRun = (runs: readonly RunRecord[], component: string): RunRecord | null =>
  runs.find((run) => servedBy(run, component) !== null) ?? null;

/** Until it is committed; what an undo has brought back cannot be undone itself. */
export const canBeUndone = (run: RunRecord): boolean => run.purpose === "recover" && run.state !== "committed";

/** Where the other side of a component stands; null when there is none any more. */
export const otherSideOf = (run: RunRecord, component: string): string | null =>
  keptSides(run).find((side) => side.component === component)?.name ?? null;
