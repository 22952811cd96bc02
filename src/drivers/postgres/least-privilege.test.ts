/** The whole way with a user that is no superuser and has exactly what preflight told to grant. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureInto, postgresContext, readContent } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { postgresSwitching } from "./exchange.ts";
import { postgresInstances } from "./instances.ts";
import { preflightPostgres } from "./preflight.ts";
import { postgresWrites } from "./writes.ts";

let server: PostgresServer;
let folder: TestFolder;
const target = { name: "shop_r1", run: 1, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };
const exchange = { incoming: "shop_r1", outgoing: "shop_old1" };
const back = { incoming: "shop_old1", outgoing: "shop_r1" };

beforeAll(async () => {
  folder = await createTestFolder();
  server = await startPostgresServer();
  await query(
    server.url("postgres"),
    "create role shop_owner login; create role shop_reader; create role refloat login",
  );
  await query(server.url("postgres"), "create database shop owner shop_owner");
  await query(
    server.url("shop", "shop_owner"),
    `create extension pg_trgm;
     create schema app;
     create table plain (id int primary key);
     create table app.products (id serial primary key, name text);
     create index on app.products using gin (name public.gin_trgm_ops);
     create table app.orders (id serial primary key, product int references app.products, owner name);
     alter table app.orders enable row level security;
     create policy own on app.orders using (owner = current_user);
     grant select on app.products to shop_reader;
     create view app.names as select name from app.products;
     create function app.two() returns int language sql as 'select 2';
     insert into app.products (name) select 'product ' || i from generate_series(1, 5000) i;
     insert into app.orders (product, owner) select i, 'nobody' from generate_series(1, 1000) i;
     alter database shop set search_path to app, public;
     grant connect on database shop to shop_reader`,
  );
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

test("captures, restores, validates, switches, settles, tells the writes, undoes and drops", async () => {
  const context = postgresContext(server, "shop", folder.path, { more: { url: server.url("shop", "refloat") } });
  const { grants } = await preflightPostgres(context);
  for (const grant of grants) await query(server.url("shop"), grant);
  expect((await preflightPostgres(context)).findings.filter(({ ok }) => !ok)).toEqual([]);

  const vault = join(folder.path, "vault");
  const captured = await captureInto(context, vault);
  expect(captured.facts.units).toMatchObject({ "app.orders": { rows: 1_000 } });
  const report = await postgresInstances.restore(context, target, createDirectoryReader(vault), captured);
  expect(report.warnings).toEqual([]);
  expect(await postgresInstances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
  expect(await readContent(server, "shop_r1")).toEqual(await readContent(server, "shop"));

  await query(server.url("shop", "shop_owner"), "insert into app.orders (product, owner) values (1, 'lost')");
  await postgresSwitching.exchange(context, exchange, await postgresSwitching.observe(context, exchange));
  const since = captured.facts.position;
  if (since === undefined) throw new Error("no position");
  const request = { location: "shop_old1", since, against: null, exportTo: join(folder.path, "lost") };
  expect((await postgresWrites.writesSince(context, request)).units).toMatchObject([
    { name: "app.orders", added: 1, removed: 0, file: "app.orders.csv" },
  ]);
  expect(await postgresSwitching.settle?.(context, "shop_old1")).toEqual([
    "app.orders_id_seq goes on after 1001 (was at 1000)",
  ]);
  expect(
    await query(server.url("shop", "shop_owner"), "insert into orders (product, owner) values (1, 'x') returning id"),
  ).toEqual([{ id: 1002 }]);

  await postgresSwitching.exchange(context, back, await postgresSwitching.observe(context, back));
  expect(await query(server.url("shop"), "select count(*)::int as n from app.orders")).toEqual([{ n: 1_001 }]);
  await postgresSwitching.discard(context, "shop_r1");
  expect(await query(server.url("postgres"), "select datname from pg_database where datname like 'shop%'")).toEqual([
    { datname: "shop" },
  ]);
});
