/** What a prune will let go and why each point stays, before it does; and what became of it. */
import type { PruneForecast, PruneReport } from "../core/ports/vault-pruning.ts";
import type { Unreadable } from "../core/ports/vault-snapshots.ts";
import type { KeepReason, RetentionDecision } from "../core/retention/decide-retention.ts";
import { type LogDecision, logFates } from "../core/retention/log-lifetimes.ts";
import type { LogRetention } from "../core/retention/vault-logs.ts";
import { formatAmount, formatBytes, formatList } from "../core/text/quantity.ts";
import { shortId } from "../model/identifiers.ts";
import { formatDay, formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

export type PrunePlanScreenData = {
  readonly services: readonly (RetentionDecision & { readonly service: string })[];
  readonly unreadable: readonly Unreadable[];
  /** Members of captures that were killed, and of points whose removal was. */
  readonly strays: number;
  readonly runCopies: readonly {
    readonly why: "superseded" | "ended";
    /** ISO 8601; null for one that goes. */
    readonly lockedUntil: string | null;
  }[];
  readonly logs: readonly LogRetention[];
  readonly forecast: PruneForecast;
  /** ISO 8601. */
  readonly now: string;
};

const describeReason = (reason: KeepReason, now: string, { timeZone }: Screen): string => {
  switch (reason.kind) {
    case "bucket":
      return `${reason.bucket} ${reason.place} of ${reason.of}`;
    case "newest":
      return "newest";
    case "last-good":
      return "the last one whose checks passed";
    case "locked":
      return `locked until ${formatDay(reason.until, now, timeZone)}`;
    case "held":
      return `held: ${reason.reason}`;
    case "tagged":
      return `tag ${reason.tag}`;
    case "needed":
      return `needed: run ${reason.run} is not committed`;
    case "window":
      return `the log of ${reason.component} goes on from it`;
    case "member":
      return `${formatList(reason.components)} of point ${shortId(reason.point)}`;
    case "incident":
      return `an incident is open since ${formatTime(reason.since, now, timeZone)}`;
    case "future":
      return "taken in the future, by this clock";
    case "no-policy":
      return "no keep: is declared";
    default:
      return reason satisfies never;
  }
};

export const describeDoubt = (doubt: NonNullable<RetentionDecision["doubt"]>, now: string, { timeZone }: Screen) =>
  doubt.kind === "future"
    ? `a point was taken at ${formatTime(doubt.at, now, timeZone)}, later than it is now`
    : `nothing was taken between ${formatTime(doubt.from, now, timeZone)} and ${formatTime(doubt.to, now, timeZone)}, and what is older would go`;

export const renderPrunePlan = (data: PrunePlanScreenData, screen: Screen): string => {
  const { services, unreadable, strays, forecast, now } = data;
  const { usedBytes, unusedBytes, repackBytes, repackFreesBytes, toleratedBytes } = forecast;
  return lines(
    services.flatMap((service) => describeService(service, now, screen)),
    unreadable.map(
      ({ id, reason }) => `${screen.paint("yellow", shortId(id))}  unreadable: never expired by itself (${reason})`,
    ),
    strays === 0 ? null : `${formatAmount(strays, "snapshots")} of captures that were killed go as well`,
    describeRunCopies(data.runCopies),
    describeLogs(data.logs, now, screen),
    hanging(
      "",
      `${formatBytes(unusedBytes + repackFreesBytes)} can be given back: ${formatBytes(unusedBytes)} in packs that nothing uses, ` +
        `${formatBytes(repackFreesBytes)} by copying ${formatBytes(repackBytes)} out of packs that are little used. ` +
        `${formatBytes(usedBytes)} are used, ${formatBytes(toleratedBytes)} unused are left among them`,
      screen,
    ),
  );
};

const describeRunCopies = (copies: PrunePlanScreenData["runCopies"]): readonly string[] => {
  const going = copies.filter(({ lockedUntil }) => lockedUntil === null);
  const ended = going.filter(({ why }) => why === "ended").length;
  const locked = copies.length - going.length;
  return [
    ...(ended === 0 ? [] : [`${formatAmount(ended, "runs")} that ended more than 90 days ago: their last copies go`]),
    ...(going.length === ended
      ? []
      : [
          `${formatAmount(going.length - ended, "copies")} of runs, older than 90 days and superseded by later ones, go`,
        ]),
    ...(locked === 0 ? [] : [`${formatAmount(locked, "copies")} of runs, as old, stay: the store holds their locks`]),
  ];
};

const describeLogs = (logs: readonly LogRetention[], now: string, screen: Screen): readonly string[] => {
  const time = (instant: string): string => formatTime(instant, now, screen.timeZone);
  const locked = logs.filter(({ lockedUntil }) => lockedUntil !== null).length;
  const twice = logs.filter(({ verdict, lockedUntil }) => verdict === "twice" && lockedUntil === null).length;
  return [
    ...logFates(logs.filter(({ verdict }) => verdict !== "twice")).flatMap(
      ({ service, component, fromAt, toAt, verdict, reason }) =>
        hanging(
          `log of ${service}/${component}  `,
          `${time(fromAt)} to ${time(toAt)} ${verdict === "keep" ? "stays" : screen.paint("yellow", "goes")}: ${describeLogReason(reason, time)}`,
          screen,
        ),
    ),
    ...(twice === 0 ? [] : [`${formatAmount(twice, "pieces")} of logs that are there twice go`]),
    ...(locked === 0
      ? []
      : [`${formatAmount(locked, "pieces")} of logs that would go stay: the store holds their locks`]),
  ];
};

const describeLogReason = (reason: LogDecision["reason"], time: (instant: string) => string): string => {
  switch (reason?.kind) {
    case undefined:
      return "no point that is kept goes on by it";
    case "point":
      return `point ${shortId(reason.point)}, ${time(reason.at)}, goes on by it`;
    case "incident":
      return `an incident is open since ${time(reason.since)}`;
    case "run":
      return `needed: run ${reason.run} is not finished`;
    case "no-policy":
      return "no keep: is declared";
    case "doubt":
      return "nothing expires while a point cannot be read or the clock is in doubt";
    case "no-point":
      return "no point of it is there yet";
    default:
      return reason satisfies never;
  }
};

const describeService = (
  { service, points, doubt }: PrunePlanScreenData["services"][number],
  now: string,
  screen: Screen,
): readonly string[] => {
  const going = points.filter(({ verdict }) => verdict === "expire").length;
  const verdict = going === 0 ? "nothing expires" : `${formatAmount(going, "points")} of ${points.length} expire`;
  return [
    `${screen.paint("bold", service)}  ${verdict}`,
    ...(doubt === null
      ? []
      : [screen.paint("red", `  THE CLOCK SEEMS WRONG: ${describeDoubt(doubt, now, screen)}; nothing expires`)]),
    ...renderTable(
      [{ title: "POINT" }, { title: "TAKEN" }, { title: "VERDICT" }, { title: "WHY", wraps: true }],
      points.map(({ point, verdict: decided, reasons }) => [
        shortId(point.id),
        formatTime(point.manifest.consistentAt, now, screen.timeZone),
        { text: decided, style: decided === "keep" ? "green" : "yellow" },
        reasons.length === 0
          ? "no rule keeps it"
          : reasons.map((reason) => describeReason(reason, now, screen)).join(", "),
      ]),
      screen,
    ),
  ];
};

export type PruneResultScreenData = {
  readonly expired: readonly string[];
  readonly refused: readonly { readonly id: string; readonly reason: string }[];
  readonly report: PruneReport;
  readonly now: string;
};

export const renderPruneResult = ({ expired, refused, report, now }: PruneResultScreenData, screen: Screen): string => {
  const {
    removedPacks,
    freedBytes,
    hiddenBytes,
    waitingBytes,
    waitsFor,
    waitsUntil,
    recoveredPacks,
    sweptTemporaries,
  } = report;
  const held = [...refused.map(({ reason }) => reason), ...report.refused.map(({ reason }) => reason)];
  const until = waitsUntil === null ? null : `until ${formatTime(waitsUntil, now, screen.timeZone)}`;
  const why = [...(waitsFor.length === 0 ? [] : [`for ${formatList(waitsFor)}`]), ...(until === null ? [] : [until])];
  return lines(
    `${formatAmount(expired.length, "points")} expired, ${formatBytes(freedBytes)} given back (${formatAmount(removedPacks, "packs")})`,
    hiddenBytes === 0
      ? null
      : hanging(
          "",
          `${formatBytes(hiddenBytes)} more are hidden: the bucket keeps versions, until a lifecycle rule takes them away`,
          screen,
        ),
    waitingBytes === 0
      ? null
      : `${formatBytes(waitingBytes)} more are unused and wait${why.length === 0 ? " for the next prune" : ` ${why.join(" and ")}`}`,
    recoveredPacks === 0 ? null : `${formatAmount(recoveredPacks, "packs")} are in use again and stay`,
    sweptTemporaries === 0 ? null : `${formatAmount(sweptTemporaries, "files")} of killed processes removed`,
    held.length === 0
      ? null
      : hanging(
          screen.paint("yellow", "kept by the store: "),
          `${formatAmount(held.length, "files")}, such as: ${held[0] ?? ""}`,
          screen,
        ),
    nextLine(screen, waitingBytes > 0 ? "refloat vault prune" : "refloat status"),
  );
};
