/** The sides that a run has put away and that stand beside what serves: until a commit drops them, an undo (or a look) needs them. */
import type { RunRecord, RunState } from "../../model/run.ts";
import { retiredComponents, switchedComponents } from "./switched-components.ts";

export type KeptSide = {
  readonly component: string;
  readonly name: string;
  /** Why it could not serve again, where that is known: an undo would be refused. */
  readonly unfit?: string;
};

/** The old side of an undone run is back in service; those of a committed one are gone. */
const keepsNothing: ReadonlySet<RunState> = new Set(["undone", "committed", "cancelled"]);

export const keptSides = (run: RunRecord): readonly KeptSide[] =>
  keepsNothing.has(run.state)
    ? []
    : switchedComponents(run).flatMap(({ component, outgoing, fromNothing, unfit }) =>
        fromNothing ? [] : [{ component, name: outgoing, ...(unfit === null ? {} : { unfit }) }],
      );

/** Those that a failback has put away on the side that users have left, by the names that they have there. */
export const keptAway = (run: RunRecord): readonly KeptSide[] =>
  keepsNothing.has(run.state) ? [] : retiredComponents(run);
