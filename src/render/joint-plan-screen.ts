/** A plan of several services as a person decides on it: each service's plan, and above the question what they have to do with each other. */
import type { JointPlanDiff } from "../core/planner/diff-joint-plans.ts";
import { formatList } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import { shortId } from "../model/identifiers.ts";
import type { JointPlan } from "../model/joint-plan.ts";
import type { Plan } from "../model/plan.ts";
import { hanging } from "./fit-text.ts";
import { renderPlanDiff } from "./plan-diff-screen.ts";
import { type PlanScreenOptions, renderPlan } from "./plan-screen.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

const labelWidth = 8;

/** @param options `run`: the number that the run of the first part will get */
export const renderJointPlan = (joint: JointPlan, screen: Screen, { run, next }: PlanScreenOptions = {}): string => {
  const part = (name: string, texts: readonly string[]): readonly string[] =>
    texts.flatMap((text, index) => hanging((index === 0 ? name : "").padEnd(labelWidth), text, screen));
  const { forecast, parts } = joint;
  const command = next === undefined ? `refloat recover --plan ${shortId(joint.digest)}` : next;
  return lines(
    parts.flatMap((plan, index) => [
      renderPlan(plan, screen, { next: null, ...(run === undefined ? {} : { run: run + index }) }),
      "",
    ]),
    hanging("", headline(joint, screen), screen),
    part("WAITS", parts.flatMap(describeWaits)),
    part("TIME", [forecast.spans.map(({ service, toMs }) => `${service} after ${roundly(toMs)}`).join(", ")]),
    part(
      "ALONE",
      forecast.leftAlone.map(({ service, found }) => `${service} works: ${found}`),
    ),
    command === null ? null : nextLine(screen, command),
  );
};

const headline = ({ digest, parts, intent }: JointPlan, screen: Screen): string => {
  const names = formatList(parts.map((plan) => plan.intent.service));
  const what = intent.purpose === "undo" ? "taken back together" : "recovered together";
  return `${screen.paint("bold", `Plan ${shortId(digest)}`)}  ${names}, ${what}: one yes, a run of each service, their steps side by side`;
};

/** `shop: try app, cut over; for identity` */
const describeWaits = ({ intent, forecast }: Plan): readonly string[] => {
  const byService = Map.groupBy(
    intent.steps.filter(({ after = [] }) => after.length > 0),
    ({ after = [] }) => formatList(after),
  );
  return [...byService].map(([services, steps]) => {
    const titles = steps.map(({ id, phase }) =>
      phase === "cutover" || phase === "prove"
        ? intent.purpose === "undo"
          ? "put back"
          : "cut over"
        : (forecast.steps[id]?.title ?? id),
    );
    return `${intent.service}: ${[...new Set(titles)].join(", ")}, until ${services} ${intent.purpose === "undo" ? "is taken back" : "is there"}`;
  });
};

const roundly = (ms: number): string => formatDuration(Math.max(1, Math.round(ms / 1000)) * 1000);

/** @param digest of the newer plan */
export const renderJointPlanDiff = (compared: JointPlanDiff, digest: string, screen: Screen): string =>
  lines(
    compared.same ? "the same, to the letter: the digests are equal" : null,
    compared.added.map((service) => `${screen.paint("green", "+")} ${service}: recovered now`),
    compared.removed.map((service) => `${screen.paint("red", "-")} ${service}: not recovered any more`),
    compared.same
      ? []
      : compared.parts.flatMap(({ from, to, diff }) => [
          screen.paint("bold", to.intent.service),
          renderPlanDiff(from, to, diff, screen, null),
        ]),
    nextLine(screen, `refloat recover --plan ${shortId(digest)}`),
  );
