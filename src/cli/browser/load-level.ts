/** What the vault says, as levels to look at. */
import { placeAbove, rowName } from "../../core/browser/browser-places.ts";
import {
  type BrowserEffect,
  type BrowserLevel,
  type BrowserRow,
  freshLevel,
} from "../../core/browser/browser-state.ts";
import type { ExactPlace } from "../../core/granular/open-place.ts";
import { formatPlace } from "../../core/granular/parse-place.ts";
import type { CapturedKey } from "../../core/ports/captured-keys.ts";
import type { FolderEntry } from "../../core/ports/vault-snapshots.ts";
import type { Workbench } from "../../core/ports/workbench.ts";
import { formatAmount, formatBytes } from "../../core/text/quantity.ts";
import { showName } from "../../core/text/shown-name.ts";
import { shortId } from "../../model/identifiers.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type Browsed, browse } from "../../operations/browse.ts";
import { type Found, find } from "../../operations/find.ts";
import { entryFactsOf, heading, tableFactsOf } from "../../render/browse-screen.ts";
import { keyName } from "../../render/key-line.ts";
import { pointsText } from "../../render/find-screen.ts";
import { plainPaint } from "../../render/screen.ts";

/** What a row leads to. A file in a folder of many is not searched for again. */
export const openRow = async (
  bench: Workbench,
  { place, row, about }: Extract<BrowserEffect, { readonly kind: "open" }>,
  files: boolean,
  signal: AbortSignal,
): Promise<BrowserLevel> => {
  const { inside } = place;
  if (row.kind !== "entry" || row.entry.treeId !== null || !(inside instanceof Uint8Array)) {
    return loadLevel(bench, place, files, signal);
  }
  const rows = fileFacts(showName(inside), row.entry, bench.host.timeZone);
  return freshLevel({ kind: "facts", place, title: titleOf(place), about, rows });
};

/** @param files as with browse: a database by the files of its archive */
export const loadLevel = async (
  bench: Workbench,
  place: ExactPlace,
  files: boolean,
  signal: AbortSignal,
): Promise<BrowserLevel> => levelOf(bench, await browse(bench, { place, files, recursive: false }, signal));

/** What one thing lies in. @throws RefloatError usage for a whole point */
export const loadLevelAbove = async (
  bench: Workbench,
  place: ExactPlace,
  files: boolean,
  signal: AbortSignal,
): Promise<BrowserLevel> => {
  const above = placeAbove(place);
  if (above === null) throw new RefloatError("usage", "this is the whole point");
  return loadLevel(bench, above, files, signal);
};

const root = new Uint8Array();

const titleOf = ({ point, component, inside }: ExactPlace): string => {
  const path = inside instanceof Uint8Array ? inside : Buffer.from(inside.table);
  return formatPlace({ point: shortId(point), component, path: path.length === 0 ? null : showName(path) });
};

export const levelOf = async ({ clock, host }: Workbench, found: Browsed): Promise<BrowserLevel> => {
  const about = heading(found.point, clock.now().toISOString(), {
    paint: plainPaint,
    width: 0,
    timeZone: host.timeZone,
  });
  const level = (
    kind: BrowserLevel["kind"],
    place: Omit<ExactPlace, "point">,
    rows: readonly BrowserRow[],
  ): BrowserLevel => {
    const exact = { point: found.point.id, ...place };
    return freshLevel({ kind, place: exact, title: titleOf(exact), about, rows });
  };
  if (found.kind === "point") {
    const rows = found.components.map(({ name, captured, missing }): BrowserRow => ({
      kind: "component",
      name,
      captured,
      missing,
    }));
    return level("point", { component: null, inside: root }, rows);
  }
  const component = found.captured.name;
  switch (found.kind) {
    case "tables": {
      const rows = found.tables.map((table): BrowserRow => ({
        kind: "table",
        name: showName(Buffer.from(table.name)),
        table,
      }));
      return level("tables", { component, inside: root }, rows);
    }
    case "table":
      return level("facts", { component, inside: { table: found.table.name } }, facts(tableFactsOf(found.table)));
    case "file":
      return level(
        "facts",
        { component, inside: found.at.path },
        fileFacts(
          found.at.path.length === 0 ? found.captured.path : showName(found.at.path),
          found.at.entry,
          host.timeZone,
        ),
      );
    case "folder": {
      const rows: BrowserRow[] = [];
      for await (const { entry } of found.entries) rows.push({ kind: "entry", name: showName(entry.name), entry });
      return level("folder", { component, inside: found.at.path }, rows);
    }
    case "keys":
      return level("facts", { component, inside: root }, await keyRows(found.keys));
    default:
      return found satisfies never;
  }
};

/** More nobody looks through. */
const mostKeys = 1_000;

const keyRows = async (keys: AsyncIterable<CapturedKey>): Promise<readonly BrowserRow[]> => {
  const rows: BrowserRow[] = [];
  for await (const key of keys) {
    if (rows.length === mostKeys) {
      rows.push({ kind: "fact", name: "...", text: "there are more: refloat browse --list" });
      break;
    }
    rows.push({ kind: "fact", name: key.type, text: `${keyName(key)}, ${formatBytes(key.sizeBytes)}` });
  }
  return rows;
};

const facts = (known: readonly (readonly [string, string])[]): readonly BrowserRow[] =>
  known.map(([name, text]) => ({ kind: "fact", name, text }));

const fileFacts = (name: string, entry: FolderEntry, timeZone: string): readonly BrowserRow[] =>
  facts([["name", name], ...entryFactsOf(entry, timeZone)]);

/** Every version of one file or table in the points of its service. */
export const loadVersions = async (bench: Workbench, place: ExactPlace, signal: AbortSignal): Promise<BrowserLevel> => {
  const point = await (await bench.vault()).points.read(place.point);
  let found: Found | null = null;
  const take = async (one: Found): Promise<boolean> => {
    found = one;
    return true;
  };
  const { points, unreadable } = await find(
    bench,
    {
      name: null,
      exactly: place.inside,
      service: point.manifest.service,
      component: place.component,
      sizeBytes: null,
      modified: null,
      taken: null,
      content: null,
      readData: false,
    },
    take,
    signal,
  );
  return freshLevel({
    kind: "versions",
    place,
    title: `versions of ${rowName(place)}`,
    about:
      `in ${formatAmount(points, "points")} of ${point.manifest.service}` +
      (unreadable.length === 0 ? "" : `, ${formatAmount(unreadable.length, "points")} of them damaged: refloat verify`),
    rows: versionsOf(found).map((version) => ({ kind: "version", name: pointsText(version.points), ...version })),
  });
};

/** The compiler cannot see that the callback has run. */
const versionsOf = (found: Found | null): Found["versions"] => found?.versions ?? [];
