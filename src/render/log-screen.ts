/** The audit log: who did what when, and what its chains prove. */
import type { AuditFinding, AuditProof } from "../core/audit/verify-log.ts";
import type { AuditBacklog } from "../core/ports/audit-log.ts";
import { formatAmount } from "../core/text/quantity.ts";
import type { AuditEntry } from "../model/audit-entry.ts";
import { shortId } from "../model/identifiers.ts";
import type { Json } from "../model/json.ts";
import { formatTime } from "./clock-times.ts";
import { type Screen, type Style, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

export type LogView = AuditProof & { readonly backlog: AuditBacklog };

const shownUnlessAll = 50;

const styleOf = (outcome: string): Style =>
  ["done", "succeeded", "committed", "cancelled"].includes(outcome)
    ? "green"
    : ["begun", "waiting"].includes(outcome)
      ? "dim"
      : "red";

/** @param now ISO 8601 */
export const renderLog = (
  view: LogView,
  options: { readonly now: string; readonly all: boolean; readonly verify: boolean },
  screen: Screen,
): string => {
  const { entries, backlog } = view;
  const told = withoutEndedBegins(entries);
  const shown = options.all ? told : told.slice(-shownUnlessAll);
  const more = told.length - shown.length;
  return lines(
    ...(entries.length === 0 ? ["no entry yet"] : []),
    ...(more > 0 ? [`... ${formatAmount(more, "earlier entries")} (--all)`] : []),
    ...(shown.length === 0 ? [] : table(shown, options.now, screen)),
    ...backlogLines(backlog, screen),
    ...(options.verify || view.findings.length > 0 ? proofLines(view, screen) : []),
    nextLine(screen, view.findings.length === 0 && !options.verify ? "refloat log --verify" : "refloat status"),
  );
};

/** What has an end is told by it; what has none was killed, or goes on. */
const withoutEndedBegins = (entries: readonly AuditEntry[]): readonly AuditEntry[] => {
  const ended = new Set(entries.flatMap(({ writer, ends }) => (ends === null ? [] : [`${writer} ${ends}`])));
  return entries.filter(({ writer, sequence }) => !ended.has(`${writer} ${sequence}`));
};

const table = (entries: readonly AuditEntry[], now: string, screen: Screen): readonly string[] =>
  renderTable(
    [
      { title: "AT" },
      { title: "WHO" },
      { title: "WHAT" },
      { title: "SERVICE" },
      { title: "OUTCOME" },
      { title: "DETAIL", wraps: true },
    ],
    entries.map((entry) => [
      formatTime(entry.at, now, screen.timeZone),
      whoOf(entry),
      entry.action,
      entry.service ?? "",
      { text: entry.outcome === "begun" ? "no end" : entry.outcome, style: styleOf(entry.outcome) },
      detailOf(entry),
    ]),
    screen,
  );

const whoOf = ({ by }: AuditEntry): string =>
  `${by.sudoUser === undefined ? by.user : `${by.sudoUser} as ${by.user}`}@${by.host}`;

const detailOf = ({ detail }: AuditEntry): string =>
  Object.entries(detail)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key} ${wordsOf(value)}`)
    .join(", ");

const wordsOf = (value: Json): string => {
  if (typeof value === "string") return /^[0-9a-f]{64}$/.test(value) ? shortId(value) : value;
  return Array.isArray(value) ? value.map((item: Json) => wordsOf(item)).join(" ") : JSON.stringify(value);
};

const backlogLines = ({ entries, reason, directory }: AuditBacklog, screen: Screen): readonly string[] =>
  entries === 0
    ? []
    : [screen.paint("yellow", `${formatAmount(entries, "entries")} wait in ${directory}: ${reason ?? "unknown"}`)];

const proofLines = ({ chains, findings }: AuditProof, screen: Screen): readonly string[] => [
  "",
  ...chains.map(({ writer, host, entries, head }) =>
    head === null
      ? `chain ${writer.slice(0, 8)} of ${host}: ${formatAmount(entries, "entries")}, proven up to none`
      : `chain ${writer.slice(0, 8)} of ${host}: ${formatAmount(entries, "entries")}, proven up to entry ${head.sequence}, ${head.hash}`,
  ),
  ...findings.map((finding) => screen.paint(finding.severity === "error" ? "red" : "yellow", findingLine(finding))),
  ...(findings.some(({ severity }) => severity === "error")
    ? []
    : [screen.paint("green", "the log is whole: every entry follows the one before it")]),
];

const findingLine = ({ severity, kind, message }: AuditFinding): string =>
  `${severity === "error" ? "BROKEN" : "note"}  ${kind}: ${message}`;
