/** The contract of component drivers, on a database that is switched by two renames. */
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";
import type { ComponentDriver } from "../../core/ports/driver.ts";
import { describeComponentDriver, type DriverBench } from "../../testing/component-driver-contract.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { captureInto, postgresContext, readContent } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { postgresBundle } from "./postgres-bundle.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const [driver] = postgresBundle.components as [ComponentDriver];
let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server.stop());

let opened = 0;

const openBench = async (): Promise<DriverBench> => {
  const folder = await createTestFolder("refloat-postgres-contract");
  const database = `shop_${(opened += 1)}`;
  await query(server.url("postgres"), `create database ${database}`);
  await query(
    server.url(database),
    `create table customers (id int primary key, name text);
     create table orders (id bigint generated always as identity primary key, customer int references customers, total numeric(10,2));
     create view totals as select customer, sum(total) as total from orders group by customer;
     insert into customers values (1, 'ann'), (2, 'bob');
     insert into orders (customer, total) select 1 + n % 2, n from generate_series(1, 200) n`,
  );
  const context = postgresContext(server, database, folder.path);
  let captures = 0;
  return {
    driver,
    context,
    capture: () => captureInto(context, join(folder.path, `vault-${(captures += 1)}`)),
    open: async () => createDirectoryReader(join(folder.path, `vault-${captures}`)),
    write: async () =>
      void (await query(
        server.url(database),
        "update customers set name = 'eve' where id = 1; insert into orders (customer, total) values (2, 7); drop view totals",
      )),
    content: async (location) => {
      const name = location ?? database;
      const allow = (isAllowed: boolean) =>
        query(server.url("postgres"), `alter database ${name} allow_connections ${isAllowed}`);
      const [row] = await query<{ open: boolean }>(
        server.url("postgres"),
        `select datallowconn as open from pg_database where datname = '${name}'`,
      );
      // The side that is out is closed; it is read by whoever may open it.
      if (row?.open === false) await allow(true);
      try {
        return JSON.stringify(await readContent(server, name));
      } finally {
        if (row?.open === false) await allow(false);
      }
    },
    close: folder.remove,
  };
};

describeComponentDriver("a database of PostgreSQL", openBench);
