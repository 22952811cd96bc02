/** The last screen of a run: is the service back, how long was it away, what was lost, what is kept; and what to type next. */
import { formatAmount, formatBytes, formatCount, formatList } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import type { RpoActual } from "../core/run/lost-writes.ts";
import { describeStake } from "../core/declaration/stake.ts";
import { type Objective, met } from "../core/run/objective.ts";
import type { RtoActual, RunSummary } from "../core/run/run-summary.ts";
import { shortId } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import type { RunState } from "../model/run.ts";
import { formatSpan, formatTime, zoneName } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, type Style, lines } from "./screen.ts";
import { describeUnit } from "./step-result.ts";

const labelWidth = 12;

/** @param now ISO 8601: when the run ended, or the moment of asking */
export const renderRunReport = (summary: RunSummary, plan: Plan, now: string, screen: Screen): string => {
  const part = (label: string, texts: readonly string[]): readonly string[] =>
    texts.flatMap((text, index) => hanging((index === 0 ? label : "").padEnd(labelWidth), text, screen.width));
  return lines(
    hanging("", headline(summary, plan, now, screen), screen.width),
    part("At stake", [describeStake(plan.intent.declaration) ?? []].flat()),
    part(reasonLabel(summary), reasons(summary)),
    part("RTO actual", summary.rto === null ? [] : describeRto(summary, summary.rto, now, screen)),
    part("", summary.rto === null ? [] : describeHarm(summary.rto, plan.intent.declaration.objectives.mtd)),
    part("Took", summary.rto === null ? describePhases(summary) : []),
    part(summary.rto === null ? "Would lose" : "RPO actual", describeLosses(summary)),
    part("Only there", summary.left.map(describeLeft)),
    part("Validated", describeValidated(summary)),
    part("Probe", describeProbe(summary)),
    part("Broken", summary.broken),
    part("Kept", describeKept(summary)),
    part(
      "Beside",
      summary.beside.map(({ component, name }) => `restored ${component}, ${name}: not in use`),
    ),
    part("Machine", describeMachine(summary)),
    nextCommands(summary, plan, screen),
  );
};

type Ending = { readonly text: string; readonly style: Style };

const endings = (summary: RunSummary): Record<RunState, Ending> => {
  const service = summary.service.toUpperCase();
  const undo = summary.purpose === "undo";
  return {
    succeeded: !summary.cutover
      ? { text: `${service} IS RESTORED BESIDE LIVE`, style: "green" }
      : { text: undo ? `${service} IS BACK ON ITS OLD SIDE` : `${service} IS BACK`, style: "green" },
    committed: { text: undo ? `${service} IS BACK ON ITS OLD SIDE` : `${service} IS BACK`, style: "green" },
    failed: { text: `${service} WAS NOT RECOVERED`, style: "red" },
    undone: { text: "CUTOVER UNDONE", style: "red" },
    "needs-operator": { text: `${service} NEEDS A PERSON`, style: "red" },
    cancelled: { text: "CANCELLED", style: "yellow" },
    interrupted: { text: "INTERRUPTED", style: "yellow" },
    waiting: { text: "WAITS FOR AN ANSWER", style: "yellow" },
    running: { text: "RUNNING", style: "cyan" },
  };
};

/** What users see now, which the name of the state alone does not say. */
const liveIs = (summary: RunSummary): string => {
  switch (summary.state) {
    case "failed":
      return "Live is untouched";
    case "undone":
      return "The old side serves again";
    case "cancelled":
      return "What it had restored is removed, live is untouched";
    case "needs-operator":
    case "interrupted":
    case "waiting":
    case "running":
      return summary.cutoverBegan
        ? "It is in the cutover: users may notice"
        : `${summary.done} of ${summary.steps} steps done, live is untouched`;
    case "succeeded":
    case "committed":
      return summary.cutover ? "" : "Live is untouched";
    default:
      return summary.state satisfies never;
  }
};

const headline = (summary: RunSummary, plan: Plan, now: string, screen: Screen): string => {
  const ending = endings(summary)[summary.state];
  const clock = `${formatTime(now, now, screen.timeZone)} ${zoneName(now, screen.timeZone)}`;
  const { point, undoes } = plan.intent;
  const what =
    undoes !== null
      ? `Run ${undoes.run} is undone by plan ${shortId(summary.digest)}`
      : point === null
        ? `Plan ${shortId(summary.digest)}`
        : `Point ${shortId(point.id)}, plan ${shortId(summary.digest)} followed`;
  const live = liveIs(summary);
  const served = summary.state === "succeeded" || summary.state === "committed";
  const rest = served && live === "" ? what : served ? `${what}. ${live}` : live;
  return `${screen.paint(ending.style, ending.text)}  run ${summary.run}, ${clock}.  ${rest}`;
};

const reasonLabel = ({ state, failures }: RunSummary): string => {
  if (state === "waiting") return "Asks";
  if (state === "needs-operator") return "Needs you";
  // It had succeeded: a run of its own has put the old side back.
  return state === "undone" && failures.length === 0 ? "Undone" : "Failed";
};

const reasons = ({ failures: failed, state, message }: RunSummary): readonly string[] => {
  const told = failed.flatMap(({ title, code, message: why, hint }) => [
    `${title} (${code}): ${why}`,
    ...(hint === null ? [] : [`hint: ${hint}`]),
  ]);
  if (told.length > 0) return told;
  return message !== null && state !== "succeeded" && state !== "committed" ? [message] : [];
};

/** `1h51m39s of 15m MISSED` */
const against = (actualMs: number, { objectiveMs, met }: Objective): string => {
  const of = objectiveMs === null ? "" : ` of ${formatDuration(objectiveMs)}`;
  return `${formatSpan(actualMs)}${of}${met === null ? "" : met ? " met" : " MISSED"}`;
};

const describeRto = (summary: RunSummary, rto: RtoActual, now: string, screen: Screen): readonly string[] => {
  const time = (instant: string): string => formatTime(instant, now, screen.timeZone);
  const from = `${time(rto.from)} ${rto.fromIncident ? "first wrong answer" : "run began (when it broke is not known)"}`;
  const to = `${time(rto.to)} ${rto.toProbe ? "normal again" : "cut over (nobody asked as a user)"}`;
  const verdict = `${rto.fromIncident ? "" : "at least "}${against(rto.actualMs, rto)}`;
  const shown = rto.met === false ? verdict.replace("MISSED", (word) => screen.paint("red", word)) : verdict;
  return [`${shown}   ${from}, ${to}`, ...describePhases(summary)];
};

/** Only of an outage whose begin is known: a run that began late says nothing of how long the service was away. */
const describeHarm = ({ actualMs, fromIncident }: RtoActual, mtd: string | undefined): readonly string[] =>
  fromIncident && met(actualMs, mtd).met === false
    ? [`away for longer than ${mtd ?? ""}, after which the harm is lasting (mtd)`]
    : [];

const phaseWords: Record<RunSummary["phases"][number]["phase"], string> = {
  notice: "noticed and decided",
  restore: "restore",
  validate: "check",
  decide: "approve",
  cutover: "cut over",
  prove: "probe",
};

const describePhases = ({ phases }: RunSummary): readonly string[] =>
  phases.length === 0
    ? []
    : [phases.map(({ phase, durationMs }) => `${phaseWords[phase]} ${formatSpan(durationMs)}`).join(" | ")];

/** A run that changed nothing live has lost nothing: what it would lose matters only while it may still go on. */
const describeLosses = ({ rpo, rto, state }: RunSummary): readonly string[] =>
  rto !== null || state === "waiting" || state === "interrupted" || state === "running" ? rpo.flatMap(describeRpo) : [];

/** `db 21m34s of 1h met      312 orders to review: runs/42/lost/orders.csv` */
const describeRpo = (rpo: RpoActual): readonly string[] => {
  const { component, actualMs, units, gaps, directory } = rpo;
  const files = units.flatMap(({ file }) => file ?? []);
  const [only] = files;
  const place = only === undefined ? "" : `: ${files.length === 1 ? only : (directory ?? only)}`;
  const lost = units.length === 0 ? "" : `   ${formatList(units.map(describeUnit))} to review${place}`;
  return [
    actualMs === 0 && units.length === 0
      ? `${component} nothing lost`
      : `${component} ${against(actualMs, rpo)}${lost}`,
    ...gaps.map((gap) => `${component} could not be compared whole: ${gap}`),
  ];
};

/** `db 2 orders, written after the last point: runs/43/lost/orders.csv` */
const describeLeft = ({ component, units, directory }: RunSummary["left"][number]): string => {
  const exported = directory === null ? "not exported" : directory;
  return `${component} ${formatList(units.map(describeUnit))}, written after the last point of the side that was left: ${exported}`;
};

const describeProbe = ({ probe }: RunSummary): readonly string[] =>
  probe?.status === "failed" ? [`${probe.found}: users get a wrong answer from what serves now`] : [];

const describeValidated = ({ restored, checks, invariants, probe }: RunSummary): readonly string[] => {
  const counts = Object.entries(restored.counts).filter(([, count]) => count > 0);
  const asked = [
    ...(checks.passed + checks.failed === 0 ? [] : [passed(checks, "checks")]),
    ...(invariants.passed + invariants.failed === 0 ? [] : [passed(invariants, "invariants")]),
    ...(probe?.status === "passed" ? ["probe"] : []),
  ];
  const data =
    restored.sizeBytes === 0 && counts.length === 0
      ? []
      : [
          `${[formatBytes(restored.sizeBytes), ...counts.map(([unit, count]) => formatAmount(count, unit))].join(", ")} as captured`,
        ];
  const all = [...data, ...(asked.length === 0 ? [] : [asked.join(", ")])];
  return all.length === 0 ? [] : [all.join("; ")];
};

const passed = ({ passed: good, failed }: RunSummary["checks"], plural: string): string =>
  failed === 0 ? formatAmount(good, plural) : `${formatCount(good)} of ${formatAmount(good + failed, plural)}`;

const describeKept = ({ kept, purpose, run }: RunSummary): readonly string[] => {
  if (kept.length === 0) return [];
  const side = purpose === "undo" ? "side that was left" : "old side";
  const names = formatList(
    kept.map(({ component, name }) => `${component} as ${name}`),
    6,
  );
  return [
    `${side}: ${names}`,
    ...(purpose === "undo"
      ? [`not in use any more; refloat commit ${run} drops it for good`]
      : [`refloat undo ${run} puts it back, free of loss until the new side takes its first write`]),
  ];
};

const describeMachine = ({ machineMs, predictedMs, stumbles, state }: RunSummary): readonly string[] => {
  if (state === "running" || state === "waiting") return [];
  const compared = state === "succeeded" || state === "committed" ? ` of ${formatSpan(predictedMs)} predicted` : "";
  const { retries, interruptions, redone, warnings } = stumbles;
  const stumbled = [
    retries === 0 ? "no retries" : formatAmount(retries, "retries"),
    ...(interruptions === 0 ? [] : [`taken up again ${interruptions === 1 ? "once" : `${interruptions} times`}`]),
    ...(redone === 0 ? [] : [`${formatAmount(redone, "steps")} made again`]),
  ];
  return [`${formatSpan(machineMs)}${compared}; ${stumbled.join(", ")}`, ...warnings.map((text) => `warning: ${text}`)];
};

/** Rows that only the old side has: exported as CSV. Files are listed otherwise. */
const hasLostRows = ({ units }: RpoActual): boolean =>
  units.some(({ added, file }) => added > 0 && file?.endsWith(".csv") === true);

const nextCommands = (summary: RunSummary, plan: Plan, { paint, asTyped = (line) => line }: Screen): string => {
  const { run, state, purpose, cutover, service, cutoverBegan, beside, kept, rpo } = summary;
  const { point } = plan.intent;
  const planned = `refloat plan ${service}${point === null ? "" : ` --at ${shortId(point.id)}`}`;
  const commands = ((): readonly string[] => {
    switch (state) {
      case "succeeded":
        if (purpose === "undo") return ["refloat status", ...(kept.length === 0 ? [] : [`refloat commit ${run}`])];
        if (!cutover) return [planned, `refloat cancel ${run}`];
        return [
          `refloat undo ${run}`,
          ...(rpo.some(hasLostRows) ? [`refloat reconcile ${run}`] : []),
          `refloat commit ${run}`,
        ];
      case "committed":
        return ["refloat status"];
      case "failed":
      case "interrupted":
      case "waiting":
      case "needs-operator":
        return cutoverBegan ? [`refloat resume ${run}`] : [`refloat resume ${run}`, `refloat cancel ${run}`];
      case "running":
        return [`refloat runs ${run}`];
      case "undone":
        return beside.length === 0 ? [planned] : [planned, `refloat cancel ${run}`];
      case "cancelled":
        return [planned];
      default:
        return state satisfies never;
    }
  })();
  return `next: ${commands.map((command) => paint("bold", asTyped(command))).join(" | ")}`;
};
