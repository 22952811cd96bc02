/** A run in words, for the report on a screen and for the page: how it ended, why, what was lost, validated, kept. */
import { describeUnit } from "../core/run/describe-unit.ts";
import { type RpoActual, exportsOf } from "../core/run/lost-writes.ts";
import type { Objective } from "../core/run/objective.ts";
import type { RunSummary } from "../core/run/run-summary.ts";
import { formatAmount, formatBytes, formatCount, formatList } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import { shortId } from "../model/identifiers.ts";
import type { Json } from "../model/json.ts";
import type { Plan } from "../model/plan.ts";
import type { RunState } from "../model/run.ts";
import { formatSpan } from "./clock-times.ts";
import type { Style } from "./screen.ts";

type Ending = { readonly text: string; readonly style: Style };

const endings = (summary: RunSummary): Record<RunState, Ending> => {
  const service = summary.service.toUpperCase();
  const undo = summary.purpose === "undo";
  const back: Ending =
    summary.emptied.length > 0
      ? {
          text: `${service} IS UNDONE: NOTHING STANDS BEHIND ${formatList(summary.emptied).toUpperCase()}`,
          style: "red",
        }
      : { text: undo ? `${service} IS BACK ON ITS OLD SIDE` : `${service} IS BACK`, style: "green" };
  return {
    succeeded: !summary.cutover ? { text: `${service} IS RESTORED BESIDE LIVE`, style: "green" } : back,
    committed: back,
    failed: { text: `${service} WAS NOT RECOVERED`, style: "red" },
    undone: { text: "CUTOVER UNDONE", style: "red" },
    "needs-operator": { text: `${service} NEEDS A PERSON`, style: "red" },
    cancelled: { text: "CANCELLED", style: "yellow" },
    interrupted: { text: "INTERRUPTED", style: "yellow" },
    waiting: {
      text: summary.message?.startsWith("paused by ") === true ? "PAUSED" : "WAITS FOR AN ANSWER",
      style: "yellow",
    },
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

export const ending = (summary: RunSummary): Ending => endings(summary)[summary.state];

/** What was followed and, where the name of the state does not say it, what users see now. */
export const followed = (summary: RunSummary, plan: Plan): string => {
  const { point, undoes } = plan.intent;
  const [edit] = summary.stumbles.edits;
  const made = edit === undefined ? "" : `, edited from ${shortId(edit.before)},`;
  const what =
    undoes !== null
      ? `Run ${undoes.run} is undone by plan ${shortId(summary.digest)}`
      : plan.intent.failback !== undefined
        ? `Home from run ${plan.intent.failback.run} by plan ${shortId(summary.digest)}`
        : point === null
          ? `Plan ${shortId(summary.digest)}`
          : `Point ${shortId(point.id)}, plan ${shortId(summary.digest)}${made} followed`;
  const live = liveIs(summary);
  const served = summary.state === "succeeded" || summary.state === "committed";
  return served && live === "" ? what : served ? `${what}. ${live}` : live;
};

export const reasonLabel = ({ state, failures, message }: RunSummary): string => {
  if (state === "waiting") return message?.startsWith("paused by ") === true ? "Held" : "Asks";
  if (state === "needs-operator") return "Needs you";
  // It had succeeded: a run of its own has put the old side back.
  if (state === "cancelled" && failures.length === 0) return "Because";
  return state === "undone" && failures.length === 0 ? "Undone" : "Failed";
};

export const reasons = ({ failures: failed, state, message }: RunSummary): readonly string[] => {
  const told = failed.flatMap(({ title, code, message: why, hint }) => [
    `${title} (${code}): ${why}`,
    ...(hint === null ? [] : [`hint: ${hint}`]),
  ]);
  if (told.length > 0) return told;
  return message !== null && state !== "succeeded" && state !== "committed" ? [message] : [];
};

/** `1h51m39s of 15m MISSED` */
export const against = (actualMs: number, { objectiveMs, met }: Objective): string => {
  const of = objectiveMs === null ? "" : ` of ${formatDuration(objectiveMs)}`;
  return `${formatSpan(actualMs)}${of}${met === null ? "" : met ? " met" : " MISSED"}`;
};

export const phaseWords: Record<RunSummary["phases"][number]["phase"], string> = {
  notice: "noticed and decided",
  restore: "restore",
  validate: "check",
  decide: "approve",
  cutover: "cut over",
  prove: "probe",
};

/** A run that changed nothing live has lost nothing: what it would lose matters only while it may still go on. */
export const describeLosses = ({ rpo, rto, state }: RunSummary): readonly string[] =>
  rto !== null || state === "waiting" || state === "interrupted" || state === "running" ? rpo.flatMap(describeRpo) : [];

/** `db 21m34s of 1h met      312 orders to review: runs/42/lost/orders.csv` */
const describeRpo = (rpo: RpoActual): readonly string[] => {
  const { component, actualMs, atMost, units, gaps, directory } = rpo;
  const files = units.flatMap(exportsOf);
  const [only] = files;
  const place = only === undefined ? "" : `: ${files.length === 1 ? only : (directory ?? only)}`;
  const lost = units.length === 0 ? "" : `   ${formatList(units.map((unit) => describeUnit(unit)))} to review${place}`;
  return [
    actualMs === 0 && units.length === 0 && gaps.length === 0
      ? `${component} nothing lost`
      : `${component} ${atMost ? "at most " : ""}${against(actualMs, rpo)}${lost}`,
    ...describeByHand(rpo),
    ...gaps.map((gap) => `${component} could not be compared whole: ${gap}`),
  ];
};

/** `db 12 mails are put back by no reconcile: runs/42/lost/mails.csv` */
const describeByHand = ({ component, units }: RpoActual): readonly string[] =>
  units
    .filter(({ byHand }) => byHand)
    .map(
      (unit) =>
        `${component} ${describeUnit({ ...unit, changed: 0, removed: 0 })}: put back by no reconcile, and gone with commit but for ${unit.file ?? "no file"}`,
    );

/** `db 2 orders, written after the last point: runs/43/lost/orders.csv` */
export const describeLeft = (
  { component, units, directory }: RunSummary["left"][number],
  { purpose }: Pick<RunSummary, "purpose">,
): string => {
  const exported = directory === null ? "not exported" : directory;
  const since =
    purpose === "undo"
      ? "written after the last point of the side that was left"
      : "only in the old side here, from before users left it";
  return `${component} ${formatList(units.map((unit) => describeUnit(unit)))}, ${since}: ${exported}`;
};

/** `mail, which shop uses: http: ...: refused` */
export const describeUnanswered = ({ component, usedBy, found }: RunSummary["unanswered"][number]): string =>
  `${component}, which ${formatList(usedBy)} ${usedBy.length === 1 ? "uses" : "use"}: ${found}`;

export const describeValidated = ({ restored, checks, invariants, probe }: RunSummary): readonly string[] => {
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

/** The old side of a failback is the one elsewhere; what stood here before is kept as well. */
const describeKeptAway = ({ kept, keptAway, run }: RunSummary): readonly string[] => {
  const named = (sides: RunSummary["kept"]): string =>
    formatList(
      sides.map(({ component, name }) => `${component} as ${name}`),
      6,
    );
  return [
    `side elsewhere, closed: ${named(keptAway)}`,
    ...(kept.length === 0 ? [] : [`old side here: ${named(kept)}`]),
    `refloat undo ${run} goes back there, free of loss until the side here takes its first write; refloat commit ${run} drops both`,
  ];
};

export const describeKept = (summary: RunSummary): readonly string[] => {
  const { kept, keptAway, purpose, run } = summary;
  if (keptAway.length > 0) return describeKeptAway(summary);
  if (kept.length === 0) return [];
  const unfit = kept.filter((one) => one.unfit !== undefined);
  const side = purpose === "undo" ? "side that was left" : "old side";
  const names = formatList(
    kept.map(({ component, name }) => `${component} as ${name}`),
    6,
  );
  return [
    `${side}: ${names}`,
    ...(purpose === "undo"
      ? [`not in use any more; refloat commit ${run} drops it for good`]
      : unfit.length === 0
        ? [`refloat undo ${run} puts it back, free of loss until the new side takes its first write`]
        : [
            ...unfit.map(({ component, unfit: why }) => `${component} cannot serve again: ${why}`),
            "an undo would be refused: it is kept for its files",
          ]),
  ];
};

export const describeBeside = ({ beside }: RunSummary): readonly string[] =>
  beside.map(
    ({ component, name, unsure, restored }) =>
      `restored ${component}, ${name}: ${unsure ? "its switch has begun and has not ended, so it may be what serves" : "not in use"}${restored === null ? "" : `; ${restored}`}`,
  );

/** `restore:db timeout 6h, was its default: anna, the disk is slow tonight` */
export const describeEdits = ({ stumbles }: RunSummary): readonly string[] =>
  stumbles.edits.map(
    ({ step, field, from, to, by, reason }) =>
      `${step} ${field} ${editValue(to)}, was ${editValue(from)}: ${by}, ${reason}`,
  );

export const editValue = (value: Json): string =>
  value === null ? "its default" : typeof value === "string" ? value : JSON.stringify(value);

export const describeMachine = ({ machineMs, predictedMs, stumbles, state }: RunSummary): readonly string[] => {
  if (state === "running" || state === "waiting") return [];
  const compared = state === "succeeded" || state === "committed" ? ` of ${formatSpan(predictedMs)} predicted` : "";
  const { retries, interruptions, redone, edits, warnings } = stumbles;
  const stumbled = [
    retries === 0 ? "no retries" : formatAmount(retries, "retries"),
    ...(interruptions === 0 ? [] : [`taken up again ${interruptions === 1 ? "once" : `${interruptions} times`}`]),
    ...(redone === 0 ? [] : [`${formatAmount(redone, "steps")} made again`]),
    ...(edits.length === 0 ? [] : [`plan edited ${edits.length === 1 ? "once" : `${edits.length} times`}`]),
  ];
  return [`${formatSpan(machineMs)}${compared}; ${stumbled.join(", ")}`, ...warnings.map((text) => `warning: ${text}`)];
};

/** How what was recovered belongs together: `aligned within 12ms: markers in 2 logs, placed while the service was held`; null for one part alone. */
export const describeTogether = ({ forecast: { consistency } }: Plan): string | null =>
  consistency === undefined || consistency.mode === "single"
    ? null
    : `${consistency.mode} within ${formatDuration(consistency.windowMs)}: ${consistency.why}`;
