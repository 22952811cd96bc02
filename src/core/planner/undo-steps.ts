/**
 * The steps that put the old side of a run back: a cutover with the names exchanged the other way. The side that is left is kept,
 * as the old side was; what it took since is captured first when its loss was accepted.
 */
import type { PlanStep } from "../../model/plan.ts";
import type { ComponentOrder } from "./component-order.ts";
import { addCutoverSteps } from "./cutover-steps.ts";
import type { UndoInput } from "./planner-input.ts";
import { addComingBack } from "./failback-steps.ts";
import { addProvisions, neededProvisions } from "./provision-steps.ts";
import { createStepDraft } from "./step-draft.ts";

/** Components that the undone run switched, in order of recovery. */
export const switchedBack = (input: UndoInput, order: ComponentOrder): readonly string[] =>
  order.names.filter((name) => input.undoes.exchanges[name] !== undefined);

/** Those that go back to the nothing that stood behind their name before the undone run. */
export const emptiedBy = (input: UndoInput, switched: readonly string[]): readonly string[] =>
  switched.filter((name) => input.undoes.exchanges[name]?.toNothing === true);

/** The old side needs what the declaration names as much as the new one does; what was temporary is gone, as it should be. */
export const provisionsToKeep = (
  { service, rebound, switched }: Pick<UndoInput, "service" | "rebound"> & { readonly switched: readonly string[] },
  order: ComponentOrder,
): readonly string[] =>
  neededProvisions(service, order, [...switched, ...rebound]).filter(
    (name) => service.provision?.[name]?.temporary !== true,
  );

/** A point is of all components: one that does not answer leaves none. */
export const savesFirst = ({ undoes, silent = [] }: Pick<UndoInput, "undoes" | "silent">): boolean =>
  undoes.acceptLoss && silent.length === 0;

export const undoSteps = (input: UndoInput, order: ComponentOrder): PlanStep[] => {
  const draft = createStepDraft();
  const switched = switchedBack(input, order);
  addProvisions(
    draft,
    {
      service: input.service,
      order,
      names: provisionsToKeep({ ...input, switched }, order),
      seen: input.provisions ?? {},
    },
    [],
  );
  if (savesFirst(input)) draft.add("restore", { kind: "capture" }, []);
  const { failback } = input;
  addCutoverSteps(draft, {
    ...input,
    order,
    closes: failback !== undefined,
    switched,
    processes: order.names.filter(
      (name) =>
        input.components[name]?.capabilities.hasRuntime === true &&
        (switched.includes(name) || input.rebound.includes(name)),
    ),
    // Nothing comes from a point: each release is the one that the undone run's journal names.
    release: () => "kept",
    lateCapture: savesFirst(input),
    emptied: emptiedBy(input, switched),
  });
  if (failback !== undefined) addComingBack(draft, { order, failback });
  return draft.steps();
};
