/** What a database holds, as facts: rows and their hashes, the shape of the schema, settings of the file, and what SQLite's own checks say. */
import { createHash } from "node:crypto";
import { type DatabaseSync } from "node:sqlite";
import { statSync } from "node:fs";
import {
  type NamedDatabase,
  isWalFile,
  named,
  openToRead,
  openUnchanging,
  quoteName,
  valueOf,
} from "./open-database.ts";
import { readRows, rowsSql } from "./read-rows.ts";
import { RowHash } from "./row-hash.ts";
import { type TableShape, fromTable, readTableShapes } from "./table-shapes.ts";

export type InspectRequest = {
  readonly databases: readonly NamedDatabase[];
  /** Nobody writes to them: no lock is taken and nothing is made beside them. */
  readonly isUnchanging: boolean;
  /** SQLite's own checks as well, which read everything once more. */
  readonly withChecks: boolean;
  readonly busyTimeoutMs: number;
};

export type TableFacts = {
  readonly name: string;
  readonly isVirtual: boolean;
  readonly rows: number;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Decimal: JSON has no integers of 64 bits. Null for an empty table and for one without a rowid. */
  readonly maxRowid: string | null;
};

export type DatabaseInspection = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly settings: {
    readonly pageSize: number;
    readonly encoding: string;
    /** Which of the modes with a rollback journal it is, is not in the file. */
    readonly journalMode: "wal" | "rollback";
    readonly userVersion: number;
    readonly applicationId: number;
    readonly autoVacuum: number;
  };
  readonly schemaHash: string;
  readonly tables: readonly TableFacts[];
  /** Tables, and why their rows cannot be told. */
  readonly unreadable: readonly { readonly name: string; readonly why: string }[];
  /** What `PRAGMA integrity_check` says; empty when all is well, null when it was not asked. */
  readonly integrity: readonly string[] | null;
  /** Rows whose foreign key names nothing, by table; null when it was not asked. */
  readonly foreignKeys: Readonly<Record<string, number>> | null;
};

const largestRowid = (database: DatabaseSync, { name, rowid }: TableShape): string | null => {
  if (rowid === null) return null;
  const statement = database.prepare(`SELECT max(${rowid}) AS largest FROM main.${quoteName(name)}`);
  statement.setReadBigInts(true);
  const largest = statement.get()?.["largest"];
  return typeof largest === "bigint" ? String(largest) : null;
};

const inspectTable = (database: DatabaseSync, table: TableShape): TableFacts => {
  const hash = new RowHash();
  const { columns, name, isVirtual } = table;
  for (const row of readRows(database, rowsSql(columns, fromTable("main", table)), columns.length)) hash.add(row);
  return { name, isVirtual, ...hash.end(), maxRowid: isVirtual ? null : largestRowid(database, table) };
};

const hashSchema = (database: DatabaseSync): string => {
  const hash = createHash("sha256");
  const rows = database
    .prepare(
      "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name",
    )
    .all() as unknown as readonly Readonly<Record<"type" | "name" | "tbl_name" | "sql", string | null>>[];
  for (const { type, name, tbl_name: table, sql } of rows)
    hash.update(JSON.stringify([type, name, table, (sql ?? "").replaceAll(/\s+/g, " ")]));
  return hash.digest("hex");
};

const told = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const messagesKept = 10;

const checkIntegrity = (database: DatabaseSync): readonly string[] => {
  try {
    const rows = database.prepare(`PRAGMA main.integrity_check(${messagesKept})`).all();
    const messages = rows.map((row) => String(Object.values(row)[0]));
    return messages.length === 1 && messages[0] === "ok" ? [] : messages;
  } catch (error) {
    return [`it could not be asked to the end: ${told(error)}`];
  }
};

const checkForeignKeys = (database: DatabaseSync): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {};
  try {
    for (const row of database.prepare("PRAGMA main.foreign_key_check").iterate()) {
      const table = String(row["table"]);
      counts[table] = (counts[table] ?? 0) + 1;
    }
  } catch {
    // A foreign key to a table without a fitting unique key is a mistake of the schema, which SQLite tells at each write.
    return counts;
  }
  return counts;
};

const inspect = (
  database: DatabaseSync,
  { name, path }: NamedDatabase,
  { withChecks, isUnchanging }: Pick<InspectRequest, "withChecks" | "isUnchanging">,
): DatabaseInspection => {
  // A connection that takes no locks does not know. One that does is asked: to read the file here would end its locks.
  const isWal = isUnchanging ? isWalFile(path) : valueOf(database, "PRAGMA main.journal_mode") === "wal";
  const number = (sql: string): number => Number(valueOf(database, sql));
  database.exec("BEGIN");
  const { tables, unreadable } = readTableShapes(database);
  const read: TableFacts[] = [];
  const unread = [...unreadable];
  for (const table of tables) {
    try {
      read.push(inspectTable(database, table));
    } catch (error) {
      unread.push({ name: table.name, why: told(error) });
    }
  }
  return {
    name,
    sizeBytes: statSync(path).size,
    settings: {
      pageSize: number("PRAGMA main.page_size"),
      encoding: String(valueOf(database, "PRAGMA main.encoding")),
      journalMode: isWal ? "wal" : "rollback",
      userVersion: number("PRAGMA main.user_version"),
      applicationId: number("PRAGMA main.application_id"),
      autoVacuum: number("PRAGMA main.auto_vacuum"),
    },
    schemaHash: hashSchema(database),
    tables: read,
    unreadable: unread,
    integrity: withChecks ? checkIntegrity(database) : null,
    foreignKeys: withChecks ? checkForeignKeys(database) : null,
  };
};

export const inspectDatabases = ({
  databases,
  isUnchanging,
  withChecks,
  busyTimeoutMs,
}: InspectRequest): readonly DatabaseInspection[] =>
  databases.map((one) =>
    named(one.path, busyTimeoutMs, () => {
      const database = isUnchanging ? openUnchanging(one.path) : openToRead(one.path, busyTimeoutMs);
      try {
        return inspect(database, one, { withChecks, isUnchanging });
      } finally {
        database.close();
      }
    }),
  );
