/** What is damaged, and what would mend it: the answer before anybody decides. */
import { formatAmount, formatCount, formatList } from "../core/text/quantity.ts";
import { showName } from "../core/text/shown-name.ts";
import { formatDuration } from "../core/time/duration.ts";
import type { AssessedComponent, AssessedTable, Cure } from "../model/assessment.ts";
import { shortId } from "../model/identifiers.ts";
import type { RecoveryPoint } from "../model/manifest.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import { formatTime } from "./clock-times.ts";
import { hanging } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { type Row, renderTable } from "./table.ts";

export type AssessmentOnScreen = {
  readonly service: string;
  readonly point: RecoveryPoint;
  /** ISO 8601. */
  readonly at: string;
  readonly doubts: readonly string[];
  readonly answers: readonly CheckOutcome[];
  readonly components: readonly AssessedComponent[];
  readonly cures: readonly Cure[];
};

const tableWords = ({ kind, before, after, rows, unseen }: AssessedTable): string => {
  if (kind === "added") return `new table, ${after === null ? "?" : formatCount(after)} rows`;
  if (kind === "removed") return before === null ? "was there" : `had ${formatCount(before)} rows`;
  if (rows === null) {
    if (before === null && after === null && unseen !== null) return unseen;
    const count = before === after ? "as many rows" : `${formatCount(before ?? 0)} > ${formatCount(after ?? 0)} rows`;
    return `${count}${unseen === null ? "" : `; ${unseen}`}`;
  }
  const parts = [
    ...(rows.changed === 0 ? [] : [`${formatCount(rows.changed)} differ`]),
    ...(rows.gone === 0 ? [] : [`${formatCount(rows.gone)} gone`]),
    ...(rows.newer === 0 ? [] : [`${formatCount(rows.newer)} newer`]),
  ];
  return parts.length === 0 ? "the same rows in another order" : parts.join(", ");
};

const fileWords = ({ files }: AssessedComponent): string =>
  (["added", "removed", "changed"] as const)
    .flatMap((kind) => (files[kind] === 0 ? [] : [`${formatCount(files[kind])} ${kind === "removed" ? "gone" : kind}`]))
    .join(", ");

const shownPaths = 3;

const harmedFiles = ({ files, samples }: AssessedComponent): string => {
  const paths = samples.map(({ path }) => path);
  const harmed = files.removed + files.changed;
  // The samples are few; what is counted is all.
  return harmed > paths.length
    ? formatList([...paths.slice(0, shownPaths), `${formatCount(harmed - Math.min(shownPaths, paths.length))} more`])
    : formatList(paths);
};

const componentRows = (component: AssessedComponent): readonly Row[] => {
  const { component: name, state, problem, schemaChanged, tables, damaged } = component;
  const files = fileWords(component);
  if (problem !== null) return [[name, "", problem, { text: "cannot be read", style: "red" }]];
  if (state === "equal") return [[name, "", "equal", ""]];
  if (state === "added" || state === "removed") return [[name, "", `${state} as a whole`, ""]];
  if (component.unseen !== null && tables.length === 0) return [[name, "", "rows not compared", ""]];
  const gone = damaged && component.files.removed > 0;
  return [
    ...(schemaChanged ? [[name, "", "another schema", ""] as const] : []),
    ...tables.map((table) => [
      name,
      showName(Buffer.from(table.name)),
      tableWords(table),
      table.signs.length === 0 ? "" : ({ text: table.signs.join("; "), style: "red" } as const),
    ]),
    ...(files === ""
      ? []
      : [
          [
            name,
            "files",
            files,
            gone ? ({ text: `gone or changed: ${harmedFiles(component)}`, style: "red" } as const) : "",
          ] as const,
        ]),
    ...(schemaChanged || tables.length > 0 || files !== ""
      ? []
      : [[name, "", "other versions or metadata", ""] as const]),
  ];
};

const cureRow = ({ words, predictedMs, loses, leaves, refused }: Cure, index: number): Row => [
  String(index + 1),
  words,
  predictedMs === null ? "?" : formatDuration(Math.max(1000, Math.round(predictedMs / 1000) * 1000)),
  refused ?? (loses.length === 0 ? "nothing" : loses.join("; ")),
  leaves.join("; "),
];

export const renderAssessment = (found: AssessmentOnScreen, screen: Screen): string => {
  const { service, point, at, doubts, answers, components, cures } = found;
  const time = (instant: string): string => formatTime(instant, at, screen.timeZone);
  const failed = answers.filter(({ status }) => status === "failed");
  const passed = answers.filter(({ status }) => status === "passed");
  const damaged = components.filter((component) => component.damaged);
  const unseen = components.flatMap(({ tables }) => tables).filter((table) => table.unseen !== null);
  const verdict =
    damaged.length === 0
      ? failed.length === 0
        ? components.some((component) => component.unseen !== null)
          ? screen.paint("yellow", "nothing looks damaged of what was compared")
          : screen.paint("green", "nothing looks damaged")
        : screen.paint("yellow", "it answers wrong, and nothing in its data looks damaged")
      : screen.paint("red", `damaged: ${formatList(damaged.map(({ component }) => component))}`);
  return lines(
    `${screen.paint("bold", service)} against point ${shortId(point.id)}, ${time(point.manifest.consistentAt)}: ${verdict}`,
    failed.flatMap(({ subject, found: what }) =>
      hanging("FAILS   ", `${subject}: ${what}`, screen).map((line, index) =>
        index === 0 ? line.replace("FAILS", (word) => screen.paint("red", word)) : line,
      ),
    ),
    passed.length > 0 ? `PASSES  ${formatAmount(passed.length, "answers")}` : null,
    doubts.flatMap((doubt) => hanging(screen.paint("yellow", "DOUBT   "), `the point: ${doubt}`, screen)),
    unseen.length === 0
      ? null
      : screen.paint(
          "yellow",
          `UNSEEN  the rows of ${formatList(unseen.map(({ name }) => name))} were not compared: they may be damaged`,
        ),
    components.flatMap(({ component, unseen: why }) =>
      why === null ? [] : hanging(screen.paint("yellow", "UNSEEN  "), `${component}: ${why}`, screen),
    ),
    components.flatMap(({ component, notes }) =>
      notes.flatMap((note) => hanging("NOTE    ", `${component}: ${note}`, screen)),
    ),
    renderTable(
      [
        { title: "COMPONENT" },
        { title: "WHAT" },
        { title: "SINCE THE POINT", wraps: true },
        { title: "LOOKS DAMAGED" },
      ],
      components.flatMap(componentRows),
      screen,
    ),
    cures.length === 0
      ? null
      : renderTable(
          [
            { title: "#" },
            { title: "CURE" },
            { title: "TIME", align: "right" },
            { title: "LOSES", wraps: true },
            { title: "LEAVES" },
          ],
          cures.map(cureRow),
          screen,
        ),
    nextLine(screen, ...nextCommands(found)),
  );
};

const nextCommands = ({ service, point, cures }: AssessmentOnScreen): readonly string[] => {
  const possible = cures.filter(({ refused }) => refused === null).map(({ command }) => command);
  return possible.length > 0
    ? possible.slice(0, 3)
    : [`refloat diff ${shortId(point.id)} live`, `refloat points ${service}`];
};
