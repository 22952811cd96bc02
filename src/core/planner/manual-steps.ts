/** What people do by hand in a recovery: one after the other in the order of the file, since that is how a runbook is read. */
import type { ManualDeclaration, ServiceDeclaration } from "../../model/declaration.ts";
import type { StepId } from "../../model/identifiers.ts";
import type { Phase } from "../../model/plan.ts";
import type { StepDraft } from "./step-draft.ts";

export type ManualPlace = "restore" | "cutover" | "served";

const phaseOf = { restore: "restore", cutover: "decide", served: "prove" } as const satisfies Record<
  ManualPlace,
  Phase
>;

const placeOf = ({ before, after }: ManualDeclaration): ManualPlace =>
  after === "cutover" ? "served" : (before ?? "cutover");

/** Adds those of one place after everything that the draft holds already. @returns what must be done for all of them to be */
export const addManualSteps = (draft: StepDraft, { manual = [] }: ServiceDeclaration, place: ManualPlace): StepId[] => {
  let last: StepId[] = [];
  for (const declared of manual.filter((one) => placeOf(one) === place)) {
    const { name, do: instructions, expect, takes } = declared;
    const action = {
      kind: "manual",
      name,
      do: instructions,
      ...(expect === undefined ? {} : { expect }),
      ...(takes === undefined ? {} : { takes }),
    } as const;
    last = [draft.add(phaseOf[place], action, draft.all())];
  }
  return last;
};
