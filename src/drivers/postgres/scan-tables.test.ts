/** Looking at tables in pieces finds what a look at all at once finds; ids that come round do not hide a row. */
import { chown, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { execa } from "execa";
import { afterEach, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { postgresContext } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { readMark } from "./position.ts";
import { openLocations } from "./retired-database.ts";
import { type Scanner, scanTables } from "./scan-tables.ts";
import { inTransaction } from "../../platform/postgres/session.ts";
import { predicateSince } from "./written-predicate.ts";
import { writtenAfter } from "../../platform/postgres/written-rows.ts";
import { readWrittenTables } from "./written-tables.ts";
import { postgresWrites } from "./writes.ts";

let server: PostgresServer;
let folder: TestFolder;

const start = async (): Promise<void> => {
  server = await startPostgresServer();
  folder = await createTestFolder();
  await query(server.url("postgres"), "create database shop");
};
afterEach(async () => {
  await server.stop();
  await folder.remove();
});

const shop = (sql: string) => query(server.url("shop"), sql);
const context = () => postgresContext(server, "shop", folder.path);
const found = async (since: Awaited<ReturnType<typeof postgresWrites.position>>) =>
  (await postgresWrites.writesSince(context(), { location: null, since })).units.map(({ name, added }) => [
    name,
    added,
  ]);

test("pieces of one page, or whole tables, by two sessions see every row once, and say where the written ones lie", async () => {
  await start();
  await shop(`
    create table orders (id int primary key, filler text);
    create table events (id int, kind text) partition by list (kind);
    create table events_a partition of events for values in ('a');
    create table events_b partition of events default;
    insert into orders select i, repeat('x', 200) from generate_series(1, 1000) i;
    insert into events select i, case when i % 3 = 0 then 'a' else 'b' end from generate_series(1, 2000) i;
    create table empty (id int)`);
  const since = readMark(await postgresWrites.position(context(), null));
  await shop("update orders set filler = 'y' where id = 1; insert into events values (1, 'a'), (2, 'c')");
  const sessions = await openLocations(context(), null, 2);
  const [first, second] = sessions;
  if (first === undefined || second === undefined) throw new Error("no sessions");
  try {
    await inTransaction(first, "isolation level repeatable read read only", async () => {
      const [exported] = await first.query<{ id: string }>("select pg_export_snapshot() as id");
      await second.query(`begin isolation level repeatable read read only; set transaction snapshot '${exported?.id}'`);
      // Neither the snapshot nor the pieces know of this one.
      await shop("insert into orders select i, repeat('x', 200) from generate_series(2001, 4000) i");
      const scanners: Scanner[] = [];
      for (const session of [first, second])
        scanners.push({ session, predicate: await predicateSince(session, since, since) });
      const tables = await readWrittenTables(first);
      const look = async (pieceBlocks: number, mostInPieces: number) => {
        const scans = await scanTables(scanners, tables, {
          serverMajor: 15,
          signal: new AbortController().signal,
          pieceBlocks,
          mostInPieces,
        });
        return Object.fromEntries(tables.map(({ oid, label }) => [label, scans.get(oid)]));
      };
      const looks = [await look(10_000, 10_000), await look(1, 10_000), await look(1, 0)];
      for (const scans of looks) {
        expect(scans).toMatchObject({
          empty: { rows: 0, written: 0, place: null },
          events: { rows: 2_002, written: 2 },
          orders: { rows: 1_000, written: 1 },
        });
        expect(scans["orders"]?.place).toMatch(/^ctid /);
        const [row] = await first.query<{ id: number }>(
          `select id from only public.orders where ${scans["orders"]?.place} and ${scanners[0]?.predicate}`,
        );
        expect(row).toEqual({ id: 1 });
      }
    });
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
  }
});

/** Sets the next transaction id, as years of transactions would. Everything must be frozen. */
const setNextId = async (id: number): Promise<void> => {
  for (const { name } of await query(server.url("postgres"), "select datname as name from pg_database")) {
    await query(server.url("postgres"), `alter database ${String(name)} allow_connections true`);
    await query(server.url(String(name)), "vacuum freeze");
  }
  await query(server.url("postgres"), "checkpoint");
  await server.crash();
  const data = join(server.directory, "data");
  const { uid, gid } = await stat(data);
  // The state of these transactions, none of which was ever begun.
  const segment = join(
    data,
    "pg_xact",
    Math.floor(id / 1_048_576)
      .toString(16)
      .toUpperCase()
      .padStart(4, "0"),
  );
  await writeFile(segment, Buffer.alloc(262_144));
  await chown(segment, uid, gid);
  await execa(join(server.binaries, "pg_resetwal"), ["-f", "-x", String(id), data], { uid, gid, cwd: data });
  await server.start();
};

test("rows are found when the ids have come round since, and frozen ones are not taken for new", async () => {
  await start();
  await shop("create table orders (id int primary key); insert into orders select generate_series(1, 50)");
  const beforeFreeze = await postgresWrites.position(context(), null);
  // No server accepts rows that are more than half a round apart.
  for (const id of [2_000_000_000, 4_000_000_000, 4_294_967_040]) await setNextId(id);
  await shop("insert into orders values (100)");
  const since = await postgresWrites.position(context(), null);
  expect(BigInt(readMark(since).floor)).toBeGreaterThan(4_294_967_040n);
  const writer = new Client({ connectionString: server.url("shop") });
  await writer.connect();
  const slow = new Client({ connectionString: server.url("shop") });
  await slow.connect();
  await slow.query("begin; insert into orders values (99999)");
  const whileOpen = await postgresWrites.position(context(), null);
  for (let id = 1_000; id < 1_400; id++) await writer.query("insert into orders values ($1)", [id]);
  await slow.query("commit");
  await slow.end();
  await writer.end();
  const [now] = await shop("select pg_current_snapshot()::text as at");
  expect(BigInt(String(now?.["at"]).split(":")[0] ?? "0")).toBeGreaterThan(4_294_967_296n);
  expect(await found(since)).toEqual([["orders", 401]]);
  expect(await found(whileOpen)).toEqual([["orders", 401]]);
  await shop("vacuum freeze orders");
  expect(await found(since)).toEqual([["orders", 401]]);
  expect(await found(await postgresWrites.position(context(), null))).toEqual([]);
  // More than half a round of ids ago: told by the slower condition.
  expect(await found(beforeFreeze)).toEqual([["orders", 402]]);
  const [slowly] = await shop(
    `select count(*)::int as n from orders where ${writtenAfter(BigInt(readMark(since).floor), 4_294_968_000n)}`,
  );
  expect(slowly).toEqual({ n: 401 });
});
