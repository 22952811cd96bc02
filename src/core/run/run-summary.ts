/**
 * What a run came to, from its journal alone: RTO and RPO actual, time per phase, what was lost and saved, what was validated, what is kept,
 * what failed. Numbers and names; the words are render's.
 */
import type { StepId } from "../../model/identifiers.ts";
import type { JsonObject } from "../../model/json.ts";
import { checkOutcomeSchema, type CheckOutcome } from "../../model/outcome.ts";
import type { Phase, Plan, StepAction } from "../../model/plan.ts";
import type { RunEvent, RunRecord, StepRecord } from "../../model/run.ts";
import { z } from "zod";
import { type DisarmedComponent, disarmedItemSchema } from "../../model/arming.ts";
import { describeOutcomes, failedChecks } from "../components/check-verdict.ts";
import { usersOf } from "../graph/users-of.ts";
import { type LeftWrites, type RpoActual, leftWrites, rpoActual } from "./lost-writes.ts";
import { type Objective, elapsed, met } from "./objective.ts";
import { type SideBeside, sidesBeside } from "./standing-beside.ts";
import { type Stumbles, stumblesOf } from "./stumbles.ts";
import { wordsAfterStop } from "./words-after-stop.ts";
import { type KeptSide, keptAway, keptSides } from "./kept-sides.ts";

/** Where nobody told when it broke, `actualMs` is the least that it can have been, and `met` is never true. */
export type RtoActual = Objective & {
  readonly actualMs: number;
  /** ISO: the first wrong answer when it was told, else the begin of the run. */
  readonly from: string;
  readonly fromIncident: boolean;
  /** ISO: the first right answer of the probe, else when traffic was admitted, else the end of the cutover. */
  readonly to: string;
  readonly toProbe: boolean;
};

export type RunSummary = {
  readonly run: number;
  readonly service: string;
  readonly purpose: RunRecord["purpose"];
  readonly state: RunRecord["state"];
  readonly message: string | null;
  readonly digest: string;
  readonly cutover: boolean;
  /** Null before users could have noticed anything. */
  readonly rto: RtoActual | null;
  readonly rpo: readonly RpoActual[];
  /** In order; they add up to the time from the first wrong answer (or the run's begin) to the end. */
  readonly phases: readonly { readonly phase: "notice" | Phase; readonly durationMs: number }[];
  readonly restored: { readonly sizeBytes: number; readonly counts: Readonly<Record<string, number>> };
  readonly checks: { readonly passed: number; readonly failed: number };
  readonly invariants: { readonly passed: number; readonly failed: number };
  /** Broken links that were accepted, as the check found them. */
  readonly broken: readonly string[];
  /** Of an undo: components behind whose name nothing stands now, as before the undone run. */
  readonly emptied: readonly string[];
  /** What components of the new side use while they run, and what did not answer right. */
  readonly unanswered: readonly {
    readonly component: string;
    readonly usedBy: readonly string[];
    readonly found: string;
  }[];
  /** What the probe found last; of an undo it may be a wrong answer of the old side. Null when nobody asked as a user. */
  readonly probe: CheckOutcome | null;
  /** Of an undo: what the side that was left has taken after the newest point of it; nowhere else but in these exports and there. */
  readonly left: readonly LeftWrites[];
  /** What was moved on the new side so that it goes on where the old one stopped: sequences, in a driver's words. */
  readonly settled: readonly string[];
  /** What was off behind each name when it was switched, so that a copy does not act in the name of the original. */
  readonly disarmed: readonly DisarmedComponent[];
  /** The sides that it has put away, where they stand now. */
  readonly kept: readonly KeptSide[];
  /** Those of the side elsewhere that a failback has left, by the names that they have there. */
  readonly keptAway: readonly KeptSide[];
  /** New sides that stand beside live because the run did not cut over (or was undone). */
  readonly beside: readonly SideBeside[];
  /** Time that the machine worked: people's decisions left out, and the time between two processes of an interrupted run. */
  readonly machineMs: number;
  readonly predictedMs: number;
  readonly stumbles: Stumbles;
  readonly done: number;
  readonly steps: number;
  readonly failures: readonly {
    readonly step: StepId;
    readonly title: string;
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
  }[];
  /** What people decided, did by hand and left out, in the order of the plan. */
  readonly people: readonly PeoplesPart[];
  readonly cutoverBegan: boolean;
  /** Of a run that has stopped: the commands that work on it now, the most sensible first. */
  readonly words: readonly string[];
  /** Other services whose runs were begun together with it. Absent for a run alone. */
  readonly together?: readonly string[];
};

export type PeoplesPart = {
  readonly step: StepId;
  readonly title: string;
  readonly kind: "approved" | "overridden" | "done" | "skipped";
  readonly by: string;
  /** The evidence of what was done, the reason of an override or of a skip; null where none was given. */
  readonly words: string | null;
};

const disarmedSchema = z.object({ disarmed: z.array(disarmedItemSchema) });

const settledSchema = z.object({ settled: z.array(z.string()) });

const outcomesSchema = z.object({ outcomes: z.array(checkOutcomeSchema) });

const textIn = (output: JsonObject | null | undefined, key: string): string | null => {
  const value = output?.[key];
  return typeof value === "string" ? value : null;
};

type Journaled = {
  readonly plan: Plan;
  readonly record: RunRecord;
  readonly actionOf: (id: StepId) => StepAction | undefined;
  readonly phaseOf: (id: StepId) => Phase | undefined;
  readonly find: (id: string) => StepRecord | undefined;
};

const peoplesPart = ({ record, plan, actionOf }: Journaled): readonly PeoplesPart[] =>
  record.steps.flatMap(({ id, state, output, error }): readonly PeoplesPart[] => {
    const step = { step: id, title: plan.forecast.steps[id]?.title ?? id };
    if (state === "skipped") return [{ ...step, kind: "skipped", by: "", words: error?.message ?? null }];
    const action = actionOf(id);
    const by = textIn(output, "by");
    if (by === null || (action?.kind !== "approve" && action?.kind !== "manual")) return [];
    const override = textIn(output, "override");
    if (override !== null) return [{ ...step, kind: "overridden", by, words: override }];
    if (action.kind === "manual") return [{ ...step, kind: "done", by, words: textIn(output, "evidence") }];
    // A lone yes of whoever ran it says nothing that its screen has not said.
    return state === "failed" || (action.by === undefined && action.count === undefined)
      ? []
      : [{ ...step, kind: "approved", by, words: null }];
  });

/** @param now ISO: for a run that has not ended */
export const summarizeRun = (record: RunRecord, plan: Plan, events: readonly RunEvent[], now: string): RunSummary => {
  const stumbles = stumblesOf(events);
  const journaled = readJournaled(record, plan);
  const rto = rtoOf(journaled);
  const phases = phaseDurations(journaled, rto, now);
  const decided = phases.find(({ phase }) => phase === "decide")?.durationMs ?? 0;
  const ran = Date.parse(record.endedAt ?? now) - Date.parse(record.beganAt);
  const outcomes = allOutcomes(journaled);
  const count = (list: readonly CheckOutcome[]) => ({
    passed: list.filter(({ status }) => status === "passed").length,
    failed: list.filter(({ status }) => status === "failed").length,
  });
  return {
    run: record.number,
    service: record.service,
    ...(record.joint === undefined
      ? {}
      : { together: record.joint.members.flatMap(({ service }) => (service === record.service ? [] : [service])) }),
    purpose: record.purpose,
    state: record.state,
    message: record.message,
    digest: record.digest,
    cutover: plan.intent.cutover,
    rto,
    rpo: plan.intent.scope.flatMap((component) => rpoActual(journaled, component) ?? []),
    phases,
    left:
      plan.intent.purpose === "undo" || plan.intent.failback !== undefined
        ? plan.intent.scope.flatMap((name) => leftWrites(journaled, name) ?? [])
        : [],
    restored: restored(journaled),
    checks: count(outcomes.checks),
    invariants: count(outcomes.invariants),
    broken: outcomes.invariants.flatMap(({ subject, status, found }) =>
      status === "failed" && (plan.intent.acceptBroken ?? []).includes(subject.replace("invariant ", ""))
        ? [`${subject}: ${found}`]
        : [],
    ),
    emptied: Object.entries(plan.intent.undoes?.exchanges ?? {}).flatMap(([name, { toNothing }]) =>
      toNothing === true ? [name] : [],
    ),
    unanswered: unansweredUses(journaled),
    probe: probeOutcome(journaled),
    settled: record.steps.flatMap(({ id, state, output }) =>
      state === "done" && journaled.actionOf(id)?.kind === "save-lost"
        ? (settledSchema.safeParse(output).data?.settled ?? [])
        : [],
    ),
    disarmed: record.steps.flatMap(({ id, state, output }) => {
      const action = journaled.actionOf(id);
      const items = disarmedSchema.safeParse(output).data?.disarmed ?? [];
      return state === "done" && action?.kind === "switch" && items.length > 0
        ? [{ component: action.component, items }]
        : [];
    }),
    kept: keptSides(record),
    keptAway: keptAway(record),
    beside: sidesBeside(record),
    machineMs: Math.max(0, ran - decided - stumbles.stoppedMs),
    predictedMs: plan.forecast.totalMs.likely,
    stumbles,
    done: record.steps.filter(({ state }) => state === "done").length,
    steps: record.steps.length,
    people: peoplesPart(journaled),
    failures: record.steps.flatMap(({ id, state, error }) =>
      error === null || state === "skipped"
        ? []
        : [
            {
              step: id,
              title: plan.forecast.steps[id]?.title ?? id,
              code: error.code,
              message: error.message,
              hint: error.hint ?? null,
            },
          ],
    ),
    words: wordsAfterStop(record, plan.intent.steps),
    cutoverBegan: record.steps.some(
      ({ id, state }) => journaled.phaseOf(id) === "cutover" && state !== "pending" && state !== "skipped",
    ),
  };
};

const readJournaled = (record: RunRecord, plan: Plan): Journaled => {
  const steps = new Map(plan.intent.steps.map((step) => [step.id, step]));
  return {
    plan,
    record,
    actionOf: (id) => steps.get(id)?.action,
    phaseOf: (id) => steps.get(id)?.phase,
    find: (id) => record.steps.find((step) => step.id === id),
  };
};

/** Null for a run that did not put the service back. */
export const rtoActual = (record: RunRecord, plan: Plan): RtoActual | null => rtoOf(readJournaled(record, plan));

/** A done step proves that it was asked, not how it was answered. */
const probeOutcome = ({ find }: Journaled): CheckOutcome | null => {
  const step = find("probe") ?? find("probe@away");
  return step?.state === "done" ? (outcomesSchema.safeParse(step.output).data?.outcomes.at(-1) ?? null) : null;
};

const unansweredUses = ({ plan, record, actionOf }: Journaled): RunSummary["unanswered"] =>
  record.steps.flatMap(({ id, output }) => {
    const action = actionOf(id);
    if (action?.kind !== "check-used") return [];
    const { component } = action;
    const failed = failedChecks(outcomesSchema.safeParse(output).data?.outcomes ?? []);
    if (failed.length === 0) return [];
    return [{ component, usedBy: usersOf(plan.intent.declaration, component), found: describeOutcomes(failed) }];
  });

const latestEnd = ({ record, phaseOf }: Journaled, phase: Phase): string | null =>
  record.steps
    .filter(({ id, state, endedAt }) => phaseOf(id) === phase && state === "done" && endedAt !== null)
    .map(({ endedAt }) => endedAt ?? "")
    .toSorted()
    .at(-1) ?? null;

const rtoOf = (journaled: Journaled): RtoActual | null => {
  const { record, plan, find } = journaled;
  if (record.state !== "succeeded" && record.state !== "committed") return null;
  // Nothing had broken: users worked elsewhere until they were held, and the time of the cutover is what they noticed.
  if (plan.intent.failback !== undefined && record.purpose === "recover") return null;
  // A service that answers wrong is not back, whatever its names stand for.
  if (!plan.intent.cutover || probeOutcome(journaled)?.status === "failed") return null;
  const normalAt = textIn((find("probe") ?? find("probe@away"))?.output, "normalAt");
  // Of a runbook that switches nothing, the end of the last step.
  const switches = plan.intent.steps.some(({ phase }) => phase === "cutover");
  const to =
    normalAt ??
    textIn((find("admit") ?? find("admit@away"))?.output, "admittedAt") ??
    (switches ? latestEnd(journaled, "cutover") : record.endedAt);
  if (to === null) return null;
  const from = record.incidentAt ?? record.beganAt;
  const actualMs = Math.max(0, Date.parse(to) - Date.parse(from));
  const fromIncident = record.incidentAt !== null;
  const objective = met(actualMs, plan.intent.declaration.objectives.rto);
  return {
    actualMs,
    from,
    fromIncident,
    to,
    toProbe: normalAt !== null,
    objectiveMs: objective.objectiveMs,
    // It was down for longer than the run: what is too long already is missed, and nothing is met.
    met: fromIncident || objective.met === false ? objective.met : null,
  };
};

const phases: readonly Phase[] = ["restore", "validate", "decide", "cutover", "prove"];

/** Phases overlap only where steps of one begin before the last of another ends; each then counts from where the one before ended. */
const phaseDurations = (journaled: Journaled, rto: RtoActual | null, now: string): RunSummary["phases"] => {
  const { record } = journaled;
  const noticed =
    record.incidentAt === null
      ? []
      : [{ phase: "notice" as const, durationMs: elapsed(record.incidentAt, record.beganAt) }];
  let reached = record.beganAt;
  const worked = phases.flatMap((phase) => {
    const end = phase === "prove" && rto !== null ? rto.to : latestEnd(journaled, phase);
    if (end === null || Date.parse(end) > Date.parse(record.endedAt ?? now)) return [];
    const durationMs = elapsed(reached, end);
    reached = end > reached ? end : reached;
    return [{ phase, durationMs }];
  });
  return [...noticed, ...worked];
};

const restored = ({ plan, record, actionOf }: Journaled): RunSummary["restored"] => {
  let sizeBytes = 0;
  const counts: Record<string, number> = {};
  for (const { id, state } of record.steps) {
    const action = actionOf(id);
    if (action?.kind !== "check" || state !== "done") continue;
    const captured = plan.intent.point?.components[action.component];
    sizeBytes += captured?.sizeBytes ?? 0;
    for (const [unit, count] of Object.entries(captured?.facts.counts ?? {}))
      counts[unit] = (counts[unit] ?? 0) + count;
  }
  return { sizeBytes, counts };
};

/** Declared checks and invariants that were asked; comparisons with facts are told by what was restored. */
const allOutcomes = ({ record, actionOf, plan }: Journaled) => {
  const checks: CheckOutcome[] = [];
  const invariants: CheckOutcome[] = [];
  for (const { id, output } of record.steps) {
    const kind = actionOf(id)?.kind;
    const outcomes = outcomesSchema.safeParse(output).data?.outcomes ?? [];
    invariants.push(...outcomes.filter((outcome) => outcome.kind === "invariant"));
    if (kind === "check" || kind === "try") checks.push(...outcomes.filter((outcome) => isDeclared(plan, outcome)));
  }
  return { checks, invariants };
};

const isDeclared = ({ intent }: Plan, { kind, component }: CheckOutcome): boolean =>
  component !== undefined &&
  (intent.declaration.components[component]?.checks.some((check) => check.kind === kind) ?? false);
