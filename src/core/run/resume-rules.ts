/**
 * What a process does with each step of a run that it takes up. Nothing is inferred: whatever may have an effect is asked by
 * its handler's `check`; here is only decided whom to ask.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { StepKind } from "../../model/plan.ts";
import type { RunRecord, StepRecord, StepState } from "../../model/run.ts";
import { type StepGraph, stageOf } from "./step-graph.ts";

/**
 * `go-on`: a new attempt, which begins with `check`. `ask`: done, and its effect must still stand. `leave`: there is nothing to do.
 */
export type ResumeAct = "go-on" | "ask" | "leave";

const actByState = {
  pending: "go-on",
  running: "go-on",
  "retry-wait": "go-on",
  waiting: "go-on",
  interrupted: "go-on",
  failed: "go-on",
  "needs-operator": "go-on",
  done: "ask",
  skipped: "leave",
  cancelled: "leave",
  // A run that takes steps back never turns round; the engine goes backward through these.
  compensating: "leave",
  compensated: "leave",
} as const satisfies Record<StepState, ResumeAct>;

/**
 * Effects that a later kind of step takes over: once one of those has begun, the effect is not expected to stand any more.
 * Held traffic is let in by `admit`; to hold it again would be a second outage.
 */
const takenOverBy: Partial<Record<StepKind, readonly StepKind[]>> = {
  hold: ["admit"],
  provision: ["teardown"],
  // Of a failback, which restores once more in its cutover: the instance becomes what stands behind the name.
  restore: ["switch"],
};

/** It may have an effect: its first attempt was journaled and nothing has taken it back. */
export const hasBegun = (step: StepRecord): boolean => step.attempt > 0 && step.state !== "compensated";

/**
 * The rule for done steps:
 * 1. Once any step of the cutover has begun, or may have begun on another machine after the copy was made that the run is taken
 *    from, no step before the cutover is asked. The instance that `restore` made is then
 *    being renamed into its stable name, the process that `try` ran is gone, and both are as they should be; what they made for
 *    the cutover, the cutover's own steps observe.
 * 2. A step of the cutover is not asked once a step that takes its effect over has begun.
 * 3. All others are asked: a started application that died with the machine is started again, traffic that was admitted in a
 *    proxy's memory is admitted again.
 */
export const actOnResume = (
  record: RunRecord,
  graph: StepGraph,
  options: { readonly fromCopy: boolean } = { fromCopy: false },
): ReadonlyMap<StepId, ResumeAct> => {
  const begun = record.steps.filter(hasBegun);
  const kindsBegun = new Set(begun.map((step) => graph.steps.get(step.id)?.action.kind));
  const isReady = record.steps.every(({ id, state }) => stageOfStep(graph, id) > 0 || actByState[state] !== "go-on");
  const cutoverBegun = begun.some((step) => stageOfStep(graph, step.id) > 0) || (options.fromCopy && isReady);
  return new Map(
    record.steps.map((step) => {
      const act = actByState[step.state];
      const kind = graph.steps.get(step.id)?.action.kind;
      const superseded =
        (cutoverBegun && stageOfStep(graph, step.id) === 0) ||
        (kind !== undefined && (takenOverBy[kind] ?? []).some((later) => kindsBegun.has(later)));
      return [step.id, act === "ask" && superseded ? "leave" : act];
    }),
  );
};

const stageOfStep = (graph: StepGraph, id: StepId): 0 | 1 | 2 => {
  const step = graph.steps.get(id);
  return step === undefined ? 0 : stageOf(step.phase);
};

/** What must be done before anybody can reach the new side, where nothing holds traffic for it. */
const bringsToUsers = new Set<StepKind | undefined>(["switch", "reinstate", "start", "reload"]);

/**
 * Traffic may be on the new side: from here on nothing is undone automatically. A service without `cutover:` entries has no step that
 * admits: there users are on the new side as soon as its names are switched and its applications started.
 */
export const hasAdmitBegun = (record: RunRecord, graph: StepGraph): boolean => {
  const kindOf = (step: StepRecord): StepKind | undefined => graph.steps.get(step.id)?.action.kind;
  if ([...graph.steps.values()].some(({ action }) => action.kind === "admit"))
    return record.steps.some((step) => hasBegun(step) && kindOf(step) === "admit");
  if (record.steps.some((step) => hasBegun(step) && stageOfStep(graph, step.id) === 2)) return true;
  const exposing = record.steps.filter((step) => bringsToUsers.has(kindOf(step)));
  return exposing.length > 0 && exposing.every(({ state }) => state === "done");
};

/** Live may have been touched: a step of the cutover has begun and was not taken back. */
export const hasCutoverBegun = (record: RunRecord, graph: StepGraph): boolean =>
  record.steps.some((step) => hasBegun(step) && stageOfStep(graph, step.id) > 0);

/** The steps that an `undo` (those of the cutover) or a `cancel` (all) takes back. */
export const stepsToTakeBack = (
  record: RunRecord,
  graph: StepGraph,
  direction: "undo" | "cancel",
): ReadonlySet<StepId> =>
  new Set(
    record.steps
      .filter((step) => hasBegun(step) && (direction === "cancel" || stageOfStep(graph, step.id) > 0))
      .map((step) => step.id),
  );
