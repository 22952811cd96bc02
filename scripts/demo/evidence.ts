/**
 * Looks, independently of Refloat's own report, at whether the story ended well: in the databases, in the exported file, and in what
 * the customers wrote down. Each finding is one that could fail.
 */
import { readFile } from "node:fs/promises";
import pg from "pg";
import { z } from "zod";
import type { Customers } from "../../examples/shop/load/customers.ts";
import { withClient } from "../../examples/shop/stage/database.ts";
import type { Shop } from "../../examples/shop/stage/shop.ts";
import { type OrderAccount, accountFor } from "./order-account.ts";

export type Finding = { readonly ok: boolean; readonly what: string };

export type ShopAccount = OrderAccount & { readonly lastExportedAt: Date | null };

const ordersSchema = z.array(z.object({ id: z.coerce.number().int(), total: z.string() }));

/** Reads the columns that are needed from a CSV file with a header; the shop's orders hold no text that needs quotes. */
const readExport = async (path: string): Promise<readonly { id: number; total: string; placedAt: Date }[]> => {
  const [header = "", ...lines] = (await readFile(path, "utf8")).trimEnd().split("\n");
  const columns = header.split(",");
  const column = (name: string): number => {
    const index = columns.indexOf(name);
    if (index < 0) throw new Error(`${path} has no column ${name}, only ${header}`);
    return index;
  };
  const [id, total, placedAt] = [column("id"), column("total"), column("placed_at")];
  return lines.map((line) => {
    const fields = line.split(",");
    return { id: Number(fields[id]), total: fields[total] ?? "", placedAt: new Date(fields[placedAt] ?? "") };
  });
};

/** @param firstNewOrder orders with a higher number than the seed's were placed by customers */
const readNewOrders = (url: string, firstNewOrder: number) =>
  withClient(url, async (client) => {
    const { rows } = await client.query("select id, total from orders where id >= $1", [firstNewOrder]);
    return ordersSchema.parse(rows);
  });

export const accountForOrders = async (
  shop: Shop,
  customers: Customers,
  exportPath: string,
  firstNewOrder: number,
): Promise<ShopAccount> => {
  const kept = await readNewOrders(shop.databaseUrl(), firstNewOrder);
  const exported = await readExport(exportPath);
  return {
    ...accountFor(customers.acknowledged, kept, exported),
    lastExportedAt: exported.reduce<Date | null>(
      (last, { placedAt }) => (last === null || placedAt > last ? placedAt : last),
      null,
    ),
  };
};

const countRows = (url: string, query: string): Promise<number> =>
  withClient(url, async (client) => {
    const { rows } = await client.query(query);
    return z.object({ count: z.coerce.number() }).parse(rows[0]).count;
  });

export const countFreeProducts = (shop: Shop, database = "shop"): Promise<number> =>
  countRows(shop.databaseUrl(database), "select count(*) from products where price <= 0");

export type KeptDatabase = { readonly name: string; readonly freeProducts: number };

/**
 * Looks into the databases that the recovery kept beside the live one, as somebody who investigates would: they are closed to everybody,
 * so each is opened for the look and closed again.
 */
export const examineKeptDatabases = (shop: Shop): Promise<readonly KeptDatabase[]> =>
  withClient(shop.databaseUrl("postgres"), async (client) => {
    const { rows } = await client.query(
      "select datname as name, datallowconn as open from pg_database where datname like 'shop\\_%' order by datname",
    );
    const found = z.array(z.object({ name: z.string(), open: z.boolean() })).parse(rows);
    const kept: KeptDatabase[] = [];
    for (const { name, open } of found) {
      const allow = (value: boolean) =>
        client.query(`alter database ${pg.escapeIdentifier(name)} allow_connections ${value}`);
      if (!open) await allow(true);
      try {
        kept.push({ name, freeProducts: await countFreeProducts(shop, name) });
      } finally {
        if (!open) await allow(false);
      }
    }
    return kept;
  });
