/** Switching names under load, by compare-and-set, and under SIGKILL. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Client, Pool } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { postgresContext } from "../../testing/postgres-bench.ts";
import type { PostgresOrder } from "../../testing/postgres-child.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { postgresSwitching } from "./exchange.ts";

let server: PostgresServer;
let folder: TestFolder;

beforeAll(async () => {
  server = await startPostgresServer({ settings: { max_prepared_transactions: 4, wal_level: "logical" } });
});
afterAll(() => server.stop());

const admin = (sql: string) => query(server.url("postgres"), sql);

beforeEach(async () => {
  folder = await createTestFolder();
  await admin("create database shop");
  await admin("create database shop_r1");
  for (const name of ["shop", "shop_r1"]) {
    await query(
      server.url(name),
      "create table orders (id serial primary key, client int, at timestamptz default now())",
    );
  }
});
afterEach(async () => {
  await folder.remove();
  for (const { name } of await admin("select datname as name from pg_database where datname like 'shop%'")) {
    await admin(`alter database "${String(name)}" is_template false`);
    await admin(`drop database "${String(name)}" with (force)`);
  }
});

const exchange = { incoming: "shop_r1", outgoing: "shop_old1" };
const back = { incoming: "shop_old1", outgoing: "shop_r1" };
const context = () => postgresContext(server, "shop", folder.path);

const names = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (
      await admin(
        "select datname as name, oid::text as oid, datallowconn as open from pg_database where datname like 'shop%'",
      )
    ).map(({ name, oid, open }) => [name, `oid:${String(oid)}${open === true ? "" : " closed"}`]),
  );

test("names are switched in one act and back again; the side that is out is closed", async () => {
  const before = await postgresSwitching.observe(context(), exchange);
  expect(before).toEqual({
    stable: expect.stringMatching(/^oid:/),
    incoming: expect.stringMatching(/^oid:/),
    outgoing: null,
  });
  const report = await postgresSwitching.exchange(context(), exchange, before);
  expect(report.outgoing).toBe("shop_old1");
  expect(report.position?.mark).toMatchObject({ databaseOid: before.stable?.slice(4) });
  expect(await names()).toEqual({ shop: before.incoming, shop_old1: `${before.stable} closed` });
  await expect(query(server.url("shop_old1"), "select 1")).rejects.toThrow(/not currently accepting connections/);

  const after = await postgresSwitching.observe(context(), back);
  await postgresSwitching.exchange(context(), back, after);
  expect(await names()).toEqual({ shop: before.stable, shop_r1: `${before.incoming} closed` });
  expect(await query(server.url("shop"), "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a stable name with nothing behind it is given to the incoming side", async () => {
  await admin("drop database shop");
  const before = await postgresSwitching.observe(context(), exchange);
  expect(before.stable).toBeNull();
  const report = await postgresSwitching.exchange(context(), exchange, before);
  expect(report.position).toBeNull();
  expect(await names()).toEqual({ shop: before.incoming });

  // Its undo puts the nothing back: the recovered side gets its own name again, closed, and can come back once more.
  const after = await postgresSwitching.observe(context(), back);
  expect(after).toEqual({ stable: before.incoming, incoming: null, outgoing: null });
  await postgresSwitching.exchange(context(), back, after);
  expect(await names()).toEqual({ shop_r1: `${before.incoming} closed` });
  await expect(postgresSwitching.exchange(context(), back, after)).rejects.toMatchObject({ code: "cutover.conflict" });
  await postgresSwitching.exchange(context(), exchange, await postgresSwitching.observe(context(), exchange));
  expect(await names()).toEqual({ shop: before.incoming });
});

test("a world that is not as it was seen is left alone", async () => {
  const before = await postgresSwitching.observe(context(), exchange);
  await admin("drop database shop_r1");
  await admin("create database shop_r1");
  const changed = await names();
  await expect(postgresSwitching.exchange(context(), exchange, before)).rejects.toMatchObject({
    code: "cutover.conflict",
    state: "nothing was renamed",
  });
  const seen = await postgresSwitching.observe(context(), exchange);
  await expect(postgresSwitching.exchange(context(), exchange, { ...seen, stable: "oid:1" })).rejects.toMatchObject({
    code: "cutover.conflict",
  });
  expect(await names()).toEqual(changed);
});

test("a name for the old side that is taken is named, and nothing is renamed", async () => {
  await admin("create database shop_old1");
  const seen = await postgresSwitching.observe(context(), exchange);
  const before = await names();
  await expect(postgresSwitching.exchange(context(), exchange, seen)).rejects.toMatchObject({
    code: "cutover.conflict",
    message: 'there is a database "shop_old1" already, which is to be the name of the old side',
    state: "nothing was renamed",
  });
  expect(await names()).toEqual(before);
});

test("what cannot be renamed without harm is refused with the reason", async () => {
  await admin("alter database shop is_template true");
  await expect(postgresSwitching.observe(context(), exchange)).rejects.toMatchObject({
    code: "cutover.refused",
    message: expect.stringContaining("shop is a template"),
  });
  await admin("alter database shop is_template false");

  await query(server.url("shop"), "begin; insert into orders default values; prepare transaction 'left behind'");
  await expect(postgresSwitching.observe(context(), exchange)).rejects.toThrow(/shop has prepared transactions/);
  await query(server.url("shop"), "rollback prepared 'left behind'");

  await query(server.url("shop"), "select pg_create_logical_replication_slot('s', 'pgoutput')");
  await expect(postgresSwitching.observe(context(), exchange)).rejects.toThrow(/shop has logical replication slots/);
  await query(server.url("shop"), "select pg_drop_replication_slot('s')");

  await query(
    server.url("shop"),
    "create subscription sub connection 'dbname=nowhere' publication p with (connect = false, slot_name = none, enabled = false, create_slot = false)",
  );
  await expect(postgresSwitching.observe(context(), exchange)).rejects.toThrow(/shop has subscriptions/);
  await query(server.url("shop"), "drop subscription sub");
  await expect(postgresSwitching.observe(context(), exchange)).resolves.toBeDefined();
});

test("under load every acknowledged order is on the side that acknowledged it, and none is taken by the old side afterwards", async () => {
  const pool = new Pool({ connectionString: server.url("shop"), max: 10 });
  pool.on("error", () => undefined);
  const acknowledged: { oid: string; id: number }[] = [];
  const errors = new Set<string>();
  const stop = new AbortController();
  const client = async (number: number): Promise<void> => {
    while (!stop.signal.aborted) {
      try {
        const { rows } = await pool.query(
          `insert into orders (client) values (${number})
           returning id, (select oid::text from pg_database where datname = current_database()) as oid`,
        );
        acknowledged.push(rows[0] as { oid: string; id: number });
      } catch (error) {
        errors.add((error as { code?: string }).code ?? (error as Error).message);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  const clients = Array.from({ length: 20 }, (_, number) => client(number));
  const orders = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const poll = setInterval(() => {
        if (acknowledged.length < count) return;
        clearInterval(poll);
        resolve();
      }, 5);
    });
  await orders(200);
  const before = await postgresSwitching.observe(context(), exchange);
  await postgresSwitching.exchange(context(), exchange, before);
  const [count] = await admin("select pg_database_size('shop_old1') as n");
  expect(count).toBeDefined();
  const atSwitch = acknowledged.length;
  await orders(atSwitch + 200);
  stop.abort();
  await Promise.all(clients);
  await pool.end();

  await admin("alter database shop_old1 allow_connections true");
  const idsOf = async (database: string) =>
    new Set((await query(server.url(database), "select id from orders")).map(({ id }) => id as number));
  const [oldIds, newIds] = [await idsOf("shop_old1"), await idsOf("shop")];
  const lost = acknowledged.filter(({ oid, id }) => {
    const side =
      `oid:${oid}` === before.stable ? oldIds : `oid:${oid}` === before.incoming ? newIds : new Set<number>();
    return !side.has(id);
  });
  expect(lost).toEqual([]);
  expect(acknowledged.slice(atSwitch + 20).filter(({ oid }) => `oid:${oid}` === before.stable)).toEqual([]);
  expect(acknowledged.some(({ oid }) => `oid:${oid}` === before.incoming)).toBe(true);
  // Ended by us (a session that had not read its next question resets the connection), or asked for a name that had just moved: nothing else
  // was seen by any client.
  expect(
    [...errors].filter((code) => !["57P01", "3D000", "55000", "ECONNRESET"].includes(code) && !/terminated/.test(code)),
  ).toEqual([]);
});

test("a client that is killed between the two renames leaves both names as they were", async () => {
  const before = await postgresSwitching.observe(context(), exchange);
  const blocker = new Client({ connectionString: server.url("postgres") });
  await blocker.connect();
  await blocker.query("begin; alter database shop_r1 connection limit 7");
  const order: PostgresOrder = {
    act: "exchange",
    url: server.url("shop"),
    folder: folder.path,
    marker: "refloat/1/switch:db/1",
    exchange,
    before,
  };
  const child = fork(new URL("../../testing/postgres-child.ts", import.meta.url), {
    stdio: "inherit",
    env: { ...process.env, ORDER: JSON.stringify(order) },
  });
  // The second rename waits for the blocker: the first one is done, and not committed.
  for (;;) {
    const waiting = await admin("select 1 from pg_locks where not granted and locktype in ('transactionid', 'tuple')");
    if (waiting.length > 0) break;
    if (child.exitCode !== null) throw new Error("the child ended before it could be killed");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill("SIGKILL");
  await once(child, "exit");
  await blocker.query("rollback");
  await blocker.end();
  expect(await query(server.url("shop"), "select 1 as one")).toEqual([{ one: 1 }]);
  expect(await postgresSwitching.observe(context(), exchange)).toEqual(before);
  await postgresSwitching.exchange(context(), exchange, before);
  expect((await names())["shop"]).toBe(before.incoming);
});

test("another session's lock on the incoming side ends in a refusal, not in an outage", async () => {
  const before = await postgresSwitching.observe(context(), exchange);
  const blocker = new Client({ connectionString: server.url("postgres") });
  await blocker.connect();
  await blocker.query("begin; alter database shop_r1 connection limit 7");
  await expect(postgresSwitching.exchange(context(), exchange, before)).rejects.toMatchObject({
    code: "cutover.refused",
    state: "nothing was renamed",
  });
  await blocker.query("rollback");
  await blocker.end();
  expect(await postgresSwitching.observe(context(), exchange)).toEqual(before);
});

test("sequences of the new side go on after the old side's, which stays closed", async () => {
  for (const [name, sql] of [
    [
      "shop",
      "select setval('orders_id_seq', 5000); create sequence down increment -1; select setval('down', -70); create sequence only_old; select nextval('only_old'); create sequence fresh",
    ],
    [
      "shop_r1",
      "select setval('orders_id_seq', 4000); create sequence down increment -1; select setval('down', -9); create sequence fresh; select setval('fresh', 12)",
    ],
  ] as const) {
    await query(server.url(name), sql);
  }
  await postgresSwitching.exchange(context(), exchange, await postgresSwitching.observe(context(), exchange));
  const settle = () => postgresSwitching.settle?.(context(), "shop_old1");
  expect(await settle()).toEqual([
    "down goes on after -70 (was at -9)",
    "orders_id_seq goes on after 5000 (was at 4000)",
  ]);
  expect(await settle()).toEqual([]);
  expect(await query(server.url("shop"), "insert into orders (client) values (1) returning id")).toEqual([
    { id: 5001 },
  ]);
  expect(await query(server.url("shop"), "select nextval('fresh')::int as n")).toEqual([{ n: 13 }]);
  expect((await names())["shop_old1"]).toMatch(/closed$/);
});

test("the old side is dropped on demand, and nothing that is not an old side", async () => {
  await postgresSwitching.exchange(context(), exchange, await postgresSwitching.observe(context(), exchange));
  await expect(postgresSwitching.discard(context(), "shop")).rejects.toMatchObject({ code: "cutover.refused" });
  await expect(postgresSwitching.discard(context(), "postgres")).rejects.toMatchObject({ code: "cutover.refused" });
  await postgresSwitching.discard(context(), "shop_old1");
  await postgresSwitching.discard(context(), "shop_old1");
  expect(Object.keys(await names())).toEqual(["shop"]);
});
