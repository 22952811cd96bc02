/** What `ready` found: one line for each area that is well, one for each check that is not, with what to do about it. */
import { formatAmount } from "../core/text/quantity.ts";
import { formatDuration } from "../core/time/duration.ts";
import type { ReadyCheck, ReadyLevel, Readiness } from "../model/readiness.ts";
import { formatTime, zoneName } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, type Style, asTypedOn, lines, nextLine } from "./screen.ts";

const words: Record<ReadyLevel, { readonly text: string; readonly style: Style }> = {
  ok: { text: "ok", style: "green" },
  warning: { text: "warning", style: "yellow" },
  "not-ready": { text: "NOT READY", style: "red" },
};

const labelWidth = "NOT READY".length + 2;

export const renderReadiness = (readiness: Readiness, screen: Screen): string => {
  const { checks } = readiness;
  const areas = [...new Set(checks.map(({ area }) => area))];
  const areaWidth = Math.min(20, Math.max(...areas.map((area) => area.length))) + 2;
  const line = (level: ReadyLevel, area: string, text: string): readonly string[] => {
    const word = words[level];
    const label = word.text.padEnd(labelWidth);
    return hanging(`${label}${area.padEnd(areaWidth)}`, text, screen).map((one, index) =>
      index === 0 ? screen.paint(word.style, label) + one.slice(label.length) : one,
    );
  };
  const indent = " ".repeat(labelWidth + areaWidth);
  const told = ({ level, area, subject, found, hint, nextCommand }: ReadyCheck): readonly string[] => [
    ...line(level, area, saysItself(area, subject, found) ? found : `${subject}: ${found}`),
    ...(hint === undefined ? [] : hanging(`${indent}hint: `, hint, screen)),
    // Uncut, as it is to be copied.
    ...(nextCommand === undefined ? [] : [`${indent}next: ${screen.paint("bold", asTypedOn(screen, nextCommand))}`]),
  ];
  return lines(
    headline(readiness, screen),
    areas.flatMap((area) => {
      const own = checks.filter((check) => check.area === area);
      const well = own.filter(({ level }) => level === "ok");
      return [
        ...(well.length === 0 ? [] : line("ok", area, summaryOf(well))),
        ...own.filter(({ level }) => level !== "ok").flatMap(told),
      ];
    }),
    nextLine(screen, nextCommandOf(readiness)),
  );
};

/** The names of checks whose words speak for themselves. */
const subjectSaysNothing: ReadonlySet<string> = new Set([
  "freshness",
  "schedule",
  "verified",
  "incident",
  "data",
  "keys",
  "opens",
  "secrets",
  "last recovery",
]);

const saysItself = (area: string, subject: string, found: string): boolean =>
  area === "plan" || found.includes(subject) || subjectSaysNothing.has(subject);

/** Of one area what is well is one line: of the drivers' many answers the first says who answered. */
const summaryOf = (well: readonly ReadyCheck[]): string => {
  const spoken = well.filter(
    ({ area, subject }) => area === "plan" || subjectSaysNothing.has(subject) || subject === "checks",
  );
  if (spoken.length === well.length) return spoken.map(({ found }) => found).join("; ");
  const [first] = well;
  const rest = well.length - 1;
  return `${first?.found ?? ""}${rest === 0 ? "" : `; ${formatAmount(rest, "more checks")} ok`}`;
};

const headline = ({ service, at, ready, checks, predictedMs }: Readiness, screen: Screen): string => {
  const clock = `${formatTime(at, at, screen.timeZone)} ${zoneName(at, screen.timeZone)}`;
  const count = (level: ReadyLevel): number => checks.filter((check) => check.level === level).length;
  const warnings = count("warning");
  const word = ready ? screen.paint("green", "IS READY") : screen.paint("red", "IS NOT READY");
  const told = [
    ...(ready ? [] : [`${formatAmount(count("not-ready"), "checks")} against it`]),
    ...(warnings === 0 ? [] : [formatAmount(warnings, "warnings")]),
    ...(predictedMs === null ? [] : [`about ${formatDuration(predictedMs)}`]),
  ];
  return `${service.toUpperCase()} ${word}  ${clock}${told.length === 0 ? "" : `, ${told.join(", ")}`}`;
};

const nextCommandOf = ({ service, ready, checks }: Readiness): string => {
  const advised = checks.find(({ level, nextCommand }) => level === "not-ready" && nextCommand !== undefined);
  if (!ready) return advised?.nextCommand ?? `refloat validate --live ${service}`;
  return (
    checks.find(({ level, nextCommand }) => level === "warning" && nextCommand !== undefined)?.nextCommand ??
    `refloat plan ${service}`
  );
};
