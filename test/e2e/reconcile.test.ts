/** After a recovery, the orders that came in after the bad migration go into the recovered database, and the migration does not. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

describe("reconcile", () => {
  let folder: TestFolder;
  let server: PostgresServer;
  let program: RefloatInside;

  const sql = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => query<Row>(server.url("shop"), text);
  const counts = async () =>
    (
      await sql(`select (select count(*)::int from customers) as customers, (select count(*)::int from orders) as orders,
        (select count(*)::int from items) as items, (select count(*)::int from products where price = 0) as free,
        (select count(*)::int from mails) as mails, (select count(*)::int from days) as days`)
    )[0];
  const order = (customer: string) =>
    sql(`with c as (insert into customers (name) values ('${customer}') returning id),
              o as (insert into orders (customer) select id from c returning id)
         insert into items select id, n, n from o, generate_series(1, 3) n`);
  const reconcile = async (...args: readonly string[]) =>
    resultEnvelopeSchema("reconcile").parse(
      (await program.succeed(["reconcile", "1", ...args, "--json", "--yes"])).lines.at(-1),
    ).data;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-reconcile");
    await chmod(folder.path, 0o755);
    server = await startPostgresServer();
    await query(server.url("postgres"), "create database shop");
    await sql(`
      create table customers (id bigint generated always as identity primary key, name text unique, tier text default 'a');
      create table products (id int primary key, price int);
      create table orders (id bigint generated always as identity primary key, customer bigint not null references customers);
      create table items (order_id bigint references orders, line int, product int references products, primary key (order_id, line));
      create table mails (what text);
      create table days (day date primary key, n int) partition by range (day);
      create table days_2026 partition of days for values from ('2026-01-01') to ('2027-01-01');
      create function mail() returns trigger language plpgsql as $$ begin insert into public.mails values ('order ' || new.id); return new; end $$;
      create trigger mailed after insert on orders for each row execute function mail();
      insert into products select n, n from generate_series(1, 100) n`);
    for (const name of ["ann", "ben"]) await order(name);
    await mkdir(`${folder.path}/docs`);
    await writeFile(`${folder.path}/docs/a`, "a");
    await writeFile(`${folder.path}/password`, "correct horse battery staple", { mode: 0o600 });
    await writeFile(
      `${folder.path}/refloat.yaml`,
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: { db: { type: postgres, url: "${server.url("shop")}" }, docs: { type: files, path: ${folder.path}/docs } } } }
`,
    );
    program = refloatInside(folder.path);
    await program.succeed(["vault", "init"]);
    await program.succeed(["capture", "shop"]);
    await sql("update products set price = 0");
    for (const name of ["cem", "dora", "eve"]) await order(name);
    await sql("insert into days values ('2026-03-03', 3); insert into mails values ('by, hand')");
    // The damage reaches what came after the point as well.
    await sql("update customers set tier = 'x'");
    await sql("create table notes (id int primary key, what text); insert into notes values (1, 'new')");
    await program.succeed(["recover", "shop", "--yes"]);
    await order("fay");
  });

  afterAll(async () => {
    await program.close();
    await server.stop();
    await folder.remove();
  });

  it("shows what only the old side has, and changes nothing before a yes", async () => {
    expect(await counts()).toEqual({ customers: 3, orders: 3, items: 9, free: 0, mails: 3, days: 0 });
    const shown = await program.run(["reconcile", "1", "--no-apply"]);
    expect(shown).toMatchObject({ exit: 0 });
    expect(shown.stdout).toContain("from the old side of run 1 (shop_old1)");
    expect(shown.stdout).toContain("QUIET    mailed on orders, after insert");
    expect(shown.stdout).toMatch(/LEFT +docs: not made of rows/);
    const told = shown.stdout.replaceAll(/\s+/g, " ");
    expect(told).toContain("LEFT OUT 4 rows of mails stay out: mails has no primary key");
    expect(told).toContain("LEFT OUT 1 row of notes stay out: there is no table notes any more");
    expect(told).toContain("NOT PUT BACK, and gone from here with refloat commit 1: db mails: 4 rows, as CSV in ");
    expect(told).toContain(
      "16 rows come as the old side has them, with whatever changed them there after they were written: 3 rows of customers are new, 2 rows of customers that differ there stay as they are here",
    );
    expect(told).toContain(
      "3 rows of customers come back with tier x, which 2 rows that differ have there too: look whether that is the damage",
    );
    expect(shown.stdout.split("\n").findLast((line) => line.startsWith("next:"))).not.toContain("commit");
    expect(await counts()).toMatchObject({ orders: 3 });
    expect((await program.run(["reconcile", "1"])).stderr).toContain("error confirm.needed");
    expect(await counts()).toMatchObject({ orders: 3 });
  });

  it("puts the orders in with their customers and items, once, and neither the migration nor a mail", async () => {
    const { batches } = await reconcile();
    const puts = batches[0]?.tables.map(({ name, puts: { gone, changed } }) => [name, gone, changed]);
    expect(puts?.toSorted()).toEqual([
      ["customers", 3, 0],
      ["days_2026", 1, 0],
      ["items", 9, 0],
      ["orders", 3, 0],
    ]);
    expect(await counts()).toEqual({ customers: 6, orders: 6, items: 18, free: 0, mails: 3, days: 1 });
    expect((await reconcile()).batches[0]).toMatchObject({ applied: false, script: null });
    await program.succeed(["mend", "shop", "--undo", batches[0]?.digest ?? "", "--yes"]);
    expect(await counts()).toMatchObject({ customers: 3, orders: 3, items: 9, days: 0 });
  });

  it("writes rows down that nobody puts back, where they are named as well", async () => {
    const { leftOut = [], tables } = (await reconcile("--only", "db:mails")).batches[0] ?? {};
    expect(tables).toEqual([]);
    expect(leftOut).toMatchObject([{ table: "mails", rows: 4 }]);
    expect(await readFile(leftOut[0]?.file ?? "", "utf8")).toBe('what\norder 3\norder 4\norder 5\n"by, hand"\n');
    expect((await program.run(["reconcile", "1", "--only", "db:male"])).stderr).toContain("error source.unsupported");
  });

  it("takes one table with what it refers to, and rows that differ only where they are named", async () => {
    const { batches } = await reconcile("--only", "db:orders", "--triggers");
    expect(batches[0]?.tables.map(({ name, asked }) => [name, asked])).toEqual([
      ["customers", false],
      ["orders", true],
    ]);
    expect(await counts()).toMatchObject({ customers: 6, orders: 6, items: 9, mails: 6 });
    await sql("update customers set name = 'FAY' where name = 'fay'");
    await reconcile("--only", "db:products", "--rows", "changed");
    expect(await counts()).toMatchObject({ free: 100 });
  });

  it("refuses what has no old side", async () => {
    expect((await program.run(["reconcile", "1", "--only", "cache"])).stderr).toContain("error component.unknown");
    expect((await program.run(["reconcile", "9"])).stderr).toContain("error run.unknown");
    const report = (await program.run(["runs", "1"])).stdout;
    expect(report.replaceAll(/\s+/g, " ")).toContain(
      "db 4 mails: put back by no reconcile, and gone with commit but for",
    );
    expect(report).toMatch(/next: refloat undo 1\n {2}or: refloat reconcile 1$/m);
    const asked = await program.run(["commit", "1"]);
    expect(asked.stderr).toContain("error confirm.needed");
    const gone = asked.stdout.replaceAll(/\s+/g, " ");
    expect(gone).toContain(
      "unless refloat reconcile 1 has put it back or a file has it: db: 3 customers, 2 changed customers, exported to",
    );
    expect(gone).toMatch(/db: 4 mails, exported to \S+mails.csv; reconcile puts none of them back/);
    await program.succeed(["commit", "1", "--yes"]);
    const refused = await program.run(["reconcile", "1"]);
    expect(refused).toMatchObject({ exit: 3 });
    expect(refused.stderr).toContain("was committed: its old side is dropped");
  });
});
