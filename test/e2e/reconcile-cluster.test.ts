/** After a recovery of a whole cluster: what came after the point is read out of the stopped old side and put into the recovered one, database by database. */
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query, withClient } from "../../src/testing/query.ts";
import { declareIn } from "./support/declare.ts";
import { lookOf } from "./support/look-of.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let temporary: string;
let server: PostgresServer;
let refloat: RefloatProgram;

const shop = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => query<Row>(server.url("shop"), text);
const other = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => query<Row>(server.url("other"), text);
const environment = () => ({ TMPDIR: temporary });
const run = (...args: readonly string[]) => refloat.run(["reconcile", "1", ...args], environment());
const reconcileRun = async (number: string, ...args: readonly string[]) =>
  resultEnvelopeSchema("reconcile").parse(
    (await refloat.succeed(["reconcile", number, ...args, "--json", "--yes"], environment())).lines.at(-1),
  ).data;
const reconcile = (...args: readonly string[]) => reconcileRun("1", ...args);
const counts = async () =>
  (
    await shop(`select (select count(*)::int from customers) as customers, (select count(*)::int from orders) as orders,
      (select count(*)::int from products where price = 0) as free, (select count(*)::int from mails) as mails, (select count(*)::int from days) as days`)
  )[0];
const order = (customer: string) =>
  shop(`with c as (insert into customers (name) values ('${customer}') returning id)
        insert into orders (customer, note) select id, '${customer}' || (select string_agg(md5(n::text), '') from generate_series(1, 200) n) from c`);

const oldSide = () => join(server.directory, "data.old1");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-reconcile-cluster-"));
  await chmod(folder, 0o755);
  temporary = join(folder, "tmp");
  await mkdir(temporary);
  server = await startPostgresServer({ settings: { max_prepared_transactions: "5" } });
  const { uid, gid } = await stat(join(server.directory, "data"));
  const space = join(folder, "space");
  await mkdir(space);
  await chown(space, uid, gid);
  for (const text of [
    `create tablespace fast location '${space}'`,
    "create database shop",
    "create database other",
    "create database calm",
  ])
    await query(server.url("postgres"), text);
  await shop(`
    create table customers (id bigint generated always as identity primary key, name text unique) tablespace fast;
    create table products (id int primary key, price int, doc text);
    create table orders (id bigint generated always as identity primary key, customer bigint not null references customers, note text);
    create table mails (what text);
    create table days (day date primary key, n int) partition by range (day);
    create table days_2026 partition of days for values from ('2026-01-01') to ('2027-01-01');
    create unlogged table cache (id int primary key);
    create function mail() returns trigger language plpgsql as $$ begin insert into public.mails values ('order ' || new.id); return new; end $$;
    create trigger mailed after insert on orders for each row execute function mail();
    create index on orders (note text_pattern_ops) where note < 'a';
    insert into products select n, n, (select string_agg(md5((n * m)::text), '') from generate_series(1, 300) m) from generate_series(1, 100) n`);
  await other("create table notes (id int primary key, what text); insert into notes values (1, 'before')");
  for (const name of ["ann", "ben"]) await order(name);
  const port = await findFreePort(4);
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
        type: postgres-cluster
        data: ${join(server.directory, "data")}
        url: ${server.url("postgres")}
        ports: ${port}-${port + 3}
        programs: ${server.binaries}
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await withClient(server.url("shop"), async (client) => {
    // Written before the point and committed after it: in the point it is not.
    await client.query("begin; insert into customers (name) values ('underway')");
    await refloat.succeed(["capture", "shop"]);
    await client.query("commit");
  });
  await shop("update products set price = 0");
  for (const name of ["cem", "dora"]) await order(name);
  await shop(
    "insert into days values ('2026-03-03', 3); insert into mails values ('by hand'); insert into cache values (1); create table late (id int primary key); insert into late values (1)",
  );
  await other("insert into notes values (2, 'after'); update notes set what = 'changed' where id = 1");
  await query(server.url("postgres"), "create database fresh");
  await query(server.url("fresh"), "create table seen (id int primary key); insert into seen values (1)");
  await refloat.succeed(["recover", "shop", "--yes"]);
  await order("fay");
}, 300_000);

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("shows what only the old side has, and leaves both sides as they are", { timeout: 300_000 }, async () => {
  const before = await lookOf(oldSide());
  const shown = await run("--no-apply");
  expect(shown).toMatchObject({ exit: 0 });
  const told = shown.stdout.replaceAll(/\s+/g, " ");
  expect(told).toContain(`Mend shop, db, database other, from the old side of run 1 (${oldSide()})`);
  expect(told).toContain(`Mend shop, db, database shop, from the old side of run 1 (${oldSide()})`);
  expect(told).not.toContain("database calm");
  expect(told).toContain("LEFT db: the database fresh is not in the recovered side: it was made after the point");
  expect(told).toContain("QUIET mailed on orders, after insert");
  expect(told).toContain("LEFT OUT 3 rows of mails stay out: mails has no primary key");
  const left =
    /NOT PUT BACK, and gone from here with refloat commit 1:[^]*? db shop mails: 3 rows, as CSV in (\S+\.csv)/.exec(
      told,
    )?.[1];
  expect((await readFile(left ?? "", "utf8")).split("\n").toSorted()).toEqual([
    "",
    "by hand",
    "order 3",
    "order 4",
    "what",
  ]);
  expect(told).toContain("there is no table late any more");
  expect(told).not.toContain("cache");
  expect(await counts()).toEqual({ customers: 3, orders: 3, free: 0, mails: 3, days: 0 });
  expect(await lookOf(oldSide())).toEqual(before);
  const { stdout: report } = await refloat.succeed(["runs", "1"], environment());
  expect(report.replaceAll(/\s+/g, " ")).toContain("shop: customers_id_seq goes on after 5");
  expect((await readdir(temporary)).filter((name) => name.startsWith("."))).toEqual([]);
});

it(
  "puts in what came after the point, once, and neither the bad statement nor a mail",
  { timeout: 300_000 },
  async () => {
    const { batches } = await reconcile();
    expect(
      batches.map(({ database, tables }) => [
        database,
        tables
          .map(({ name, puts: { gone, changed } }) => [name, gone, changed] as const)
          .toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ]),
    ).toEqual([
      ["other", [["notes", 1, 0]]],
      [
        "shop",
        [
          ["customers", 3, 0],
          ["days_2026", 1, 0],
          ["orders", 2, 0],
        ],
      ],
    ]);
    expect(await counts()).toEqual({ customers: 6, orders: 5, free: 0, mails: 3, days: 1 });
    const [note] = await shop("select length(note) as length from orders where note like 'cem%'");
    expect(note).toEqual({ length: 6403 });
    expect(await other("select what from notes order by id")).toEqual([{ what: "before" }, { what: "after" }]);
    expect((await reconcile()).batches.every(({ applied }) => !applied)).toBe(true);
    await refloat.succeed(["mend", "shop", "--undo", batches[1]?.digest ?? "", "--yes"], environment());
    expect(await counts()).toMatchObject({ customers: 3, orders: 3, days: 0 });
  },
);

it(
  "takes one table with what it refers to, and rows that differ where they are named",
  { timeout: 300_000 },
  async () => {
    const { batches } = await reconcile("--only", "db:shop/orders", "--triggers");
    expect(batches.map(({ database, tables }) => [database, tables.map(({ name, asked }) => [name, asked])])).toEqual([
      [
        "shop",
        [
          ["customers", false],
          ["orders", true],
        ],
      ],
    ]);
    expect(await counts()).toMatchObject({ customers: 5, orders: 5, mails: 5, days: 0 });
    const changed = await reconcile("--only", "db:shop/products", "--rows", "changed");
    expect(changed.batches[0]?.tables).toMatchObject([{ name: "products", puts: { changed: 100 } }]);
    const [products] = await shop(
      "select count(*)::int as n, min(length(doc))::int as doc from products where price = 0",
    );
    expect(products).toEqual({ n: 100, doc: 9600 });
    expect((await run("--only", "db:nosuch")).stderr).toContain("nosuch");
  },
);

it(
  "has nothing to reconcile once the old side serves again, which no look has changed",
  { timeout: 300_000 },
  async () => {
    await refloat.succeed(["undo", "1", "--yes", "--accept-loss"], environment());
    expect((await run()).stderr).toContain("run 1 is undone");
    expect(await counts()).toMatchObject({ customers: 5, orders: 4, free: 100 });
  },
);

it(
  "leaves the old side of a server that was not shut down, whose files lack what it wrote last, and says so",
  { timeout: 300_000 },
  async () => {
    await refloat.succeed(["capture", "shop"], environment());
    await query(server.url("postgres"), "checkpoint");
    await shop(
      "insert into customers (id, name) overriding system value values (7000, 'grace'); insert into products values (7, 7, 'seven') on conflict do nothing",
    );
    await other(
      "create index on notes (what); insert into notes select n, 'killed ' || n from generate_series(10, 2000) n",
    );
    // As `pg_ctl stop -m immediate`.
    const declared = await readFile(join(folder, "refloat.yaml"), "utf8");
    const stop = `stop: kill -QUIT $(head -n 1 ${join(server.directory, "data", "postmaster.pid")})`;
    await writeFile(
      join(folder, "refloat.yaml"),
      declared.replace("        ports:", `        ${stop}\n        ports:`),
    );
    const recovered = await refloat.succeed(["recover", "shop", "--yes", "--json"], environment());
    const number = /"run":(\d+)/.exec(JSON.stringify(recovered.lines.at(-1)))?.[1] ?? "";
    const report = (await refloat.succeed(["runs", number], environment())).stdout.replaceAll(/\s+/g, " ");
    expect(report).toContain("sequences were left as they are in the point: the old side was not shut down");
    const { batches, left } = await reconcileRun(number);
    expect(batches).toEqual([]);
    expect(left.map(({ component }) => component)).toEqual(["db"]);
    expect(left[0]?.why).toContain("its server was not shut down (in production)");
  },
);
