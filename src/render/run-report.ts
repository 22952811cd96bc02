/** The last screen of a run: is the service back, how long was it away, what was lost, what is kept; and what to type next. */
import { describeStake } from "../core/declaration/stake.ts";
import type { RpoActual } from "../core/run/lost-writes.ts";
import { met } from "../core/run/objective.ts";
import { formatList } from "../core/text/quantity.ts";
import type { RtoActual, RunSummary } from "../core/run/run-summary.ts";
import { shortId } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import { formatSpan, formatTime, zoneName } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { describeMoments } from "./moment-words.ts";
import {
  against,
  describeBeside,
  describeEdits,
  describeKept,
  describeLeft,
  describeLosses,
  describeMachine,
  describeTogether,
  describeUnanswered,
  describeValidated,
  ending,
  followed,
  phaseWords,
  reasonLabel,
  reasons,
} from "./run-words.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

const labelWidth = 12;

/** @param now ISO 8601: when the run ended, or the moment of asking */
export const renderRunReport = (summary: RunSummary, plan: Plan, now: string, screen: Screen): string => {
  const part = (label: string, texts: readonly string[]): readonly string[] =>
    texts.flatMap((text, index) => hanging((index === 0 ? label : "").padEnd(labelWidth), text, screen));
  return lines(
    hanging("", headline(summary, plan, now, screen), screen),
    part("At stake", [describeStake(plan.intent.declaration) ?? []].flat()),
    part(reasonLabel(summary), reasons(summary)),
    part("Moment", describeMoments(plan, now, screen.timeZone)),
    part("RTO actual", summary.rto === null ? [] : describeRto(summary, summary.rto, now, screen)),
    part("", summary.rto === null ? [] : describeHarm(summary.rto, plan.intent.declaration.objectives.mtd)),
    part("Took", summary.rto === null ? describePhases(summary) : []),
    part(summary.rto === null ? "Would lose" : "RPO actual", describeLosses(summary)),
    part(
      "Only there",
      summary.left.map((left) => describeLeft(left, summary)),
    ),
    part("Together", [describeTogether(plan) ?? []].flat()),
    part("Begun with", describeBegunWith(summary)),
    part("Validated", describeValidated(summary)),
    part("Probe", describeProbe(summary)),
    part("Ill", summary.unanswered.map(describeUnanswered)),
    part("By people", describePeople(summary, screen)),
    part("Edited", describeEdits(summary)),
    part("Broken", summary.broken),
    part("Settled", summary.settled),
    part("Disarmed", describeOff(summary)),
    part("Kept", describeKept(summary)),
    part("Beside", describeBeside(summary)),
    part("Machine", describeMachine(summary)),
    nextLine(screen, ...nextCommands(summary, plan)),
  );
};

const headline = (summary: RunSummary, plan: Plan, now: string, screen: Screen): string => {
  const { style, text } = ending(summary);
  const clock = `${formatTime(now, now, screen.timeZone)} ${zoneName(now, screen.timeZone)}`;
  return `${screen.paint(style, text)}  run ${summary.run}, ${clock}.  ${followed(summary, plan)}`;
};

const describeBegunWith = ({ together = [], state, purpose, run }: RunSummary): readonly string[] =>
  together.length === 0
    ? []
    : [
        state === "succeeded" && purpose === "recover"
          ? `${formatList(together)}; refloat undo ${run} --with-needs takes all of them back`
          : formatList(together),
      ];

const describeRto = (summary: RunSummary, rto: RtoActual, now: string, screen: Screen): readonly string[] => {
  const time = (instant: string): string => formatTime(instant, now, screen.timeZone);
  const from = `${time(rto.from)} ${rto.fromIncident ? "first wrong answer" : "run began (when it broke is not known)"}`;
  const to = `${time(rto.to)} ${rto.toProbe ? "normal again" : summary.cutoverBegan ? "cut over (nobody asked as a user)" : "all done (nobody asked as a user)"}`;
  const verdict = `${rto.fromIncident ? "" : "at least "}${against(rto.actualMs, rto)}`;
  const shown = rto.met === false ? verdict.replace("MISSED", (word) => screen.paint("red", word)) : verdict;
  return [`${shown}   ${from}, ${to}`, ...describePhases(summary)];
};

/** Only of an outage whose begin is known: a run that began late says nothing of how long the service was away. */
const describeHarm = ({ actualMs, fromIncident }: RtoActual, mtd: string | undefined): readonly string[] =>
  fromIncident && met(actualMs, mtd).met === false
    ? [`away for longer than ${mtd ?? ""}, after which the harm is lasting (mtd)`]
    : [];

const describePhases = ({ phases }: RunSummary): readonly string[] =>
  phases.length === 0
    ? []
    : [phases.map(({ phase, durationMs }) => `${phaseWords[phase]} ${formatSpan(durationMs)}`).join(" | ")];

const describePeople = ({ people }: RunSummary, { paint }: Screen): readonly string[] =>
  people.flatMap(({ kind, title, by, words }) => {
    switch (kind) {
      case "approved":
        return [`${title}: yes, ${by}`];
      case "overridden":
        return [`${paint("red", `${title} OVERRIDDEN`)} by ${by}: ${words ?? ""}`];
      case "done":
        return [`${title}: ${by}${words === null || words === "" ? "" : `, saw: ${words}`}`];
      case "skipped":
        return [`${title}: ${words ?? "skipped"}`];
      default:
        return kind satisfies never;
    }
  });

const describeProbe = ({ probe }: RunSummary): readonly string[] =>
  probe?.status === "failed" ? [`${probe.found}: users get a wrong answer from what serves now`] : [];

/** Undone, the old side serves again. */
const describeOff = ({ disarmed, state, run }: RunSummary): readonly string[] =>
  disarmed.length === 0 || state === "undone"
    ? []
    : [
        ...disarmed.flatMap(({ component, items }) =>
          items.map(({ name, was }) => `${component}: ${name} is off (${was})`),
        ),
        state === "committed"
          ? `refloat rearm ${run} lets it act again`
          : `refloat rearm ${run} lets it act again, once this is committed; what was armed since is not told here`,
      ];

/**
 * Rows that only the old side has, or may have: exported as CSV, or counted and read out of it by reconcile alone, which a side that cannot serve
 * gives nobody. Files are listed otherwise.
 */
const hasLostRows = ({ component, units, gaps, hasReconcile }: RpoActual, kept: RunSummary["kept"]): boolean =>
  units.some(({ added, file }) => added > 0 && file?.endsWith(".csv") === true) ||
  (hasReconcile &&
    !kept.some((side) => side.component === component && side.unfit !== undefined) &&
    (gaps.length > 0 || units.some(({ added, counted }) => added > 0 && counted === "rows")));

/** Nobody puts them back: to drop the side that has them is no step to take without a look. */
const hasRowsByHand = ({ units }: RpoActual): boolean => units.some(({ byHand }) => byHand);

const afterCutover = ({ run, kept, rpo }: RunSummary): readonly string[] => {
  const steps = [
    ...(kept.some(({ unfit }) => unfit !== undefined) ? [] : [`refloat undo ${run}`]),
    ...(rpo.some((one) => hasLostRows(one, kept)) ? [`refloat reconcile ${run}`] : []),
    ...(rpo.some(hasRowsByHand) ? [] : [`refloat commit ${run}`]),
  ];
  return steps.length === 0 ? ["refloat status"] : steps;
};

const nextCommands = (summary: RunSummary, plan: Plan): readonly string[] => {
  const { run, state, purpose, cutover, service, words, beside, kept, disarmed } = summary;
  const { point } = plan.intent;
  const { failback } = plan.intent;
  const about =
    failback !== undefined && purpose === "recover"
      ? ` --failback ${shortId(failback.runUid)}`
      : point === null
        ? ""
        : ` --at ${shortId(point.id)}`;
  const planned = `refloat plan ${service}${about}`;
  switch (state) {
    case "succeeded":
      if (purpose === "undo")
        return [`refloat points ${service}`, ...(kept.length === 0 ? [] : [`refloat commit ${run}`])];
      // A runbook has put no side away.
      if (!plan.intent.steps.some(({ phase }) => phase === "cutover") && cutover) return ["refloat status"];
      if (!cutover) return [planned, `refloat cancel ${run}`];
      return afterCutover(summary);
    case "committed":
      return ["refloat status", ...(disarmed.length === 0 ? [] : [`refloat rearm ${run}`])];
    case "failed":
    case "interrupted":
    case "waiting":
    case "needs-operator":
      return words;
    case "running":
      return [`refloat runs ${run}`];
    case "undone":
      return beside.length === 0 ? [planned] : [planned, `refloat cancel ${run}`];
    case "cancelled":
      return [planned];
    default:
      return state satisfies never;
  }
};
