/** Which steps a person may leave out, and which only wait for one. */
import type { StepKind } from "../../model/plan.ts";

/** Those that look, or that a person does: nothing that comes later is built on what they make or remove. A gate is overridden, not skipped. */
export const maySkip = (kind: StepKind): boolean =>
  ["check", "check-invariant", "check-used", "try", "manual", "probe", "teardown"].includes(kind);

/** They wait for a person, or may come to: nobody shows progress while thinking. */
export const needsPeople = (kind: StepKind): boolean => isForPeople(kind) || kind === "isolate";

/** While they run nothing happens but waiting. */
export const isForPeople = (kind: StepKind): boolean => kind === "approve" || kind === "manual";
