/**
 * Counters of a recovered server (AUTO_INCREMENT, sequences) go on where those of the side that it replaces have stopped. They are read out of the files of the stopped side, on
 * which nothing is started, and set in the instance, which keeps no binary log, while only its own server runs.
 */
import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import {
  type Said,
  carriedRecordOf,
  createCarryOver,
  describeCarriedIn,
} from "../../../platform/folder-server/carried-counters.ts";
import { type SqlAccess, askSql, textOf } from "../sql-client.ts";
import { inDatabase, quoteText } from "../sql-text.ts";
import { readInstanceRecord, startInstance } from "./instance-server.ts";
import { lastNumberIn, nextNumberIn } from "./root-page.ts";
import type { ServerContext } from "./server-options.ts";
import { serverRecord } from "./start-record.ts";

const record = carriedRecordOf("refloat-counters.json", {
  what: "what the switch has done to counters",
  hint: "it is for the report alone, and can be removed; where counters stand now information_schema.TABLES tells",
});

type Counter = {
  readonly database: string;
  readonly name: string;
  /** As files are named. */
  readonly folder: string;
  readonly file: string;
  readonly engine: string;
  /** Null for a sequence, which is asked itself. */
  readonly value: bigint | null;
};

const encoded = (column: string): string => `CONVERT(CONVERT(${column} USING filename) USING binary)`;

const countersSql = `
SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, ENGINE AS engine, AUTO_INCREMENT AS value,
       ${encoded("TABLE_SCHEMA")} AS folder, ${encoded("TABLE_NAME")} AS file
  FROM information_schema.TABLES
 WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
   AND (TABLE_TYPE = 'SEQUENCE' OR AUTO_INCREMENT IS NOT NULL)
 ORDER BY 1, 2;`;

const readCounters = async (access: SqlAccess): Promise<readonly Counter[]> =>
  (await askSql(access, countersSql)).map((row) => ({
    database: textOf(row, "db"),
    name: textOf(row, "name"),
    folder: textOf(row, "folder"),
    file: textOf(row, "file"),
    engine: textOf(row, "engine"),
    value: row["value"] === null || row["value"] === undefined ? null : BigInt(row["value"]),
  }));

const shownName = ({ database, name }: Counter): string => `${database}.${name}`;

/** Where the old side stands; null where it has no such table any more, or has given out nothing. `unread`: it has, and its files do not tell. */
type Old = { readonly value: bigint | null; readonly unread: boolean };

const none: Old = { value: null, unread: false };
const unread: Old = { value: null, unread: true };

/** @param names what is in the folder of the database on the stopped side */
const readOld = async (stopped: string, names: readonly string[], counter: Counter): Promise<Old> => {
  const { folder, file, engine, value } = counter;
  if (!names.includes(`${file}.frm`)) return none;
  // Each partition has a file, and any of them may be the one that was written last.
  const part = `${file}#p#`.toLowerCase();
  const files = names.filter(
    (name) => name.endsWith(".ibd") && (name === `${file}.ibd` || name.toLowerCase().startsWith(part)),
  );
  if (engine !== "InnoDB" || files.length === 0) return unread;
  const read = value === null ? nextNumberIn : lastNumberIn;
  const found: (bigint | null)[] = [];
  for (const name of files) found.push(await read(join(stopped, folder, name)).catch(() => null));
  const known = found.filter((number) => number !== null);
  if (known.length < found.length) return unread;
  if (value === null) return { value: known[0] ?? null, unread: false };
  const last = known.reduce((a, b) => (a > b ? a : b), 0n);
  return last === 0n ? none : { value: last + 1n, unread: false };
};

const bitsOf: Readonly<Record<string, bigint>> = { tinyint: 8n, smallint: 16n, mediumint: 24n, int: 32n, bigint: 64n };

/** The largest number that its column takes; null where that is of no whole numbers. */
const largestOf = async (access: SqlAccess, { database, name }: Counter): Promise<bigint | null> => {
  const [row] = await askSql(
    access,
    `SELECT DATA_TYPE AS type, COLUMN_TYPE LIKE '%unsigned%' AS whole FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = ${quoteText(database)} AND TABLE_NAME = ${quoteText(name)} AND EXTRA LIKE '%auto_increment%';`,
  );
  const bits = bitsOf[textOf(row, "type")];
  return bits === undefined ? null : (1n << (textOf(row, "whole") === "1" ? bits : bits - 1n)) - 1n;
};

const beyond = (counter: Counter, before: bigint, was: bigint): string =>
  `${shownName(counter)} cannot go on at ${before}, where the old side was: it was left at ${was}; alter it as it was altered after the point, then set it`;

const moved = (counter: Counter, before: bigint, was: bigint): string =>
  `${shownName(counter)} goes on at ${before} (was at ${was})`;

const moveTable = async (access: SqlAccess, counter: Counter, before: bigint, was: bigint, said: Said) => {
  if (before <= was) return;
  const largest = await largestOf(access, counter);
  if (largest !== null && before > largest) {
    said.left.push(beyond(counter, before, was));
    return;
  }
  // A table is not built anew for that: one that would have to be is told.
  await askSql(
    access,
    `ALTER TABLE ${inDatabase(counter.database, counter.name)} AUTO_INCREMENT = ${before}, ALGORITHM = NOCOPY;`,
  );
  said.moved.push(moved(counter, before, was));
};

const moveSequence = async (access: SqlAccess, counter: Counter, before: bigint, said: Said) => {
  const name = inDatabase(counter.database, counter.name);
  const [present] = await askSql(
    access,
    `SELECT next_not_cached_value AS value, minimum_value AS least, maximum_value AS most, increment AS step, cycle_option AS cycles FROM ${name};`,
  );
  const was = BigInt(textOf(present, "value"));
  if (textOf(present, "step").startsWith("-") ? before >= was : before <= was) return;
  if (textOf(present, "cycles") === "1") {
    said.left.push(`${shownName(counter)} cycles; it was left at ${was}`);
    return;
  }
  // The server sets one to what it can never give out, without a word.
  if (before < BigInt(textOf(present, "least")) || before > BigInt(textOf(present, "most"))) {
    said.left.push(beyond(counter, before, was));
    return;
  }
  await askSql(access, `SELECT SETVAL(${name}, ${before}, 0);`);
  said.moved.push(moved(counter, before, was));
};

/** Series 11.5 and newer have sequences of other types, whose rows are laid out otherwise. */
const isOfKnownType = async (access: SqlAccess, { database, name }: Counter): Promise<boolean> => {
  const [row] = await askSql(
    access,
    `SELECT COLUMN_TYPE AS type FROM information_schema.COLUMNS
      WHERE TABLE_SCHEMA = ${quoteText(database)} AND TABLE_NAME = ${quoteText(name)} AND COLUMN_NAME = 'next_not_cached_value';`,
  );
  return /^bigint(?:\(\d+\))?$/.test(textOf(row, "type"));
};

const moveOne = async (access: SqlAccess, counter: Counter, old: Old, said: Said): Promise<void> => {
  if (old.unread) {
    said.left.push(
      `${shownName(counter)} was left as it is in the point: the files of the old side do not tell where its own has stopped`,
    );
    return;
  }
  if (old.value === null) return;
  if (counter.value !== null) await moveTable(access, counter, old.value, counter.value, said);
  else if (await isOfKnownType(access, counter)) await moveSequence(access, counter, old.value, said);
  else
    said.left.push(`${shownName(counter)} was left as it is in the point: it is a sequence of a type that is not read`);
};

const moveAll = async (context: ServerContext, stopped: string, instance: string, said: Said): Promise<void> => {
  const access = await startInstance(context, instance);
  const counters = await readCounters(access);
  if (counters.length > 0 && (await serverRecord.recall(stopped))?.wasShutDown !== true)
    said.left.push(
      "the old side's server did not run any more at the switch: where it was killed and not shut down, what its files tell may be behind the numbers that it has given out last",
    );
  const listed = new Map<string, readonly string[]>();
  for (const counter of counters) {
    const { folder } = counter;
    const names = listed.get(folder) ?? (await readdir(join(stopped, folder)).catch(() => []));
    listed.set(folder, names);
    try {
      await moveOne(access, counter, await readOld(stopped, names, counter), said);
    } catch (error) {
      context.signal.throwIfAborted();
      // The others must be moved all the same.
      if (!(error instanceof RefloatError)) throw error;
      said.left.push(`${shownName(counter)} was left as it is in the point: ${error.message}`);
    }
  }
};

const headBytes = 12_288;

/** By the head of its redo log, which tells of the last checkpoint. */
const whereStopped = async (_context: ServerContext, folder: string): Promise<string | null> => {
  const file = await open(join(folder, "ib_logfile0")).catch(() => null);
  if (file === null) return null;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex");
  } finally {
    await file.close();
  }
};

export const carryCountersOver = createCarryOver<ServerContext>({
  what: "counters",
  record,
  whereStopped,
  isInstance: async (folder) => (await readInstanceRecord(folder)) !== null,
  moveAll,
});

/** For the report, of the folder that serves. @throws RefloatError target.failed */
export const describeCarried = (folder: string): Promise<readonly string[]> => describeCarriedIn(record, folder);
