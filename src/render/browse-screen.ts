/** What a recovery point holds: its components in the order of recovery, a database by its tables, one file with all that is known of it. */
import type { CapturedTable } from "../core/ports/driver.ts";
import type { FolderEntry } from "../core/ports/vault-snapshots.ts";
import { formatAmount, formatBytes, formatCount } from "../core/text/quantity.ts";
import { showName } from "../core/text/shown-name.ts";
import { formatPlace } from "../core/granular/parse-place.ts";
import { shellWord } from "../core/text/shell-word.ts";
import { shortId } from "../model/identifiers.ts";
import type { CapturedComponent, RecoveryPoint } from "../model/manifest.ts";
import { formatTime } from "./clock-times.ts";
import { formatMode, formatStamp } from "./entry-line.ts";
import { cutText } from "./fit-text.ts";
import { type Screen, lines, nextLine } from "./screen.ts";
import { renderTable } from "./table.ts";

export type PointComponent = {
  readonly name: string;
  readonly wave: number;
  readonly captured: CapturedComponent;
  readonly missing: boolean;
};

type Of = { readonly point: RecoveryPoint; readonly captured: CapturedComponent };

export const placeWord = (point: RecoveryPoint, component: string | null = null, path: Uint8Array | null = null) =>
  shellWord(formatPlace({ point: shortId(point.id), component, path: path === null ? null : showName(path) }));

export const heading = (point: RecoveryPoint, now: string, { timeZone }: Screen): string =>
  `point ${shortId(point.id)} of ${point.manifest.service}, ${formatTime(point.manifest.consistentAt, now, timeZone)}`;

export const countsOf = ({ facts }: CapturedComponent): string =>
  [
    ...(facts.versions["release"] === undefined ? [] : [`release ${facts.versions["release"]}`]),
    ...Object.entries(facts.counts)
      .filter(([, count]) => count > 0)
      .map(([unit, count]) => formatAmount(count, unit)),
  ].join(", ");

export const renderPoint = (
  point: RecoveryPoint,
  components: readonly PointComponent[],
  now: string,
  screen: Screen,
): string => {
  const first = components.find(({ missing }) => !missing);
  return lines(
    `${heading(point, now, screen)}; components in the order of recovery`,
    renderTable(
      [
        { title: "WAVE" },
        { title: "COMPONENT" },
        { title: "TYPE" },
        { title: "SIZE", align: "right" },
        { title: "HOLDS", wraps: true },
      ],
      components.map(({ name, wave, captured, missing }) => [
        String(wave),
        { text: name, style: missing ? "red" : "bold" },
        captured.driver,
        formatBytes(captured.sizeBytes),
        missing ? { text: "LOST: its snapshot is gone", style: "red" } : countsOf(captured),
      ]),
      screen,
    ),
    nextLine(
      screen,
      ...(first === undefined ? ["refloat verify"] : [`refloat browse ${placeWord(point, first.name)}`]),
    ),
  );
};

export const renderTables = (
  { point, captured }: Of,
  tables: readonly CapturedTable[],
  now: string,
  screen: Screen,
): string => {
  const first = tables.find(({ hasRows }) => hasRows);
  return lines(
    `${captured.name} of ${heading(point, now, screen)}: ${countsOf(captured)}`,
    renderTable(
      [{ title: "TABLE" }, { title: "ROWS", align: "right" }, { title: "SIZE", align: "right" }, { title: "SHA-256" }],
      tables.map(({ name, rows, sizeBytes, sha256 }) => [
        showName(Buffer.from(name)),
        rows === null ? "" : formatCount(rows),
        sizeBytes === null ? "" : formatBytes(sizeBytes),
        sha256 === null ? "" : shortId(sha256),
      ]),
      screen,
    ),
    first === undefined
      ? null
      : nextLine(screen, `refloat extract ${placeWord(point, captured.name, Buffer.from(first.name))} --stdout --csv`),
  );
};

type Fact = readonly [label: string, value: string];

const known = (facts: readonly (readonly [string, string | null])[]): readonly Fact[] =>
  facts.flatMap(([label, value]) => (value === null ? [] : [[label, value] as const]));

const factLines = (facts: readonly Fact[]): readonly string[] =>
  facts.map(([label, value]) => `  ${label.padEnd(10)}${value}`);

export const tableFactsOf = (table: CapturedTable): readonly Fact[] =>
  known([
    ["rows", table.rows === null ? null : formatCount(table.rows)],
    ["size", table.sizeBytes === null ? null : formatBytes(table.sizeBytes)],
    ["SHA-256", table.sha256],
  ]);

const ownerText = (name: string, id: number): string => (name === "" ? String(id) : `${name} (${id})`);

export const entryFactsOf = (entry: FolderEntry, timeZone: string): readonly Fact[] =>
  known([
    ["size", entry.type === "file" ? `${formatBytes(entry.sizeBytes)} (${formatCount(entry.sizeBytes)} bytes)` : null],
    ["changed", formatStamp(entry.modifiedNs, timeZone)],
    ["mode", formatMode(entry.type, entry.mode)],
    ["owner", `${ownerText(entry.user, entry.uid)}, group ${ownerText(entry.group, entry.gid)}`],
    ["leads to", entry.linkTarget === null ? null : showName(entry.linkTarget)],
    ["content", entry.contentId],
  ]);

export const renderTableFacts = (
  { point, captured }: Of,
  table: CapturedTable,
  now: string,
  screen: Screen,
): string => {
  const place = placeWord(point, captured.name, Buffer.from(table.name));
  return lines(
    `table ${showName(Buffer.from(table.name))} in ${captured.name} of ${heading(point, now, screen)}`,
    factLines(tableFactsOf(table)),
    table.hasRows ? nextLine(screen, `refloat extract ${place} --stdout --csv`) : null,
  );
};

export const renderEntryFacts = (
  { point, captured }: Of,
  path: Uint8Array,
  entry: FolderEntry,
  now: string,
  screen: Screen,
): string =>
  lines(
    `${path.length === 0 ? captured.path : showName(path)} in ${captured.name} of ${heading(point, now, screen)}`,
    factLines(entryFactsOf(entry, screen.timeZone)),
    nextLine(
      screen,
      `refloat extract ${placeWord(point, captured.name, path)} --stdout`,
      ...(entry.contentId === null ? [] : [`refloat find --content ${cutText(entry.contentId, 64)}`]),
    ),
  );
