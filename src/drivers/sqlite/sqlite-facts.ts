/** Facts of captured databases, from what an inspection found. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Facts, FactUnit, Position } from "../../model/facts.ts";
import { type JsonObject, toJsonObject } from "../../model/json.ts";
import type { DatabaseInspection } from "./program/inspect-databases.ts";

const stampSchema = z.object({
  inode: z.number(),
  sizeBytes: z.number(),
  modifiedMs: z.number(),
  /** Of the -wal file; zero for none. */
  walBytes: z.number(),
  walModifiedMs: z.number(),
});
/** What the file system says of a database: where it is the same, nothing was written. */
export type Stamp = z.infer<typeof stampSchema>;

/** Where a component stood: by file, and by table as far as that was read. */
export const positionMarkSchema = z.object({
  stamps: z.record(z.string(), stampSchema),
  /** Null where the databases were too large to be read for it. */
  tables: z
    .record(
      z.string(),
      z.object({
        rows: z.number(),
        sha256: z.string(),
        /** Decimal; null for an empty table and for one without a rowid. */
        maxRowid: z.string().nullable(),
      }),
    )
    .nullable(),
});
export type PositionMark = z.infer<typeof positionMarkSchema>;

export const readMark = ({ mark }: Position): PositionMark => positionMarkSchema.parse(mark);

const capturedDatabaseSchema = z.object({
  pageSize: z.number(),
  encoding: z.string(),
  journalMode: z.string(),
  userVersion: z.number(),
  applicationId: z.number(),
  autoVacuum: z.number(),
  schemaHash: z.string(),
  integrity: z.array(z.string()),
  foreignKeys: z.record(z.string(), z.number()),
  unreadable: z.array(z.object({ name: z.string(), why: z.string() })),
});
export type CapturedDatabase = z.infer<typeof capturedDatabaseSchema>;

export const capturedDetailSchema = z.object({
  isFolder: z.boolean(),
  databases: z.record(z.string(), capturedDatabaseSchema),
  virtualTables: z.array(z.string()),
});

/** Name of a table's fact: `orders`, or `shop.db/orders` where there are several databases. */
export const labelOf = (isFolder: boolean, database: string, table: string): string =>
  isFolder ? `${database}/${table}` : table;

export const describeDatabase = (found: DatabaseInspection): CapturedDatabase => ({
  ...found.settings,
  schemaHash: found.schemaHash,
  integrity: [...(found.integrity ?? [])],
  foreignKeys: { ...found.foreignKeys },
  unreadable: found.unreadable.map((one) => ({ ...one })),
});

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const markOf = (
  stamps: PositionMark["stamps"],
  isFolder: boolean,
  found: readonly DatabaseInspection[] | null,
): JsonObject => {
  const mark: PositionMark = { stamps, tables: found === null ? null : tablesOf(found, isFolder) };
  return toJsonObject(mark);
};

const tablesOf = (found: readonly DatabaseInspection[], isFolder: boolean): NonNullable<PositionMark["tables"]> =>
  Object.fromEntries(
    found.flatMap(({ name, tables }) =>
      tables.map(({ name: table, rows, sha256, maxRowid }) => [
        labelOf(isFolder, name, table),
        { rows, sha256, maxRowid },
      ]),
    ),
  );

export const factsOf = (found: readonly DatabaseInspection[], isFolder: boolean, position: Position): Facts => {
  const tables = found.flatMap(({ name, tables: own }) =>
    own.map((table) => [labelOf(isFolder, name, table.name), table] as const),
  );
  const units = Object.fromEntries(
    tables.map(([label, { rows, sizeBytes, sha256 }]): [string, FactUnit] => [label, { rows, sizeBytes, sha256 }]),
  );
  const schema = createHash("sha256");
  for (const { name, schemaHash } of found) schema.update(`${isFolder ? name : ""} ${schemaHash}\n`);
  return {
    sizeBytes: sum(found.map(({ sizeBytes }) => sizeBytes)),
    counts: {
      ...(isFolder ? { databases: found.length } : {}),
      tables: tables.length,
      rows: sum(tables.map(([, { rows }]) => rows)),
    },
    units,
    schemaHash: schema.digest("hex"),
    position,
    versions: { sqlite: process.versions["sqlite"] ?? "unknown" },
    detail: {
      isFolder,
      databases: Object.fromEntries(found.map((one) => [one.name, describeDatabase(one)])),
      virtualTables: tables.filter(([, { isVirtual }]) => isVirtual).map(([label]) => label),
    },
  };
};

const shown = (messages: readonly string[]): string =>
  messages.length > 3 ? `${messages.slice(0, 3).join("; ")}; and more` : messages.join("; ");

/** What a person should know of the databases themselves; the point is made all the same. */
export const inspectionWarnings = (found: readonly DatabaseInspection[]): string[] =>
  found.flatMap(({ name, integrity, foreignKeys, unreadable }) => [
    ...(integrity === null || integrity.length === 0
      ? []
      : [`${name} is damaged, and so is its copy: integrity_check says: ${shown(integrity)}`]),
    ...Object.entries(foreignKeys ?? {}).map(
      ([table, rows]) =>
        `${name}: ${rows.toLocaleString("en-US")} rows of ${table} have a foreign key that names nothing`,
    ),
    ...unreadable.map(
      ({ name: table, why }) => `${name}: the rows of ${table} are in the point and could not be counted: ${why}`,
    ),
  ]);
