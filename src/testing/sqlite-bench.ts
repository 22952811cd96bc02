/** What tests of the SQLite driver share: databases to capture, contexts, and their content read by SQLite itself. */
import { createHash } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { lstatSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { ComponentDriver, DriverContext } from "../core/ports/driver.ts";
import { sqliteBundle } from "../drivers/sqlite/sqlite-bundle.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { createDirectorySink } from "./directory-vault.ts";
import { createTestContext } from "./driver-context.ts";

export type JournalMode = "wal" | "delete" | "truncate" | "persist";

const firstOf = <Driver>(drivers: readonly Driver[]): Driver => {
  const [driver] = drivers;
  if (driver === undefined) throw new Error("the bundle has no driver");
  return driver;
};
export const sqliteDriver: ComponentDriver = firstOf(sqliteBundle.components);

export const sqliteContext = (
  folder: string,
  options: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): DriverContext =>
  createTestContext<unknown>({ options, folder, component: "db", ...(signal === undefined ? {} : { signal }) });

export const withDatabase = <Result>(path: string, act: (database: DatabaseSync) => Result): Result => {
  const database = new DatabaseSync(path, { timeout: 10_000 });
  try {
    return act(database);
  } finally {
    database.close();
  }
};

export const runSql = (path: string, sql: string): void => withDatabase(path, (database) => database.exec(sql));

export const queryRows = (path: string, sql: string, ...values: SQLInputValue[]): Record<string, unknown>[] =>
  withDatabase(path, (database) => database.prepare(sql).all(...values));

export const accounts = 100;
export const balance = 1_000;

/** Accounts whose balances add up to a constant, and a log of the transfers between them. */
export const createLedger = (path: string, mode: JournalMode): void =>
  runSql(
    path,
    `pragma journal_mode = ${mode};
     create table accounts (id integer primary key, balance integer not null);
     create table transfers (id integer primary key, source integer not null references accounts, target integer not null references accounts, amount integer not null);
     with recursive n(i) as (select 1 union all select i + 1 from n where i < ${accounts})
       insert into accounts select i, ${balance} from n;
     create table padding (id integer primary key, body blob);
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
       insert into padding select i, randomblob(2000) from n;`,
  );

/** All tables with all values, in one comparable string; the same whatever the journal mode. */
export const readContent = (path: string): string =>
  withDatabase(path, (database) => {
    const hash = createHash("sha256");
    const tables = database.prepare("select name, sql from sqlite_schema where type = 'table' order by name").all();
    for (const { name, sql } of tables) {
      hash.update(`${String(name)} ${String(sql)}\n`);
      const statement = database.prepare(`select * from "${String(name).replaceAll('"', '""')}"`);
      statement.setReadBigInts(true);
      for (const row of statement.iterate())
        for (const value of Object.values(row)) {
          // A blob byte by byte in JSON would take longer than all that is tested.
          if (value instanceof Uint8Array) hash.update(`blob ${value.length} `).update(value);
          else hash.update(`${typeof value} ${JSON.stringify(String(value))}\n`);
        }
    }
    return hash.digest("hex");
  });

/** The same of a file, or of all databases of a folder. */
export const readAllContent = (path: string): string =>
  lstatSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith(".db"))
        .toSorted()
        .map((name) => `${name} ${readContent(join(path, name))}`)
        .join("\n")
    : readContent(path);

/** Captures into `vault`, which is made. */
export const captureSqliteInto = async (context: DriverContext, vault: string): Promise<CapturedComponent> => {
  await mkdir(vault, { recursive: true });
  const report = await sqliteDriver.capture(context, createDirectorySink(vault), null);
  return {
    name: context.component,
    driver: sqliteDriver.type,
    snapshot: "0".repeat(64) as SnapshotId,
    newBytes: 0,
    sizeBytes: report.facts.sizeBytes,
    finishedAt: report.window.endAt,
    ...report,
  };
};

/** Moves money between the accounts of one database, or of two in one transaction, until it is killed. Says so after the first transfer. */
const transferProgram = `
const { DatabaseSync } = require("node:sqlite");
const [first, second] = process.argv.slice(1);
const database = new DatabaseSync(first, { timeout: 60000 });
if (second !== undefined) database.prepare("attach ? as other").run(second);
const there = second === undefined ? "main" : "other";
const pick = () => 1 + Math.floor(Math.random() * ${accounts});
for (let count = 0; ; count += 1) {
  const [source, target, amount] = [pick(), pick(), 1 + Math.floor(Math.random() * 20)];
  database.exec("begin immediate");
  database.exec("update main.accounts set balance = balance - " + amount + " where id = " + source);
  database.exec("update " + there + ".accounts set balance = balance + " + amount + " where id = " + target);
  database.exec("insert into main.transfers values (null, " + [source, target, amount] + ")");
  database.exec("update main.padding set body = randomblob(2000) where id = " + source);
  database.exec("commit");
  if (count === 0) console.log("begun");
}`;

export type Writer = { readonly pid: number; readonly kill: () => Promise<void> };

/** Runs a program text in a process of its own until it says something. */
export const startProcess = async (program: string, args: readonly string[]): Promise<Writer> => {
  const child = spawn(process.execPath, ["-e", program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  await Promise.race([
    once(child.stdout, "data"),
    ended.then(() => {
      throw new Error("the process ended before it began");
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
};

export const startTransfers = (...databases: readonly string[]): Promise<Writer> =>
  startProcess(transferProgram, databases);

/** Opens a database, runs statements and keeps it open until it is killed. */
export const startHolder = (path: string, sql: string): Promise<Writer> =>
  startProcess(
    `const { DatabaseSync } = require("node:sqlite");
     const [path, sql] = process.argv.slice(1);
     const database = new DatabaseSync(path);
     database.exec(sql);
     console.log("open");
     setInterval(() => database.isOpen, 1000);`,
    [path, sql],
  );
