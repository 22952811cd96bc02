/** What putting rows back would do: how much differs, a few rows of it, what fires, where the SQL lies. */
import { formatAmount, formatCount } from "../core/text/quantity.ts";
import { showName } from "../core/text/shown-name.ts";
import { type LeftOut, type MendDirection, type MendedTable, type MendProposal, rowsPutBack } from "../model/mend.ts";
import { cutText } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";

export type MendOnScreen = {
  readonly service: string;
  readonly component: string;
  readonly proposal: MendProposal;
};

/** `4c1e90ab`: as it is typed. */
export const shortDigest = (digest: string): string => digest.slice(0, 8);

const widestValue = 40;

/** As it is shown. */
export const shownValue = (text: string | null): string =>
  text === null ? "null" : cutText(showName(Buffer.from(text)), widestValue);

/** Keys are bytes, and come as they are typed: shown once more, each backslash would be two. */
const shownFor = (unit: string, text: string | null): string =>
  unit === "keys" && text !== null ? cutText(text, widestValue) : shownValue(text);

const sampleLine = (
  { kind, key, columns }: MendedTable["samples"][number],
  direction: MendDirection,
  unit: string,
): string => {
  const shown = (text: string | null): string => shownFor(unit, text);
  const id = Object.entries(key)
    .map(([name, text]) => `${name} ${shown(text)}`)
    .join(", ");
  const differing = columns.slice(0, 4).map(({ name, point, live }) => {
    const [from, to] = direction === "mend" ? [live, point] : [point, live];
    return kind === "gone" ? `${name} ${shown(point)}` : `${name} ${shown(from)} > ${shown(to)}`;
  });
  const more =
    columns.length > differing.length ? `, ${formatCount(columns.length - differing.length)} more columns` : "";
  const sign = kind === "changed" ? "*" : direction === "mend" ? "+" : "-";
  return `${sign} ${id}: ${differing.join(", ")}${more}`;
};

const unitOf = ({ unit }: MendProposal): string => unit ?? "rows";

const countsLine = ({ name, equal, changed, gone, newer, made }: MendedTable): string => {
  if (made) return `${name}: dropped`;
  const words = [
    `${formatCount(changed)} differ`,
    ...(gone === 0 ? [] : [`${formatCount(gone)} gone`]),
    ...(newer === 0 ? [] : [`${formatCount(newer)} newer, left alone`]),
    `${formatCount(equal)} equal`,
  ];
  return `${name}: ${words.join(", ")}`;
};

const putsLine = ({ puts, columns, asked, made }: MendedTable, unit: string): string => {
  if (made) return `  made again with ${formatAmount(puts.gone, "rows")}`;
  const by = columns.map(({ name, rows, mostly }) => {
    const now = mostly.rows === rows && rows > 1 ? ` (${shownValue(mostly.value)} in all of them)` : "";
    return `${columns.length === 1 ? name : `${name} in ${formatCount(rows)}`}${now}`;
  });
  const parts = [
    ...(puts.changed === 0
      ? []
      : [`${formatAmount(puts.changed, unit)} ${puts.changed === 1 ? "gets" : "get"} back ${by.join(", ")}`]),
    ...(puts.gone === 0 ? [] : [`${formatAmount(puts.gone, unit)} ${puts.gone === 1 ? "comes" : "come"} back`]),
  ];
  const why = asked ? "" : ", which rows that come back refer to";
  return `  ${parts.length === 0 ? "nothing to put back" : parts.join(", ")}${why}`;
};

const sampleLines = (table: MendedTable, direction: MendDirection, unit: string, screen: Screen): readonly string[] => {
  const left = table.puts.changed + table.puts.gone - table.samples.length;
  const goneStyle = direction === "mend" ? "green" : "red";
  return [
    ...table.samples.map((sample) =>
      screen.paint(
        sample.kind === "gone" ? goneStyle : "yellow",
        cutText(`  ${sampleLine(sample, direction, unit)}`, screen.width),
      ),
    ),
    ...(left > 0 ? [`  ... ${formatCount(left)} more in the script`] : []),
  ];
};

const tableLines = (table: MendedTable, unit: string, screen: Screen): readonly string[] => [
  screen.paint("bold", countsLine(table)),
  putsLine(table, unit),
  ...sampleLines(table, "mend", unit, screen),
];

const takenBackLine = ({ name, puts, made }: MendedTable, unit: string): string => {
  if (made) return `${name}: dropped again, with ${formatAmount(puts.gone, "rows")}`;
  const parts = [
    ...(puts.changed === 0 ? [] : [`${formatAmount(puts.changed, unit)} as they were before`]),
    ...(puts.gone === 0 ? [] : [`${formatAmount(puts.gone, unit)} that came back are deleted again`]),
  ];
  return `${name}: ${parts.length === 0 ? "nothing to take back" : parts.join(", ")}`;
};

const triggerLine = ({ tables, fireTriggers, quietsTriggers }: MendProposal): string | null => {
  const triggers = tables.flatMap((table) => table.triggers);
  if (triggers.length === 0) return null;
  return fireTriggers
    ? `FIRES    ${triggers.join("; ")}${quietsTriggers ? " (--no-triggers keeps them quiet)" : ""}`
    : `QUIET    ${triggers.join("; ")}`;
};

/** `12 rows of mails stay out: mails has no primary key: ...`, and where they are. */
const leftOutLines = ({ table, rows, why, file }: LeftOut, { paint }: Screen): readonly string[] => [
  paint(
    "yellow",
    `LEFT OUT ${rows === null ? `rows of ${table}` : `${formatAmount(rows, "rows")} of ${table}`} stay out: ${why}`,
  ),
  ...(file === null ? [] : [`         as CSV: ${file}`]),
];

const placeOf = ({ service, component, proposal: { database } }: MendOnScreen): string =>
  database === null ? `${service}, ${component}` : `${service}, ${component}, database ${database}`;

export const renderProposal = (mend: MendOnScreen, screen: Screen): string => {
  const { proposal } = mend;
  return lines(
    screen.paint("bold", `Mend ${placeOf(mend)}, from ${proposal.source}`),
    proposal.tables.flatMap((table) => tableLines(table, unitOf(proposal), screen)),
    triggerLine(proposal),
    proposal.leftOut.flatMap((left) => leftOutLines(left, screen)),
    proposal.warnings.map((warning) => screen.paint("yellow", `WARNING  ${warning}`)),
    proposal.script === null ? null : `SCRIPT   ${proposal.script}`,
    proposal.undo === null ? null : `UNDO     ${proposal.undo}`,
  );
};

export const renderTakingBack = (mend: MendOnScreen, screen: Screen): string => {
  const { proposal } = mend;
  return lines(
    screen.paint("bold", `Take back in ${placeOf(mend)}, what came from ${proposal.source}`),
    proposal.tables.flatMap((table) => [
      screen.paint("bold", takenBackLine(table, unitOf(proposal))),
      ...sampleLines(table, "undo", unitOf(proposal), screen),
    ]),
    proposal.tables.every(({ triggers }) => triggers.length === 0)
      ? null
      : proposal.fireTriggers
        ? "FIRES    the tables' own triggers of updates and deletions"
        : triggerLine(proposal),
    proposal.undo === null ? null : `SCRIPT   ${proposal.undo}`,
  );
};

export const renderNothingToMend = ({ service }: MendOnScreen, screen: Screen): string =>
  lines("nothing was changed: there is nothing to put back", nextLine(screen, `refloat points ${service}`));

export const renderMended = (
  { service, component, proposal }: MendOnScreen,
  direction: MendDirection,
  screen: Screen,
): string => {
  const rows = formatAmount(rowsPutBack(proposal), unitOf(proposal));
  const digest = shortDigest(proposal.digest);
  return direction === "mend"
    ? lines(
        screen.paint("green", `${rows} of ${service} ${component} are as ${proposal.source} has them`),
        nextLine(screen, `refloat mend ${service} --undo ${digest}`),
      )
    : lines(
        screen.paint("green", `${rows} of ${service} ${component} are as they were before`),
        nextLine(screen, `refloat mend ${service} --proposal ${digest}`),
      );
};
