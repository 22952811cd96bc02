/** Two plans beside each other: what one does and expects that the other does not. */
import { type PlanDiff, valueText } from "../core/planner/diff-plans.ts";
import { formatDuration } from "../core/time/duration.ts";
import { shortId } from "../model/identifiers.ts";
import type { LossForecast, Plan } from "../model/plan.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { describeLoss } from "./plan-screen.ts";
import { type Screen, type Style, lines, nextLine } from "./screen.ts";

const labelWidth = 10;

/** Steps that are expected to take so much longer or shorter are told. */
const noticedMs = 1000;

const signs = { added: ["+", "green"], removed: ["-", "red"], changed: ["~", "yellow"] } as const satisfies Record<
  PlanDiff["steps"][number]["change"],
  readonly [string, Style]
>;

/** @param next what to type next; null for nothing */
export const renderPlanDiff = (
  from: Plan,
  to: Plan,
  diff: PlanDiff,
  screen: Screen,
  next: string | null = `refloat recover --plan ${shortId(to.digest)}`,
): string => {
  const part = (label: string, texts: readonly string[]): readonly string[] =>
    texts.flatMap((text, index) => hanging((index === 0 ? label : "").padEnd(labelWidth), text, screen));
  return lines(
    part("FROM", [describePlan(from, to.forecast.at, screen)]),
    part("TO", [describePlan(to, to.forecast.at, screen)]),
    diff.same ? part("STEPS", ["the same, to the letter: the digests are equal"]) : [],
    part(
      "WHAT",
      diff.subject.map(({ what, from: older, to: newer }) => `${what}: ${valueText(older)} > ${valueText(newer)}`),
    ),
    part(
      "FILE",
      diff.declaration.map(({ what, from: older, to: newer }) => `${what}: ${valueText(older)} > ${valueText(newer)}`),
    ),
    part(
      "STEPS",
      diff.steps.map((step) => describeStep(step, screen)),
    ),
    part("TIME", times(diff)),
    part("LOSES", losses(diff, to, screen)),
    part("WARNINGS", [
      ...diff.warnings.added.map((message) => `${screen.paint("yellow", "+")} ${message}`),
      ...diff.warnings.gone.map((message) => `- ${message}`),
    ]),
    next === null ? null : nextLine(screen, next),
  );
};

const describePlan = ({ digest, intent, forecast }: Plan, now: string, { timeZone, paint }: Screen): string => {
  const point =
    intent.point === null
      ? ""
      : `, point ${shortId(intent.point.id)} of ${formatTime(intent.point.consistentAt, now, timeZone)}`;
  return `${paint("bold", `plan ${shortId(digest)}`)} of ${formatTime(forecast.at, now, timeZone)}${point}`;
};

const describeStep = ({ step, change, from, to, parts }: PlanDiff["steps"][number], { paint }: Screen): string => {
  const [sign, style] = signs[change];
  const head = `${paint(style, sign)} ${step}`;
  if (change !== "changed") return `${head}: ${to ?? from ?? ""}`;
  return from === to ? `${head}: other ${parts.join(", ")}` : `${head}: ${to ?? ""}, was ${from ?? ""}`;
};

const span = (ms: number | null): string => (ms === null ? "?" : formatDuration(ms));

const times = ({ totalMs, heldMs, durations }: PlanDiff): readonly string[] => {
  const both = (what: string, { from, to }: PlanDiff["totalMs"]): readonly string[] =>
    Math.abs(from - to) < noticedMs ? [] : [`${what} ${span(to)}, was ${span(from)}`];
  return [
    ...both("all of it", totalMs),
    ...both("traffic held", heldMs),
    ...durations
      .filter(({ fromMs, toMs }) => fromMs === null || toMs === null || Math.abs(fromMs - toMs) >= noticedMs)
      .map(({ step, fromMs, toMs }) => `${step} ${span(toMs)}, was ${span(fromMs)}`),
  ];
};

const losses = (diff: PlanDiff, to: Plan, { timeZone }: Screen): readonly string[] => {
  const words = (loss: LossForecast | null, component: string): string =>
    loss === null ? `${component} nothing` : describeLoss(loss, to.forecast.at, timeZone);
  return diff.losses.map(
    ({ component, from, to: newer }) => `${words(newer, component)}   was: ${words(from, component)}`,
  );
};
