/** Would the target take it: room, ports, what it ran on, and how long it would take? Pure; over what was looked at for a plan. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { FingerprintDifference } from "../../model/fingerprint.ts";
import type { Plan, SpaceForecast } from "../../model/plan.ts";
import type { ReadyCheck } from "../../model/readiness.ts";
import { remedyHint, remedyOf } from "../components/settled-differences.ts";
import type { Look } from "../components/look-at-components.ts";
import type { PreflightReport } from "../ports/driver.ts";
import { formatAmount, formatBytes, formatList } from "../text/quantity.ts";
import { formatDuration, parseDuration } from "../time/duration.ts";

/** Told by the checks below, or by those of the point, in their own words. */
const toldElsewhere: ReadonlySet<string> = new Set([
  "fingerprint.missing",
  "fingerprint.differs",
  "point.checks-failed",
]);

/** What a driver found. What is not there now (a dropped database) is what a recovery makes again, and no reason against it. */
export const judgePreflight = (area: string, { findings }: PreflightReport, present: boolean): readonly ReadyCheck[] =>
  findings.map(({ ok, subject, found, hint, nextCommand, only }) => {
    const advice = { ...(hint === undefined ? {} : { hint }), ...(nextCommand === undefined ? {} : { nextCommand }) };
    if (ok) return { area, subject, level: "ok", found };
    if (!present)
      return { area, subject, level: "warning", found: `${found}; it is not there now, and a recovery makes it again` };
    if (only === "capture")
      return { area, subject, level: "warning", found: `${found}: a capture would stop`, ...advice };
    return { area, subject, level: "not-ready", found, ...advice };
  });

const describeDifference = (difference: FingerprintDifference): string => {
  const { subject, captured, target, severity } = difference;
  const here = severity === "missing" ? "not found here" : `here ${target ?? "none"}`;
  return `${subject} ${captured}, ${here}${remedyOf(difference)}`;
};

export const judgeFingerprint = (
  area: string,
  differences: readonly FingerprintDifference[] | null,
): readonly ReadyCheck[] => {
  if (differences === null) return [];
  const base = { area, subject: "fingerprint" };
  if (differences.length === 0) return [{ ...base, level: "ok", found: "this machine has what it was captured on" }];
  const isStopping = ({ stops, settledBy }: FingerprintDifference): boolean =>
    stops === true && settledBy === undefined;
  const stopping = differences.filter(isStopping);
  const others = differences.filter((one) => !isStopping(one));
  const told = (level: ReadyCheck["level"], ones: readonly FingerprintDifference[]): readonly ReadyCheck[] => {
    if (ones.length === 0) return [];
    const hint = remedyHint(area, ones);
    const found = `captured with ${formatList(ones.map(describeDifference))}`;
    return [{ ...base, level, found, ...(hint === null ? {} : { hint }) }];
  };
  return [...told("not-ready", stopping), ...told("warning", others)];
};

export const judgePorts = (area: string, live: Look["components"][string] | undefined): readonly ReadyCheck[] => {
  if (live?.capabilities.hasRuntime !== true || live.unseen !== undefined) return [];
  const base = { area, subject: "ports" };
  return live.freePort === null
    ? [
        {
          ...base,
          level: "warning",
          found: "none is free: the live one must stop before the recovered one can be tried",
          hint: "declare a second port, such as ports: 8081-8082",
        },
      ]
    : [{ ...base, level: "ok", found: `${live.freePort} is free for the recovered one` }];
};

export const judgeSpace = (space: readonly SpaceForecast[]): readonly ReadyCheck[] =>
  space.map(({ fileSystem, neededBytes, freeBytes, components }) => {
    const base = { area: "space", subject: fileSystem };
    const found = `${fileSystem} needs ${formatBytes(neededBytes)} for ${formatList(components)}, ${formatBytes(freeBytes)} free`;
    if (neededBytes > freeBytes)
      return { ...base, level: "not-ready", found, hint: "make room, or recover in parts: --only" };
    // Both sides stand beside each other until the commit, and the service goes on writing.
    if (neededBytes > freeBytes * 0.8)
      return { ...base, level: "warning", found: `${found}: less than a fifth would be left` };
    return { ...base, level: "ok", found };
  });

export const judgePlan = ({ intent, forecast }: Plan, service: ServiceDeclaration): readonly ReadyCheck[] => {
  const { likely, runs } = forecast.totalMs;
  const { rto } = service.objectives;
  const rtoMs = rto === undefined ? undefined : parseDuration(rto);
  const known = runs === 0 ? "no run to go by" : `by ${formatAmount(runs, "runs")}`;
  const found = `${formatAmount(intent.steps.length, "steps")}, predicted ${formatDuration(likely)}${rto === undefined ? "; no rto is declared" : ` of ${rto} (rto)`}, ${known}`;
  const late = rtoMs !== undefined && likely > rtoMs;
  const base = { area: "plan", subject: "duration" };
  const duration: ReadyCheck = late
    ? { ...base, level: runs === 0 ? "warning" : "not-ready", found, nextCommand: `refloat plan ${service.name}` }
    : { ...base, level: "ok", found };
  return [
    duration,
    ...forecast.warnings
      .filter(({ code }) => !toldElsewhere.has(code))
      .map(({ code, message }): ReadyCheck => ({ area: "plan", subject: code, level: "warning", found: message })),
  ];
};
