/**
 * Sorts the entries of an archive into what a restore does itself and what it leaves to pg_restore. Pure.
 *
 * Rows go in by our own COPY. Indexes and keys of a table are built as soon as its rows are there, while others still load; that is
 * safe for those that depend on nothing but their table. Everything else is pg_restore's: definitions before the rows, and
 * foreign keys, triggers, policies, grants, refreshes after them.
 */
import type { ArchiveToc, TocEntry } from "./archive-toc.ts";
import { quoteName } from "./instance-names.ts";

export type TableLoad = {
  readonly entry: TocEntry;
  /** Quoted, with its schema. */
  readonly table: string;
  /** False for tables that an extension made and may have filled: they must not be emptied before the rows come. */
  readonly ownTable: boolean;
  /** Primary keys, unique and exclusion constraints: they lock the table, so one after the other. */
  readonly constraints: readonly TocEntry[];
  readonly indexes: readonly TocEntry[];
};

export type RestorePlan = {
  readonly before: readonly TocEntry[];
  readonly tables: readonly TableLoad[];
  readonly sequenceValues: readonly TocEntry[];
  readonly hasBlobs: boolean;
  readonly after: readonly TocEntry[];
  readonly tablespaces: readonly string[];
};

/** Belongs to the database under its old name. */
const isOfDatabase = ({ kind, tag }: TocEntry): boolean => kind.startsWith("DATABASE") || tag.startsWith("DATABASE ");

export const planRestore = (toc: ArchiveToc): RestorePlan => {
  const entries = toc.entries.filter((entry) => !isOfDatabase(entry));
  const byId = new Map(entries.map((entry) => [entry.dumpId, entry]));
  const tableEntry = new Map(entries.filter(({ kind }) => kind === "TABLE").map((entry) => [entry.oid, entry]));
  const rows = entries.filter(({ kind }) => kind === "TABLE DATA");

  const early = new Map<number, { constraints: TocEntry[]; indexes: TocEntry[] }>();
  for (const row of rows) {
    const table = tableEntry.get(row.oid);
    if (table !== undefined) early.set(table.dumpId, { constraints: [], indexes: [] });
  }
  const taken = new Set<number>();
  for (const entry of entries) {
    if (entry.kind !== "INDEX" && entry.kind !== "CONSTRAINT") continue;
    // A function in an index may read other tables, which are not there yet.
    const [table, ...others] = [...new Set(entry.dependencies)].filter((id) => {
      const needed = byId.get(id);
      return needed !== undefined && needed.kind !== "SCHEMA" && needed.kind !== "EXTENSION";
    });
    const place = table === undefined || others.length > 0 ? undefined : early.get(table);
    if (place === undefined) continue;
    (entry.kind === "INDEX" ? place.indexes : place.constraints).push(entry);
    taken.add(entry.dumpId);
  }

  const tables = rows.map((entry): TableLoad => {
    const own = tableEntry.get(entry.oid);
    const built = own === undefined ? undefined : early.get(own.dumpId);
    return {
      entry,
      table: `${quoteName(entry.schema)}.${quoteName(entry.tag)}`,
      ownTable: own !== undefined,
      constraints: built?.constraints ?? [],
      indexes: built?.indexes ?? [],
    };
  });
  const handled = new Set(["TABLE DATA", "SEQUENCE SET", "BLOBS"]);
  return {
    before: entries.filter(({ section }) => section === "pre-data"),
    tables,
    sequenceValues: entries.filter(({ kind }) => kind === "SEQUENCE SET"),
    hasBlobs: entries.some(({ kind }) => kind === "BLOBS"),
    after: entries.filter(
      ({ section, kind, dumpId }) => section !== "pre-data" && !handled.has(kind) && !taken.has(dumpId),
    ),
    tablespaces: [...new Set(entries.map(({ tablespace }) => tablespace).filter((name) => name !== ""))],
  };
};

/** A list file for pg_restore -L. */
export const formatRestoreList = (entries: readonly TocEntry[]): string =>
  entries.map(({ dumpId, kind }) => `${dumpId}; ${kind}\n`).join("");
