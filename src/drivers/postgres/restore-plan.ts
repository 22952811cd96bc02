/**
 * Sorts the entries of an archive into what a restore does itself and what it leaves to pg_restore. Pure.
 *
 * Rows go in by our own COPY. Keys, indexes and foreign keys are built as soon as the rows that they need are there, while others
 * still load; that is safe for those that depend on nothing but tables that we load. Everything else is pg_restore's: definitions
 * before the rows, and triggers, policies, grants, refreshes after them.
 */
import { type ArchiveToc, type TocEntry, blobListName } from "./archive-toc.ts";
import { quoteName } from "./instance-names.ts";
import { withoutScheduler } from "./scheduler.ts";

export type TableLoad = {
  readonly entry: TocEntry;
  /** Quoted, with its schema. */
  readonly table: string;
  /** False for tables that an extension made and may have filled: they must not be emptied before the rows come. */
  readonly ownTable: boolean;
  /** Primary keys, unique and exclusion constraints: they lock the table. */
  readonly constraints: readonly TocEntry[];
  readonly indexes: readonly TocEntry[];
};

export type ForeignKey = {
  readonly entry: TocEntry;
  /** Quoted tables, the referring one first. */
  readonly tables: readonly [string, string];
};

export type RestorePlan = {
  readonly before: readonly TocEntry[];
  readonly tables: readonly TableLoad[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly sequenceValues: readonly TocEntry[];
  /** Names of the files that list large objects. */
  readonly blobLists: readonly string[];
  readonly after: readonly TocEntry[];
  readonly tablespaces: readonly string[];
};

/** Belongs to the database under its old name. */
const isOfDatabase = ({ kind, tag }: TocEntry): boolean => kind.startsWith("DATABASE") || tag.startsWith("DATABASE ");

/** Large objects themselves count as data in archives since 1.16, and must be there before their bytes come. */
const isBefore = ({ section, kind }: TocEntry): boolean => section === "pre-data" || kind === "BLOB METADATA";

const quoteTable = ({ schema, tag }: TocEntry): string => `${quoteName(schema)}.${quoteName(tag)}`;

/** What an entry needs that is not there from the beginning. A column that is named twice is one need. */
const needsOf = (entry: TocEntry, byId: ReadonlyMap<number, TocEntry>): TocEntry[] =>
  [...new Set(entry.dependencies)].flatMap((id) => {
    const needed = byId.get(id);
    return needed === undefined || needed.kind === "SCHEMA" || needed.kind === "EXTENSION" ? [] : [needed];
  });

type Built = { readonly constraints: TocEntry[]; readonly indexes: TocEntry[] };

export const planRestore = (toc: ArchiveToc): RestorePlan => {
  const entries = withoutScheduler(toc.entries).filter((entry) => !isOfDatabase(entry));
  const byId = new Map(entries.map((entry) => [entry.dumpId, entry]));
  const rows = entries.filter(({ kind }) => kind === "TABLE DATA");
  const loadedOids = new Set(rows.map(({ oid }) => oid));
  const tableByOid = new Map(entries.filter(({ kind }) => kind === "TABLE").map((entry) => [entry.oid, entry]));

  const built = new Map<number, Built>();
  /** Dump id of what we build to the table that it is built on. */
  const builtOn = new Map<number, TocEntry>();
  for (const [oid, table] of tableByOid) {
    if (loadedOids.has(oid)) built.set(table.dumpId, { constraints: [], indexes: [] });
  }
  for (const entry of entries) {
    if (entry.kind !== "INDEX" && entry.kind !== "CONSTRAINT") continue;
    // A function in an index may read other tables, which are not there yet.
    const [table, ...others] = needsOf(entry, byId);
    const place = table === undefined || others.length > 0 ? undefined : built.get(table.dumpId);
    if (table === undefined || place === undefined) continue;
    (entry.kind === "INDEX" ? place.indexes : place.constraints).push(entry);
    builtOn.set(entry.dumpId, table);
  }

  const foreignKeys: ForeignKey[] = [];
  for (const entry of entries) {
    if (entry.kind !== "FK CONSTRAINT") continue;
    const needs = needsOf(entry, byId);
    const owners = needs.map((needed) => (built.has(needed.dumpId) ? needed : builtOn.get(needed.dumpId)));
    const from = needs.find((needed) => built.has(needed.dumpId) && entry.tag.startsWith(`${needed.tag} `));
    const to = needs.map((needed) => builtOn.get(needed.dumpId)).find((owner) => owner !== undefined);
    if (from === undefined || to === undefined || owners.includes(undefined)) continue;
    foreignKeys.push({ entry, tables: [quoteTable(from), quoteTable(to)] });
  }

  const tables = rows.map((entry): TableLoad => {
    const own = tableByOid.get(entry.oid);
    const { constraints = [], indexes = [] } = (own && built.get(own.dumpId)) ?? {};
    return { entry, table: quoteTable(entry), ownTable: own !== undefined, constraints, indexes };
  });
  const handledKinds = new Set(["TABLE DATA", "SEQUENCE SET", "BLOBS"]);
  const handled = new Set([...builtOn.keys(), ...foreignKeys.map(({ entry }) => entry.dumpId)]);
  return {
    before: entries.filter(isBefore),
    tables,
    foreignKeys,
    sequenceValues: entries.filter(({ kind }) => kind === "SEQUENCE SET"),
    blobLists: entries.filter(({ kind }) => kind === "BLOBS").map((entry) => blobListName(toc, entry)),
    after: entries.filter((entry) => !isBefore(entry) && !handledKinds.has(entry.kind) && !handled.has(entry.dumpId)),
    tablespaces: [...new Set(entries.map(({ tablespace }) => tablespace).filter((name) => name !== ""))],
  };
};

/** A list file for pg_restore -L. */
export const formatRestoreList = (entries: readonly TocEntry[]): string =>
  entries.map(({ dumpId, kind }) => `${dumpId}; ${kind}\n`).join("");
