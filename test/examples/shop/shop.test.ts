/** The demo shop is the ground that the demo and the benches stand on: it must be right before it is broken, and wrong as told. */
import { chmod, mkdtemp, readFile, readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Customers } from "../../../examples/shop/load/customers.ts";
import { runInRelease, startApp, stopApp } from "../../../examples/shop/stage/app-process.ts";
import { withClient } from "../../../examples/shop/stage/database.ts";
import { endProcessesIn } from "../../../examples/shop/stage/processes.ts";
import { readProxyPort } from "../../../examples/shop/stage/proxy.ts";
import { deliverRelease } from "../../../examples/shop/stage/release.ts";
import { Shop } from "../../../examples/shop/stage/shop.ts";

let shop: Shop;
let folder: string;

const get = async (path: string): Promise<{ status: number; body: unknown }> => {
  const answer = await fetch(`${shop.url}${path}`);
  return { status: answer.status, body: await answer.json() };
};

const order = async (items: readonly { product: number; quantity: number }[]) => {
  const answer = await fetch(`${shop.url}/orders`, { method: "POST", body: JSON.stringify({ customer: 1, items }) });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

const ask = async (query: string, database = "shop"): Promise<unknown> =>
  withClient(shop.databaseUrl(database), async (client) => Object.values((await client.query(query)).rows[0] ?? {})[0]);

beforeAll(async () => {
  folder = await mkdtemp(join(await realpath("/var/tmp"), "refloat-shop-"));
  await chmod(folder, 0o755);
  shop = await Shop.open({ folder: join(folder, "shop"), orders: 2_000, invoices: 40, tell: () => undefined });
});
afterAll(async () => {
  await endProcessesIn(folder);
  await rm(folder, { recursive: true, force: true });
});

describe("the demo shop", () => {
  it("serves right prices through its proxy", async () => {
    expect(await get("/health")).toEqual({ status: 200, body: { release: "2.4.0", healthy: true } });
    expect(await get("/products/1")).toEqual({
      status: 200,
      body: { id: 1, sku: "SKU-000001", name: "Product 1", price: "81.09" },
    });
    expect((await get("/products/20001")).status).toBe(404);
    expect(await ask("select count(*) from products where price <= 0")).toBe("0");
  });

  it("has an invoice on disk for each row that names one", async () => {
    const files = (await readdir(join(shop.places.uploads, "invoices"))).map((name) => `invoices/${name}`);
    expect(files).toHaveLength(40);
    expect(await ask(`select count(*) from orders where invoice = any('{${files.join()}}')`)).toBe("40");
    expect(await ask("select count(*) from orders where invoice is not null")).toBe("40");
  });

  it("takes an order: rows, exact total, an invoice that is a PDF", async () => {
    const { status, body } = await order([
      { product: 1, quantity: 2 },
      { product: 2, quantity: 1 },
    ]);
    expect({ status, body }).toEqual({
      status: 201,
      body: { id: 2001, total: "222.73", invoice: "invoices/2001.pdf" },
    });
    expect(await ask("select sum(quantity * price) from order_items where order_id = 2001")).toBe("222.73");
    const pdf = await readFile(join(shop.places.uploads, "invoices/2001.pdf"), "latin1");
    expect(pdf).toMatch(/^%PDF-1\.4\n[\s\S]*Total 222\.73[\s\S]*%%EOF\n$/);
    const startxref = Number(/startxref\n(\d+)/.exec(pdf)?.[1]);
    expect(pdf.slice(startxref, startxref + 4)).toBe("xref");
  });

  it.each([
    ["no items", { customer: 1, items: [] }],
    ["a product that does not exist", { customer: 1, items: [{ product: 20_001, quantity: 1 }] }],
    ["a customer that does not exist", { customer: 9_000, items: [{ product: 1, quantity: 1 }] }],
    [
      "one product twice",
      {
        customer: 1,
        items: [
          { product: 1, quantity: 1 },
          { product: 1, quantity: 2 },
        ],
      },
    ],
    ["a negative quantity", { customer: 1, items: [{ product: 1, quantity: -1 }] }],
  ])("refuses an order with %s and keeps no row of it", async (_, body) => {
    const answer = await fetch(`${shop.url}/orders`, { method: "POST", body: JSON.stringify(body) });
    expect(answer.status).toBe(400);
    expect(await ask("select max(id) from orders")).toBe("2001");
  });

  it("breaks by its upgrade as the story tells, and customers notice while pages answer 200", async () => {
    const customers = new Customers({
      url: shop.url,
      ordersPerSecond: 20,
      logPath: join(folder, "customers.jsonl"),
      calm: { durationMs: 200, answers: 5 },
      patienceMs: 10_000,
    });
    await customers.begin();
    try {
      await customers.until(({ acknowledged }) => acknowledged.length >= 10, AbortSignal.timeout(60_000));
      expect(customers.incidents).toEqual([]);
      await shop.upgrade("2.5.0");
      await customers.until(({ incidents }) => incidents.length > 0, AbortSignal.timeout(60_000));
    } finally {
      await customers.end();
    }
    expect(customers.incidents[0]?.reason).toMatch(/^price \d+\.\d\d instead of \d+\.\d\d for product \d+$/);
    expect(await readProxyPort(shop.proxy.socket)).toBe(shop.appPorts[1]);
    expect(await get("/products/1")).toMatchObject({ status: 200, body: { price: "0.00" } });
    expect(await get("/health")).toEqual({
      status: 503,
      body: { release: "2.5.0", healthy: false, reason: "price 0 on 18204 products" },
    });
    const ids = customers.acknowledged.map(({ id }) => id);
    expect(await ask(`select count(*) from orders where id = any('{${ids.join()}}')`)).toBe(String(ids.length));
  });

  it("2.5.0 fails on the schema of 2.4.0 until the corrected migration has run, once or twice", async () => {
    await withClient(shop.databaseUrl("postgres"), (client) => client.query("create database shop_before"));
    await withClient(shop.databaseUrl("shop_before"), async (client) => {
      await client.query("create table schema_versions (version text primary key)");
      await client.query("create table products (id int, sku text, name text, price numeric(10, 2), on_sale boolean)");
      await client.query("insert into products values (1, 'SKU-000001', 'Product 1', 81.09, true)");
    });
    const release = await deliverRelease("2.5.0", join(folder, "shop/trial"));
    const databaseUrl = shop.databaseUrl("shop_before");
    const surroundings = { release, databaseUrl, uploads: shop.places.uploads, logFile: join(folder, "trial.log") };
    const app = await startApp({ ...surroundings, port: shop.appPorts[0] });
    try {
      const page = `http://127.0.0.1:${app.port}/products/1`;
      expect((await fetch(page)).status).toBe(500);
      for (let time = 0; time < 2; time += 1) {
        await runInRelease("migrate-fixed.js", surroundings);
        expect(await (await fetch(page)).json()).toMatchObject({ price: "81.09", discount: 20, due: "64.87" });
      }
    } finally {
      await stopApp(app);
    }
  });

  it("ends every program that it started, and only those", async () => {
    const bystander = process.pid;
    expect(await endProcessesIn(shop.places.folder)).toBeGreaterThanOrEqual(3);
    expect(await endProcessesIn(shop.places.folder)).toBe(0);
    await expect(fetch(`${shop.url}/alive`)).rejects.toThrow("fetch failed");
    expect(process.kill(bystander, 0)).toBe(true);
  });
});
