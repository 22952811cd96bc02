/** What was written after a position: against the restored copy, alone, and where neither can tell. */
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureInto, postgresContext } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import type { Position } from "../../model/facts.ts";
import { postgresSwitching } from "./exchange.ts";
import { postgresInstances } from "./instances.ts";
import { postgresWrites } from "./writes.ts";

let server: PostgresServer;
let folder: TestFolder;
const target = { name: "shop_r1", run: 1, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };

const schema = `
  create table orders (id serial primary key, product text, paid boolean, ip inet, note char(5), at timestamptz default now());
  create table lines (order_id int, n int, what text, primary key (order_id, n));
  create table audit (what text);
  create table events (id int, kind text, primary key (id, kind)) partition by list (kind);
  create table events_a partition of events for values in ('a');
  create table events_b partition of events default;
  create table "Odd ""name" (k text unique not null, v json);
  create table idle (id int primary key);
  create table sessions (id int primary key);
  insert into orders (product, paid, ip, note) select 'p' || i, i % 2 = 0, '10.0.0.1', 'ab' from generate_series(1, 1000) i;
  insert into lines select 1 + i / 2, i % 2, 'x' from generate_series(0, 99) i;
  insert into audit select 'old ' || i from generate_series(1, 10) i;
  insert into events select i, 'a' from generate_series(1, 10) i;
  insert into "Odd ""name" values ('one', '{"a": 1}'), ('two', null);
  insert into idle select generate_series(1, 100);
  insert into sessions select generate_series(1, 5)`;

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server.stop());

const admin = (sql: string) => query(server.url("postgres"), sql);
const shop = (sql: string) => query(server.url("shop"), sql);

let captured: CapturedComponent;
let since: Position;

const context = () => postgresContext(server, "shop", folder.path, { more: { excludeData: ["sessions"] } });

const restore = () =>
  postgresInstances.restore(context(), target, createDirectoryReader(join(folder.path, "vault")), captured);

const capture = async (): Promise<void> => {
  captured = await captureInto(context(), join(folder.path, "vault"));
  if (captured.facts.position === undefined) throw new Error("no position");
  since = captured.facts.position;
};

beforeEach(async () => {
  folder = await createTestFolder();
  await admin("create database shop");
  await shop(schema);
});
afterEach(async () => {
  await folder.remove();
  for (const { name } of await admin("select datname as name from pg_database where datname like 'shop%'")) {
    await admin(`drop database "${String(name)}" with (force)`);
  }
});

const damage = `
  insert into orders (product, paid, ip, note, at) values (E'tab\\t, "quoted"', true, '::1', 'c', '2001-02-03 04:05:06+00'), (null, null, null, '', '2002-02-03 04:05:06+00');
  update orders set paid = not paid where id in (3, 4, 5);
  update orders set paid = paid where id in (10, 11);
  delete from orders where id between 20 and 26;
  update lines set n = n + 10 where order_id = 1;
  insert into audit values ('new 1'), ('new 2');
  insert into events values (11, 'a'), (12, 'zzz');
  update events set kind = 'moved' where id = 1;
  insert into "Odd ""name" values ('three', '[]');
  update "Odd ""name" set v = '{"a": 2}' where k = 'one';
  delete from idle where id > 98;
  insert into sessions values (99);
  create table brand_new (id int);
  insert into brand_new values (1)`;

test("against the restored copy: added, changed and removed rows by key, exported, and what cannot be told", async () => {
  await capture();
  await restore();
  await shop(damage);
  const report = await postgresWrites.writesSince(context(), {
    location: null,
    since,
    against: target.name,
    exportTo: join(folder.path, "lost"),
  });
  expect(Object.fromEntries(report.units.map(({ name, ...counts }) => [name, counts]))).toEqual({
    orders: { added: 2, changed: 3, removed: 7, file: "orders.csv", changedFile: "changed/orders.csv" },
    lines: { added: 2, changed: 0, removed: 2, file: "lines.csv" },
    audit: { added: 2, changed: 0, removed: 0, file: "audit.csv", byHand: true },
    events: { added: 3, changed: 0, removed: 1, file: "events.csv" },
    '"Odd ""name"': {
      added: 1,
      changed: 1,
      removed: 0,
      file: expect.stringMatching(/^_Odd_+name_-\d+\.csv$/),
      changedFile: expect.stringMatching(/^changed\/_Odd_+name_-\d+\.csv$/),
    },
    idle: { added: 0, changed: 0, removed: 2 },
    brand_new: { added: 1, changed: 0, removed: 0, file: "brand_new.csv", byHand: true },
  });
  expect(report.gaps).toEqual([
    "audit has no primary key: changed rows count as added, deleted ones are not seen",
    "sessions: its rows were left out of the point, as declared",
  ]);
  // Rows 3 to 5 were changed and are older than the added ones' own times.
  expect(Date.parse(report.lastWriteAt ?? "")).toBeGreaterThan(Date.parse("2002-02-03T04:05:06Z"));
  expect(await readFile(join(folder.path, "lost", "orders.csv"), "utf8")).toBe(
    'id,product,paid,ip,note,at\n1001,"tab\t, ""quoted""",t,::1,c    ,2001-02-03 04:05:06+00\n1002,,,,     ,2002-02-03 04:05:06+00\n',
  );
  // Rows that were only touched have the values of the point.
  const changed = (await readFile(join(folder.path, "lost/changed/orders.csv"), "utf8")).trimEnd().split("\n");
  const idAndPaid = "select id::text || ',' || case when paid then 't' else 'f' end as row from";
  const now = await query(server.url("shop"), `${idAndPaid} orders where id in (3, 4, 5) order by id`);
  expect(changed[0]).toBe("id,product,paid,ip,note,at");
  expect(
    changed
      .slice(1)
      .map((row) => row.replace(/^(\d+),[^,]*,([tf]),.*$/, "$1,$2"))
      .sort(),
  ).toEqual(now.map(({ row }) => row));
  expect((await readdir(join(folder.path, "lost"), { recursive: true })).filter((n) => n.endsWith(".tmp"))).toEqual([]);
});

test("nothing was written: nothing is reported, although rows lie between the snapshot's bounds", async () => {
  // A transaction elsewhere in the cluster holds the snapshot's lower bound back.
  const elsewhere = new Client({ connectionString: server.url("postgres") });
  await elsewhere.connect();
  await elsewhere.query("begin; select pg_current_xact_id()");
  await shop("insert into orders (product) values ('after the old transaction began')");
  await capture();
  await restore();
  const alone = await postgresWrites.writesSince(context(), { location: null, since });
  const against = await postgresWrites.writesSince(context(), { location: null, since, against: target.name });
  await elsewhere.query("rollback");
  await elsewhere.end();
  expect(alone).toEqual({ lastWriteAt: null, units: [], gaps: [] });
  expect(against.units).toEqual([]);
  expect(against.lastWriteAt).toBeNull();
});

test("rows of a transaction that was running at the capture are found, those of its savepoints too", async () => {
  const slow = new Client({ connectionString: server.url("shop") });
  await slow.connect();
  await slow.query(
    "begin; insert into orders (product) values ('slow'); savepoint a; insert into orders (product) values ('inner')",
  );
  await shop("insert into orders (product) values ('quick')");
  await capture();
  await slow.query("commit");
  await slow.end();
  await restore();
  const report = await postgresWrites.writesSince(context(), {
    location: null,
    since,
    against: target.name,
    exportTo: join(folder.path, "lost"),
  });
  expect(report.units).toMatchObject([{ name: "orders", added: 2, changed: 0, removed: 0 }]);
  const csv = await readFile(join(folder.path, "lost", "orders.csv"), "utf8");
  expect(csv).toMatch(/slow/);
  expect(csv).toMatch(/inner/);
  expect(csv).not.toMatch(/quick/);
});

test("after a cutover: the closed old side is read against the new one and stays closed; the new side is judged alone", async () => {
  await capture();
  await restore();
  await shop("insert into orders (product) values ('lost')");
  const exchange = { incoming: target.name, outgoing: "shop_old1" };
  await postgresSwitching.exchange(context(), exchange, await postgresSwitching.observe(context(), exchange));
  const fresh = await postgresWrites.position(context(), null);
  const lost = await postgresWrites.writesSince(context(), { location: "shop_old1", since, against: null });
  expect(lost.units).toMatchObject([{ name: "orders", added: 1, changed: 0, removed: 0 }]);
  await expect(query(server.url("shop_old1"), "select 1")).rejects.toThrow(/not currently accepting/);

  const since2 = { location: null, since: fresh, exportTo: join(folder.path, "new") };
  expect(await postgresWrites.writesSince(context(), since2)).toEqual({ lastWriteAt: null, units: [], gaps: [] });
  await shop("insert into orders (product) values ('a'), ('b')");
  const written = await postgresWrites.writesSince(context(), since2);
  expect(written.units).toMatchObject([{ name: "orders", added: 2, file: "orders.csv" }]);
  expect(Math.abs(Date.parse(written.lastWriteAt ?? "") - Date.now())).toBeLessThan(60_000);
});

test("a position of another cluster or database compares every row", async () => {
  await capture();
  await restore();
  await shop("insert into orders (product) values ('lost'); insert into audit values ('lost')");
  const foreign = { ...since, mark: { ...since.mark, systemIdentifier: "1" } };
  const report = await postgresWrites.writesSince(context(), { location: null, since: foreign, against: target.name });
  expect(report.units).toMatchObject([{ name: "orders", added: 1, changed: 0 }]);
  expect(report.gaps).toContain("audit has no primary key and could not be compared");
});

test("an estimate names the tables that grew, and nothing when nothing was written", async () => {
  // Statistics reach the shared memory when their session ends.
  await capture();
  const first = await postgresWrites.estimateSince?.(context(), since);
  expect(first).toEqual({ about: "no rows", lastWriteAt: since.takenAt });
  await shop(
    "insert into orders (product) select 'x' from generate_series(1, 312); insert into events values (50, 'b'), (51, 'a')",
  );
  const second = await postgresWrites.estimateSince?.(context(), since);
  expect(second?.about).toBe("about 312 orders, 2 events");
  expect(Date.parse(second?.lastWriteAt ?? "")).toBeGreaterThan(Date.parse(since.takenAt) - 1_000);
  const old = { ...since, mark: { ...since.mark, databaseOid: "1" } };
  expect(await postgresWrites.estimateSince?.(context(), old)).toBeNull();
});

test("an estimate of rows that were put back, with their times of before, says that they are lost and not when they came", async () => {
  await shop(
    "create table notes (id int primary key, written timestamptz); insert into notes values (1, '2020-01-01')",
  );
  await capture();
  await shop("drop table notes; create table notes (id int primary key, written timestamptz)");
  await shop("insert into notes values (1, '2020-01-01'), (2, '2020-01-02')");
  expect(await postgresWrites.estimateSince?.(context(), since)).toEqual({ about: "about 2 notes", lastWriteAt: null });
  await shop("drop table notes");
});

test("a database that was restored knows what was written to it since, against any later restore of the same point", async () => {
  await capture();
  await restore();
  const exchange = { incoming: target.name, outgoing: "shop_old1" };
  await postgresSwitching.exchange(context(), exchange, await postgresSwitching.observe(context(), exchange));
  expect(await postgresWrites.estimateSince?.(context(), since)).toEqual({
    about: "no rows",
    lastWriteAt: since.takenAt,
  });
  await shop(damage);
  expect((await postgresWrites.estimateSince?.(context(), since))?.about).toBe(
    "about 3 events, 2 audit, 2 orders, 3 more tables, 18 changed or deleted rows",
  );

  const again = { name: "shop_r2", run: 2, runUid: "0b8f2f3e-2222-4222-8333-444455556666" };
  const vault = createDirectoryReader(join(folder.path, "vault"));
  await postgresInstances.restore(context(), again, vault, captured);
  const request = { location: null, since, against: again.name, exportTo: join(folder.path, "lost") };
  const report = await postgresWrites.writesSince(context(), request);
  expect(
    Object.fromEntries(report.units.map(({ name, file: _file, changedFile: _changed, ...counts }) => [name, counts])),
  ).toEqual({
    orders: { added: 2, changed: 3, removed: 7 },
    lines: { added: 2, changed: 0, removed: 2 },
    // Without a key rows are told apart by what wrote them alone, which no comparison of all rows could do.
    audit: { added: 2, changed: 0, removed: 0, byHand: true },
    events: { added: 3, changed: 0, removed: 1 },
    '"Odd ""name"': { added: 1, changed: 1, removed: 0 },
    idle: { added: 0, changed: 0, removed: 2 },
    brand_new: { added: 1, changed: 0, removed: 0, byHand: true },
  });

  // A comment that was carried to another database says nothing about that one: all rows are compared.
  const [row] = await admin(
    "select oid::text as oid, shobj_description(oid, 'pg_database') as comment from pg_database where datname = 'shop'",
  );
  const comment = String(row?.["comment"]);
  await admin(`comment on database shop is '${comment.replace(/\d+$/, "1")}'`);
  const all = await postgresWrites.writesSince(context(), request);
  expect(all.units.filter(({ name }) => name !== "audit")).toEqual(report.units.filter(({ name }) => name !== "audit"));
  expect(all.gaps).toContain("audit has no primary key and could not be compared");
});

test("recovered, written to, captured, written to again: the second recovery finds what its own point lacks", async () => {
  await capture();
  await restore();
  const exchange = { incoming: target.name, outgoing: "shop_old1" };
  await postgresSwitching.exchange(context(), exchange, await postgresSwitching.observe(context(), exchange));
  await shop(
    "insert into orders (product) values ('between the recovery and the second point'); insert into audit values ('then')",
  );
  const second = join(folder.path, "second");
  const later = await captureInto(context(), second);
  await shop(
    "insert into orders (product) values ('lost'); insert into audit values ('lost'); delete from idle where id < 4",
  );
  const again = { name: "shop_r2", run: 2, runUid: "0b8f2f3e-2222-4222-8333-444455556666" };
  await postgresInstances.restore(context(), again, createDirectoryReader(second), later);
  const [row] = await admin(
    "select shobj_description(oid, 'pg_database') as comment from pg_database where datname = 'shop_r2'",
  );
  expect(
    String(row?.["comment"])
      .split("\n")
      .filter((line) => line.startsWith("refloat")),
  ).toHaveLength(1);
  if (later.facts.position === undefined) throw new Error("no position");
  const found = async (location: string | null, against: string | null) =>
    (
      await postgresWrites.writesSince(context(), {
        location,
        since: later.facts.position ?? since,
        against,
        exportTo: join(folder.path, "lost"),
      })
    ).units.map(({ name, added, changed, removed }) => [name, added, changed, removed]);
  const lost = [
    ["audit", 1, 0, 0],
    ["idle", 0, 0, 3],
    ["orders", 1, 0, 0],
  ];
  expect(await found(null, again.name)).toEqual(lost);
  const swap = { incoming: again.name, outgoing: "shop_old2" };
  await postgresSwitching.exchange(context(), swap, await postgresSwitching.observe(context(), swap));
  expect(await found("shop_old2", null)).toEqual(lost);
  expect(await readFile(join(folder.path, "lost", "audit.csv"), "utf8")).toBe("what\nlost\n");
});

test("rows that were only deleted are noticed when the statistics are gone, and said to be unknown where nothing was counted", async () => {
  const position = await postgresWrites.position(context(), null);
  const lookAlone = (from: Position) => postgresWrites.writesSince(context(), { location: null, since: from });
  expect(await lookAlone(position)).toEqual({ lastWriteAt: null, units: [], gaps: [] });
  await shop("delete from orders where id <= 7; delete from audit where what = 'old 1'");
  await shop("select pg_stat_reset()");
  const { units, gaps } = await lookAlone(position);
  expect(units).toEqual([
    { name: "audit", added: 0, changed: 0, removed: 1 },
    { name: "orders", added: 0, changed: 0, removed: 7 },
  ]);
  expect(gaps).toEqual([]);

  const { rows: _rows, ...uncounted } = position.mark;
  const unknown = await lookAlone({ ...position, mark: uncounted });
  expect(unknown.units).toEqual([]);
  expect(unknown.gaps).toContain("orders: deleted rows cannot be told, the server's statistics do not reach back");
});
