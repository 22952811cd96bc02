/** The shop's database: its role, its schema and two years of orders. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";

const statements = join(import.meta.dirname, "../database");

export type ShopSize = {
  readonly orders: number;
  /** So many of the newest orders have their invoice on disk. */
  readonly invoices: number;
};

export type DatabaseAccess = {
  readonly port: number;
  readonly superuserPassword: string;
  readonly shopPassword: string;
};

export const shopUrl = (access: DatabaseAccess, database = "shop"): string =>
  `postgres://shop:${encodeURIComponent(access.shopPassword)}@127.0.0.1:${access.port}/${database}`;

/** Opens a connection for `work` and closes it whatever happens. */
export const withClient = async <T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

/**
 * The role owns its database and may make another beside it and end sessions: what a recovery needs, and no more. It is no superuser.
 */
const createRole = async (access: DatabaseAccess): Promise<void> => {
  const superuser = `postgres://postgres:${encodeURIComponent(access.superuserPassword)}@127.0.0.1:${access.port}/postgres`;
  await withClient(superuser, async (client) => {
    await client.query(`create role shop login createdb password ${pg.escapeLiteral(access.shopPassword)}`);
    await client.query("grant pg_signal_backend to shop");
    await client.query("create database shop owner shop");
  });
};

export const createDatabase = async (access: DatabaseAccess, size: ShopSize): Promise<void> => {
  await createRole(access);
  await withClient(shopUrl(access), async (client) => {
    await client.query("select set_config('shop.orders', $1, false), set_config('shop.invoices', $2, false)", [
      String(size.orders),
      String(size.invoices),
    ]);
    for (const file of ["schema.sql", "seed.sql", "constraints.sql"]) {
      await client.query(await readFile(join(statements, file), "utf8"));
    }
    await client.query("vacuum analyze");
  });
};
