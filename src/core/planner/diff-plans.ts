/** What differs between two plans of a service: in what they do, and in what is expected of them. Pure. */
import { isDeepStrictEqual } from "node:util";
import { type StepId, shortId } from "../../model/identifiers.ts";
import type { Json } from "../../model/json.ts";
import type { LossForecast, Plan, PlanStep } from "../../model/plan.ts";

/** A value of the intent or the declaration; `null` where there is none. */
export type ValueChange = { readonly what: string; readonly from: Json; readonly to: Json };

export type StepChange = {
  readonly step: StepId;
  readonly change: "added" | "removed" | "changed";
  readonly title: string;
  /** What it does in each plan; null where it is not there. */
  readonly from: string | null;
  readonly to: string | null;
  /** What of it is another one: `needs`, `phase`, `action`, `rules`. Empty unless it is `changed`. */
  readonly parts: readonly string[];
};

export type PlanDiff = {
  /** The digests are equal: both do exactly the same. */
  readonly same: boolean;
  /** What they are about: point, scope, cutover, where logs lead to. */
  readonly subject: readonly ValueChange[];
  /** `components.app.options.start` */
  readonly declaration: readonly ValueChange[];
  readonly steps: readonly StepChange[];
  /** Of steps that both have, where the forecast is another one. */
  readonly durations: readonly {
    readonly step: StepId;
    readonly fromMs: number | null;
    readonly toMs: number | null;
  }[];
  readonly totalMs: { readonly from: number; readonly to: number };
  readonly heldMs: { readonly from: number; readonly to: number };
  readonly losses: readonly {
    readonly component: string;
    readonly from: LossForecast | null;
    readonly to: LossForecast | null;
  }[];
  readonly warnings: { readonly gone: readonly string[]; readonly added: readonly string[] };
};

export const diffPlans = (from: Plan, to: Plan): PlanDiff => {
  const warningsOf = ({ forecast }: Plan): readonly string[] => forecast.warnings.map(({ message }) => message);
  return {
    same: from.digest === to.digest,
    subject: changedValues(subjectOf(from), subjectOf(to)),
    declaration: changedValues(asJson(from.intent.declaration), asJson(to.intent.declaration)),
    steps: changedSteps(from, to),
    durations: changedDurations(from, to),
    totalMs: { from: from.forecast.totalMs.likely, to: to.forecast.totalMs.likely },
    heldMs: { from: from.forecast.heldMs, to: to.forecast.heldMs },
    losses: changedLosses(from, to),
    warnings: {
      gone: warningsOf(from).filter((message) => !warningsOf(to).includes(message)),
      added: warningsOf(to).filter((message) => !warningsOf(from).includes(message)),
    },
  };
};

const asJson = (value: unknown): Json => JSON.parse(JSON.stringify(value ?? null)) as Json;

const subjectOf = ({ intent }: Plan): Json =>
  asJson({
    purpose: intent.purpose,
    point: intent.point === null ? null : { id: intent.point.id, consistentAt: intent.point.consistentAt },
    // Of a way home both sides are declared, and the point is told by its shape.
    failback:
      intent.failback === undefined
        ? null
        : { run: intent.failback.runUid, point: intent.failback.shape, there: intent.failback.declaration },
    scope: intent.scope,
    rebound: intent.rebound,
    cutover: intent.cutover,
    acceptBroken: intent.acceptBroken ?? [],
    replays: Object.fromEntries(
      Object.entries(intent.replays ?? {}).map(([name, { at, to }]) => [name, `${to} (${at})`]),
    ),
  });

const isMapping = (value: Json): value is { readonly [key: string]: Json } =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Mappings key by key; lists and plain values as a whole. */
const changedValues = (from: Json, to: Json, path = ""): readonly ValueChange[] => {
  if (isMapping(from) && isMapping(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    return keys.flatMap((key) =>
      changedValues(from[key] ?? null, to[key] ?? null, path === "" ? key : `${path}.${key}`),
    );
  }
  return isDeepStrictEqual(from, to) ? [] : [{ what: path, from, to }];
};

/** In the order of the newer plan, then what only the older one had. */
const changedSteps = (from: Plan, to: Plan): readonly StepChange[] => {
  const before = new Map(from.intent.steps.map((step) => [step.id, step]));
  const after = new Set(to.intent.steps.map(({ id }) => id));
  const whatOf = ({ forecast }: Plan, id: StepId): string => forecast.steps[id]?.what ?? "";
  const titleOf = ({ forecast }: Plan, id: StepId): string => forecast.steps[id]?.title ?? id;
  const kept = to.intent.steps.flatMap((step): readonly StepChange[] => {
    const { id } = step;
    const older = before.get(id);
    const sides = { step: id, title: titleOf(to, id), to: whatOf(to, id) };
    if (older === undefined) return [{ ...sides, change: "added", from: null, parts: [] }];
    const parts = changedParts(older, step);
    return parts.length === 0 ? [] : [{ ...sides, change: "changed", from: whatOf(from, id), parts }];
  });
  const removed = from.intent.steps.flatMap(({ id }): readonly StepChange[] =>
    after.has(id)
      ? []
      : [{ step: id, change: "removed", title: titleOf(from, id), from: whatOf(from, id), to: null, parts: [] }],
  );
  return [...kept, ...removed];
};

const stepParts = ["phase", "needs", "after", "action", "rules"] as const;

const changedParts = (from: PlanStep, to: PlanStep): readonly string[] =>
  stepParts.filter((part) => changedValues(asJson(from[part]), asJson(to[part])).length > 0);

const changedDurations = (from: Plan, to: Plan): PlanDiff["durations"] =>
  to.intent.steps.flatMap(({ id }) => {
    const [older, newer] = [from.forecast.steps[id], to.forecast.steps[id]];
    return older === undefined || newer === undefined || older.durationMs === newer.durationMs
      ? []
      : [{ step: id, fromMs: older.durationMs, toMs: newer.durationMs }];
  });

const changedLosses = (from: Plan, to: Plan): PlanDiff["losses"] => {
  const lossOf = ({ forecast }: Plan, component: string): LossForecast | null =>
    forecast.loses.find((loss) => loss.component === component) ?? null;
  const components = [...new Set([...to.forecast.loses, ...from.forecast.loses].map(({ component }) => component))];
  return components.flatMap((component) => {
    const [older, newer] = [lossOf(from, component), lossOf(to, component)];
    return JSON.stringify(older) === JSON.stringify(newer) ? [] : [{ component, from: older, to: newer }];
  });
};

/** The differences of what is done, a clause each: `the declaration has another components.app.options.start`. */
export const intentChanges = ({ subject, declaration, steps }: PlanDiff): readonly string[] => [
  ...subject.map(({ what, from, to }) => `${what} was ${valueText(from)} and is ${valueText(to)}`),
  ...declaration.map(
    ({ what, from, to }) => `the declaration's ${what} was ${valueText(from)} and is ${valueText(to)}`,
  ),
  ...steps.map(({ step, change, parts }) =>
    change === "changed"
      ? `${step} has other ${parts.join(" and ")}`
      : `${step} ${change === "added" ? "is needed now" : "is no longer possible or needed"}`,
  ),
];

export const valueText = (value: Json): string =>
  value === null
    ? "nothing"
    : typeof value !== "string"
      ? JSON.stringify(value)
      : /^[0-9a-f]{64}$/.test(value)
        ? shortId(value)
        : value;
