/**
 * What was written to databases since a position. Against another state of them it is told row by row; alone, by the stamps of the files
 * and, of databases that are not large, by the hash of each table.
 */
import { join } from "node:path";
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import type { Position } from "../../model/facts.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { type DatabaseFiles, findDatabases } from "./database-files.ts";
import { isSameStamp, readStamps, writtenAtMs } from "./file-stamps.ts";
import type { DatabaseInspection } from "./program/inspect-databases.ts";
import { runTask } from "./run-task.ts";
import { type PositionMark, type Stamp, labelOf, markOf, readMark } from "./sqlite-facts.ts";
import { type SqliteContext, type SqliteOptions, busyTimeoutOf, stablePathOf } from "./sqlite-options.ts";

/** Read while traffic is held; above it only the stamps are compared: about a second. */
const readableBytes = 32 * 1_048_576;

type Unit = WriteReport["units"][number];

const sizeOf = (stamps: Readonly<Record<string, Stamp>>): number =>
  Object.values(stamps).reduce((total, { sizeBytes, walBytes }) => total + sizeBytes + walBytes, 0);

const isUntouched = (then: PositionMark["stamps"], now: Readonly<Record<string, Stamp>>): boolean => {
  const names = Object.keys(now);
  return (
    names.length === Object.keys(then).length &&
    names.every((name) => {
      const [a, b] = [then[name], now[name]];
      return a !== undefined && b !== undefined && isSameStamp(a, b);
    })
  );
};

const lastWriteAt = (stamps: Readonly<Record<string, Stamp>>): string | null => {
  const times = Object.values(stamps).map(writtenAtMs);
  return times.length === 0 ? null : new Date(Math.max(...times)).toISOString();
};

const inspectAll = (context: SqliteContext, { databases }: DatabaseFiles): Promise<readonly DatabaseInspection[]> =>
  runTask(context, "inspect", {
    databases,
    isUnchanging: false,
    withChecks: false,
    busyTimeoutMs: busyTimeoutOf(context),
  });

const compareTables = (
  then: NonNullable<PositionMark["tables"]>,
  { isFolder }: DatabaseFiles,
  found: readonly DatabaseInspection[],
): Pick<WriteReport, "units" | "gaps"> => {
  const units: Unit[] = [];
  const gaps: string[] = [];
  const left = new Map(Object.entries(then));
  for (const { name, tables, unreadable } of found) {
    for (const { name: table, why } of unreadable) gaps.push(`${labelOf(isFolder, name, table)}: ${why}`);
    for (const { name: table, rows, sha256 } of tables) {
      const label = labelOf(isFolder, name, table);
      const before = left.get(label);
      left.delete(label);
      if (before === undefined) {
        if (rows > 0) units.push({ name: label, added: rows, changed: 0, removed: 0 });
      } else if (before.sha256 !== sha256) {
        const more = rows - before.rows;
        if (more !== 0) units.push({ name: label, added: Math.max(0, more), changed: 0, removed: Math.max(0, -more) });
        gaps.push(`${label} was written to; how many of its rows changed cannot be told without another state of it`);
      }
    }
  }
  for (const [label, { rows }] of left) {
    gaps.push(`${label} is gone, or cannot be read any more`);
    if (rows > 0) units.push({ name: label, added: 0, changed: 0, removed: rows });
  }
  return { units, gaps };
};

const lookAlone = async (context: SqliteContext, files: DatabaseFiles, since: Position): Promise<WriteReport> => {
  const mark = readMark(since);
  const stamps = await readStamps(files.databases);
  if (isUntouched(mark.stamps, stamps)) return { lastWriteAt: null, units: [], gaps: [] };
  if (mark.tables === null || sizeOf(stamps) > readableBytes) {
    const gap = `${files.root} was opened to write since, and is too large to look for what was written`;
    return { lastWriteAt: lastWriteAt(stamps), units: [], gaps: [gap] };
  }
  const compared = compareTables(mark.tables, files, await inspectAll(context, files));
  const isWritten = compared.units.length + compared.gaps.length > 0;
  return { lastWriteAt: isWritten ? lastWriteAt(stamps) : null, ...compared };
};

const compareSides = async (
  context: SqliteContext,
  files: DatabaseFiles,
  otherRoot: string,
  exportTo: string | undefined,
): Promise<WriteReport> => {
  const other = await findDatabases(context, otherRoot);
  const theirs = new Map(other.databases.map((one) => [files.isFolder ? one.name : "", one.path]));
  const pairs = files.databases.map(({ name, path }) => {
    const key = files.isFolder ? name : "";
    const there = theirs.get(key) ?? null;
    theirs.delete(key);
    return { name, here: path, there };
  });
  const gone = [...theirs].map(([name, there]) => ({ name, here: null, there }));
  const compared = await runTask(context, "compare", {
    pairs: [...pairs, ...gone],
    prefixed: files.isFolder,
    exportTo: exportTo ?? null,
    busyTimeoutMs: busyTimeoutOf(context),
  });
  const stamps = await readStamps(files.databases);
  return { lastWriteAt: compared.units.length === 0 ? null : lastWriteAt(stamps), ...compared };
};

const unitsShown = 3;

export const sqliteWrites: WriteLedger<SqliteOptions> = {
  exports: "rows",
  position: async (context, location) => {
    const root = location ?? (await stablePathOf(context));
    return translateSystemErrors("source.failed", `${root} cannot be looked at`, async () => {
      const files = await findDatabases(context, root);
      const takenAt = context.clock.now().toISOString();
      const stamps = await readStamps(files.databases);
      const found = sizeOf(stamps) > readableBytes ? null : await inspectAll(context, files);
      return { takenAt, mark: markOf(stamps, files.isFolder, found) };
    });
  },

  writesSince: async (context, { location, since, against, exportTo }) => {
    const stable = await stablePathOf(context);
    const root = location ?? stable;
    return translateSystemErrors("source.failed", `${root} cannot be compared`, async () => {
      const files = await findDatabases(context, root);
      if (against === undefined) return lookAlone(context, files, since);
      return compareSides(context, files, against ?? stable, exportTo);
    });
  },

  estimateSince: async (context, since) => {
    const root = await stablePathOf(context);
    if (!(await pathExists(root))) return null;
    const files = await findDatabases(context, root);
    const stamps = await readStamps(files.databases);
    const mark = readMark(since);
    if (isUntouched(mark.stamps, stamps)) return { about: "nothing", lastWriteAt: since.takenAt };
    if (mark.tables === null) return null;
    const { tables } = mark;
    const largestOf = (name: string): Readonly<Record<string, string | null>> => {
      const prefix = labelOf(files.isFolder, name, "");
      return Object.fromEntries(
        Object.entries(tables).flatMap(([label, { maxRowid }]) =>
          !label.startsWith(prefix) ? [] : [[label.slice(prefix.length), maxRowid]],
        ),
      );
    };
    const found = await runTask(context, "estimate", {
      databases: files.databases.map(({ name, path }) => ({ name, path, largest: largestOf(name) })),
      busyTimeoutMs: busyTimeoutOf(context),
    });
    const named = found
      .toSorted((a, b) => b.rows - a.rows)
      .map(({ name, table, rows }) => `${rows.toLocaleString("en-US")} ${labelOf(files.isFolder, name, table)}`);
    const more = named.length > unitsShown ? [`${named.length - unitsShown} more tables`] : [];
    return {
      about: named.length === 0 ? "no new rows" : `about ${[...named.slice(0, unitsShown), ...more].join(", ")}`,
      lastWriteAt: lastWriteAt(stamps),
    };
  },
};

/** The databases that stand at a location, for questions to them. */
export const databasesAt = async (context: SqliteContext, location: string | null) => {
  const root = location ?? (await stablePathOf(context));
  const { databases, isFolder } = await findDatabases(context, root);
  return isFolder ? databases.map(({ name }) => ({ name, path: join(root, name) })) : databases;
};
