/** What a real server's log tells of its transactions, read from the stored bytes and compared with what was done. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { LogChange } from "../../core/ports/logs.ts";
import { archiveAll, archiveOf, archivedLog, archiving, segmentBytes } from "../../testing/archived-log.ts";
import { clusterContext } from "../../testing/cluster-bench.ts";
import { collect } from "../../testing/collect.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";
import { nameFiles } from "./name-files.ts";
import { readWalChanges } from "./wal-changes.ts";
import { createLogSpan } from "../../testing/log-span.ts";

let folder: TestFolder;
let server: PostgresServer;
let changes: readonly LogChange[];
/** By what was done, the number of its transaction. */
const numbers = new Map<string, string>();

const sql = async (text: string, database = "postgres"): Promise<string> =>
  String(Object.values((await query(server.url(database), text))[0] ?? {})[0]);

/** In one transaction. */
const note = (name: string, statements: readonly string[], end: "commit" | "rollback" = "commit", database = "bench") =>
  withClient(server.url(database), async (client) => {
    await client.query("begin");
    for (const text of statements) await client.query(text);
    const { rows } = await client.query<{ xid: string }>("select pg_current_xact_id()::xid::text as xid");
    numbers.set(name, rows[0]?.xid ?? "");
    await client.query(end);
  });

const changeOf = (name: string): LogChange | undefined =>
  changes.find(({ target }) => target === `xid ${numbers.get(name)}`);

beforeAll(async () => {
  folder = await createTestFolder("refloat-changes");
  server = await startPostgresServer({ settings: { ...archiving, full_page_writes: "on", autovacuum: "off" } });
  await sql("create database bench");
  await sql("create database doomed");
  await sql("create table products (id int primary key, price int, note text)", "bench");
  await sql("create table old as select n from generate_series(1, 10) n", "bench");
  await sql("insert into products select n, n, 'x' from generate_series(1, 2000) n", "bench");
  await sql("select pg_switch_wal()");
  const from =
    (bytesBefore(await sql("select pg_current_wal_insert_lsn()::text")) / BigInt(segmentBytes)) * BigInt(segmentBytes);
  await sql("checkpoint");
  await note("few", ["update products set price = 5 where id < 10"]);
  await note("zeroed", ["update products set price = 0"]);
  await note("undone", ["delete from products"], "rollback");
  await note("within", [
    "savepoint one",
    "delete from products where id <= 150",
    "release one",
    "savepoint two",
    "delete from products where id <= 600",
    "rollback to two",
  ]);
  await note("copied", ["insert into products select 5000 + n, 1, 'y' from generate_series(1, 700) n"]);
  await note("many at once", ["create table loaded as select n, 'row' as word from generate_series(1, 3000) n"]);
  await note("temporary", ["create temporary table t as select n from generate_series(1, 5000) n"]);
  await note("column", ["alter table products add column extra int"]);
  await note("no column", ["alter table products drop column note"]);
  await note("emptied", ["truncate loaded"]);
  await note("dropped", ["drop table old"]);
  await sql("select pg_create_restore_point('before import')", "bench");
  await sql("drop database doomed");
  await sql("analyze products", "bench");
  const to = await archiveAll(server);
  const span = createLogSpan({ from: positionAfter(from), to });
  const { read } = archivedLog(archiveOf(server));
  const request = { span, from: span.from, read, signal: new AbortController().signal };
  changes = await collect(readWalChanges(request));
}, 300_000);

afterAll(async () => {
  await server.stop();
  await folder.remove();
});

it("counts the rows of what was committed, those of savepoints among them", () => {
  expect(changeOf("zeroed")).toMatchObject({ what: "rows: 2,000 updated", weight: 2000, isNotable: false });
  expect(changeOf("within")).toMatchObject({ what: "rows: 150 deleted", weight: 150 });
  expect(changeOf("copied")).toMatchObject({ what: "rows: 700 inserted", weight: 700 });
  expect(changeOf("many at once")?.weight).toBe(3000);
  expect(Math.abs(Date.parse(changeOf("zeroed")?.at ?? "") - Date.now())).toBeLessThan(3_600_000);
});

it.each(["few", "undone", "temporary"])("says nothing of what changed little or nothing: %s", (name) => {
  expect(numbers.get(name)).toMatch(/^\d+$/);
  expect(changeOf(name)).toBeUndefined();
});

it("tells what was done to definitions, however small it is", () => {
  expect(changeOf("column")).toMatchObject({ what: "columns of tables altered", isNotable: true });
  expect(changeOf("no column")).toMatchObject({ what: "columns of tables altered", isNotable: true });
  expect(changeOf("emptied")?.what).toMatch(/files of tables and indexes emptied or written anew$/);
  expect(changeOf("dropped")?.what).toMatch(/files? of tables and indexes dropped$/);
  expect(changes.map(({ target }) => target)).toContain("restore point before import");
  expect(changes.map(({ what }) => what)).toContain("1 database dropped");
});

it("names the tables that are still there, by their database", async () => {
  const subjects = [...(changeOf("zeroed")?.subjects ?? []), ...(changeOf("many at once")?.subjects ?? [])];
  expect(subjects).toHaveLength(2);
  const names = await nameFiles(await clusterContext(server, folder.path), [...subjects, "99/1"]);
  // What was emptied has another file since.
  expect([...names.values()]).toEqual(["bench/products"]);
});
