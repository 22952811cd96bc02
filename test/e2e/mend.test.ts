/** Single rows back from a point into a real database that goes on being written to: what differs, what is gone, and nothing else. */
import { chmod, readFile, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

const schema = String.raw`
  create type mood as enum ('sad', 'it''s fine', 'glad');
  create domain price as numeric(10,2) check (value >= 0);
  create type size as (width int, height int);
  create table customers (id int primary key, email text not null unique);
  create table orders (id bigint generated always as identity primary key, customer int not null references customers, note text);
  create table order_items (order_id bigint references orders, line int, sku text, primary key (order_id, line));
  create table products (
    sku text primary key, price price not null, tags text[], doc json, docb jsonb, spot point, raw bytea, seen timestamptz, mood mood,
    size size, live boolean, padded char(6), ratio float8, took interval, twice numeric generated always as (price * 2) stored);
  create table "odd ""name"".b" ("a, b" int, "select" text, primary key ("a, b"));
  create table keyless (a int);
  create table events (id int, at date, primary key (id, at)) partition by range (at);
  create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
  create table audit (id serial primary key, what text);
  create extension citext;
  create table parts (id int, price int, of_part int, primary key (id) include (price));
  insert into parts values (1, 10, 2), (2, 20, null);
  alter table parts add foreign key (of_part) references parts;
  create table people (name citext primary key, nick citext, n int);
  insert into people values ('Ann', 'A', 1), ('Ben', 'B', 2);
  create function note() returns trigger language plpgsql as $$ begin insert into audit (what) values (tg_op || ' ' || new.sku); return new; end $$;
  create trigger products_noted after update on products for each row execute function note();
  insert into customers select n, 'c' || n || '@example.org' from generate_series(1, 50) n;
  insert into orders (customer, note) select 1 + n % 50, E'note\t' || n || E'\n\\N''quoted"' from generate_series(1, 200) n;
  insert into order_items select o.id, l, 'sku' || l from orders o, generate_series(1, 3) l;
  insert into products
    select 'sku' || n, n + 0.10, array['a,b', 'c"d', null, '{}'], '{"a" :  1}', '{"a": 1}', point(n, 0.1), '\x00ff27', '2026-01-01 00:00:00+00',
           'it''s fine', row(n, null::int)::size, n % 2 = 0, 'ab', 0.1 + n, '1 day 2 hours' from generate_series(1, 1200) n;
  insert into "odd ""name"".b" values (1, E'x\\y'), (2, null);
  insert into keyless values (1);
  insert into events values (1, '2026-05-05');
`;

describe("mend", () => {
  let folder: TestFolder;
  let server: PostgresServer;
  let program: RefloatInside;
  let count = 0;
  let database = "";
  let point = "";

  const sql = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => query<Row>(server.url(database), text);
  const one = async (expression: string): Promise<unknown> =>
    (await sql<{ v: unknown }>(`select ${expression} as v`))[0]?.v;
  const mend = (...args: readonly string[]) => program.run(["mend", "shop", ...args]);
  const data = async (...args: readonly string[]) =>
    resultEnvelopeSchema("mend").parse((await program.succeed(["mend", "shop", ...args, "--json"])).lines.at(-1)).data;
  const digestOf = (table: string): Promise<unknown> =>
    one(`(select md5(string_agg(t::text, E'\\n' order by t::text)) from ${table} t)`);

  beforeAll(async () => {
    folder = await createTestFolder("refloat-mend");
    await chmod(folder.path, 0o755);
    server = await startPostgresServer();
    await query(server.url("postgres"), "create database template_shop");
    await query(server.url("template_shop"), schema);
    await writeFile(`${folder.path}/password`, "correct horse battery staple", { mode: 0o600 });
  });

  beforeEach(async () => {
    count += 1;
    database = `shop${count}`;
    await query(server.url("postgres"), `create database ${database} template template_shop`);
    const text = `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: { db: { type: postgres, url: "${server.url(database)}" } } } }`;
    await writeFile(`${folder.path}/refloat.yaml`, text);
    program = refloatInside(folder.path);
    if (count === 1) await program.succeed(["vault", "init"]);
    const captured = await program.succeed(["capture", "shop", "--json"]);
    point = resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data.id;
    return () => program.close();
  });

  afterAll(async () => {
    await server.stop();
    await folder.remove();
  });

  it("puts one column of the damaged rows back, leaves alone what came since, and takes it back again", async () => {
    const before = await digestOf("(select sku, price from products where sku <> 'new')");
    await sql("update products set price = 0 where sku < 'sku7'; insert into products (sku, price) values ('new', 5)");
    await sql("update products set live = not live where sku = 'sku1'; truncate audit");
    const damaged = await digestOf("products");
    const shown = await mend("--at", point, "--only", "db:products", "--columns", "price", "--no-apply");
    expect(shown).toMatchObject({ exit: 0 });
    expect(shown.stdout).toMatch(/products: [\d,]+ differ, 1 newer, left alone, [\d,]+ equal/);
    expect(shown.stdout).toMatch(/\* sku sku1: price 0\.00 > 1\.10/);
    expect(shown.stdout).toContain("products_noted on products, after update");
    expect(await digestOf("products")).toBe(damaged);
    const { digest, applied, tables } = await data(
      "--at",
      point,
      "--only",
      "db:products",
      "--columns",
      "price",
      "--yes",
    );
    expect(applied).toBe(true);
    expect(await digestOf("(select sku, price from products where sku <> 'new')")).toBe(before);
    expect(await one("(select count(*)::int from audit)")).toBe(tables[0]?.puts.changed);
    expect(await one("(select live from products where sku = 'sku1')")).toBe(true);
    const back = (await program.succeed(["mend", "shop", "--undo", digest, "--yes"])).stdout.replaceAll(/\s+/g, " ");
    expect(back).toContain("Take back in shop, db, what came from point");
    expect(back).toMatch(/products: [\d,]+ rows as they were before/);
    // From what was put back to what stood there.
    expect(back).toMatch(/\* sku sku1\d*: price 1\d*\.10 > 0\.00/);
    expect(await digestOf("products")).toBe(damaged);
    expect((await program.succeed(["log"])).stdout).toMatch(/mend +shop +done/);
  });

  it("puts back every kind of value as it was, and deleted rows with what they refer to", async () => {
    const tables = ["customers", "orders", "order_items", "products", `"odd ""name"".b"`];
    const before = await Promise.all(tables.map(digestOf));
    await sql(`
      update products set tags = null, doc = '{"a":1}', docb = '{}', spot = null, raw = '\\x', seen = now(), mood = 'sad', size = row(0, 0),
             live = null, padded = 'x', ratio = 1, took = '1 second' where sku <> 'sku3';
      delete from products where sku = 'sku3';
      delete from order_items where order_id in (7, 8); delete from orders where id in (7, 8); 
      delete from order_items where order_id in (select id from orders where customer = 9);
      delete from orders where customer = 9; delete from customers where id = 9;
      update "odd ""name"".b" set "select" = 'z'; delete from "odd ""name"".b" where "a, b" = 2;
      truncate audit`);
    const items = await data("--only", "db:order_items", "--rows", "gone", "--yes");
    expect(items.tables.map(({ name, asked, puts }) => [name, asked, puts.gone])).toEqual([
      ["customers", false, 1],
      ["orders", false, 5],
      ["order_items", true, 15],
    ]);
    await program.succeed(["mend", "shop", "--only", `db:products,db:"odd ""name"".b"`, "--no-triggers", "--yes"]);
    expect(await Promise.all(tables.map(digestOf))).toEqual(before);
    expect(await one("(select count(*)::int from audit)")).toBe(0);
    expect(await sql("select tgenabled from pg_trigger where tgname = 'products_noted'")).toEqual([{ tgenabled: "O" }]);
    const again = await data("--only", "db:products", "--yes");
    expect(again).toMatchObject({ applied: false, script: null });
  });

  it("does nothing at all when one row was written meanwhile", async () => {
    await sql("update products set price = 0");
    const { digest, script } = await data("--only", "db:products", "--no-apply");
    await sql("update products set price = 9 where sku = 'sku500'");
    const damaged = await digestOf("products");
    const refused = await mend("--proposal", digest);
    expect(refused).toMatchObject({ exit: 3 });
    expect(refused.stderr).toMatch(/error rows\.changed: of .* only .* are as they were compared; nothing was changed/);
    const psql = await execa(
      `${server.binaries}/psql`,
      ["-X", "-v", "ON_ERROR_STOP=1", "-f", script ?? "", server.url(database)],
      {
        reject: false,
      },
    );
    expect(psql.exitCode).not.toBe(0);
    expect(await digestOf("products")).toBe(damaged);
    expect((await program.succeed(["log"])).stdout).toMatch(/mend +shop +failed/);
  });

  it("says that what is live has changed when the server refuses what was proposed", async () => {
    await sql("delete from order_items where order_id = 7");
    const { digest } = await data("--only", "db:order_items", "--no-apply");
    await sql("insert into order_items values (7, 1, 'somebody else''s')");
    const taken = await mend("--proposal", digest);
    expect(taken).toMatchObject({ exit: 3 });
    expect(taken.stderr).toContain("error rows.changed: ");
    expect(taken.stderr).toMatch(/^next: refloat mend shop --at [0-9a-f]{8} --only db:order_items$/m);
    await sql("delete from order_items where order_id = 7; delete from orders where id = 7");
    const dangling = await mend("--proposal", digest);
    expect(dangling).toMatchObject({ exit: 3 });
    expect(dangling.stderr).toContain("error rows.changed: what is live is not as it was compared: ");
    expect(dangling.stderr).toContain("compare again");
    expect(await one("(select count(*)::int from order_items where order_id = 7)")).toBe(0);
  });

  it("says who may not make a dropped table again, by which GRANT he may, and the way around with its service", async () => {
    await sql(`create role keeper${count}; create role app${count} login; grant usage, create on schema public to app${count};
      grant select on all tables in schema public to app${count}; grant select on all sequences in schema public to app${count};
      create table kept (id int primary key); insert into kept values (1); alter table kept owner to keeper${count}`);
    await program.succeed(["capture", "shop"]);
    await sql("drop table kept");
    const file = `${folder.path}/refloat.yaml`;
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(/postgres:\/\/[^@"]*@/, `postgres://app${count}@`));
    await program.close();
    const refused = await mend("--only", "db:kept");
    expect(refused.stderr).toContain(`error source.denied: kept was dropped, and app${count} may not make it again: `);
    expect(refused.stderr).toContain(`GRANT "keeper${count}" TO "app${count}"`);
    expect(refused.stderr).toMatch(/^next: refloat .*recover shop --only db --at [0-9a-f]{8} --no-cutover$/m);
    expect(refused.exit).toBe(4);
  });

  it("writes a script that psql runs, and refuses one that was changed", async () => {
    const before = await digestOf("products");
    await sql("alter table products disable trigger products_noted; update products set ratio = -ratio");
    const { digest, script } = await data("--only", "db:products", "--no-apply");
    await execa(`${server.binaries}/psql`, [
      "-X",
      "-q",
      "-v",
      "ON_ERROR_STOP=1",
      "-f",
      script ?? "",
      server.url(database),
    ]);
    expect(await digestOf("products")).toBe(before);
    await writeFile(script ?? "", "drop table products;");
    expect(await mend("--proposal", digest)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("is not what was shown"),
    });
  });

  it("finds operators and triggers as the application does, whatever the search path of a script", async () => {
    await sql(
      "update people set name = 'ANN', n = 7 where name = 'ann'; update people set nick = 'b', n = 8 where n = 2",
    );
    const { digest, tables } = await data("--only", "db:people", "--where", "name = 'ANN' or n > 1", "--yes");
    expect(tables[0]).toMatchObject({ changed: 2, gone: 0, newer: 0 });
    expect(await one("(select string_agg(name || nick || n, ',' order by n) from people)")).toBe("AnnA1,BenB2");
    await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
    expect(await one("(select string_agg(name || nick || n, ',' order by n) from people)")).toBe("ANNA7,Benb8");
  });

  it("compares no values of another type, and goes by the key alone, without what its index includes", async () => {
    await sql("alter table products alter column ratio type numeric(8,1)");
    expect((await mend("--only", "db:products")).stderr).toContain(
      "ratio was double precision and is numeric(8,1) now",
    );
    await sql("update parts set price = 0");
    const { tables } = await data("--only", "db:parts", "--yes");
    expect(tables[0]).toMatchObject({ key: ["id"], changed: 2, gone: 0, newer: 0 });
    await sql("delete from parts");
    await data("--only", "db:parts", "--yes");
    expect(
      await one("(select string_agg(id || ':' || price || ':' || coalesce(of_part, 0), ',' order by id) from parts)"),
    ).toBe("1:10:2,2:20:0");
  });

  it("takes back rows that refer to each other, unless another one refers to them since", async () => {
    await sql(
      "alter table parts drop constraint parts_of_part_fkey; alter table parts add foreign key (of_part) references parts on delete cascade",
    );
    await sql("delete from parts");
    const { digest } = await data("--only", "db:parts", "--yes");
    await sql("insert into parts values (3, 30, 2)");
    const refused = await program.run(["mend", "shop", "--undo", digest, "--yes"]);
    expect(refused.stderr).toContain("rows of public.parts refer to rows of parts that were put back");
    await sql("delete from parts where id = 3");
    await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
    expect(await one("(select count(*)::int from parts)")).toBe(0);
  });

  it("takes nothing back that others have built upon since", async () => {
    await sql("create table hints (order_id bigint references orders on delete cascade, hint text)");
    await sql("delete from order_items where order_id = 8; delete from orders where id = 8");
    const known = await data("--only", "db:orders", "--rows", "gone", "--yes");
    await sql("insert into hints values (8, 'new')");
    const refused = await program.run(["mend", "shop", "--undo", known.digest, "--yes"]);
    expect(refused).toMatchObject({ exit: 3 });
    expect(refused.stderr).toContain("rows of public.hints refer to rows of orders that were put back");
    expect(await one("(select count(*)::int from hints)")).toBe(1);
    await sql("drop table keyless");
    const made = await data("--only", "db:keyless", "--yes");
    const takenBack = () => program.run(["mend", "shop", "--undo", made.digest, "--yes"]);
    for (const [written, left] of [
      ["update keyless set a = 5", "5"],
      ["insert into keyless values (2)", "2,5"],
    ] as const) {
      await sql(written);
      expect((await takenBack()).stderr).toContain("keyless was written since it was made again");
      expect(await one("(select string_agg(a::text, ',' order by a) from keyless)")).toBe(left);
    }
    await sql("drop table keyless");
    await program.succeed(["mend", "shop", "--proposal", made.digest, "--yes"]);
    expect(await takenBack()).toMatchObject({ exit: 0 });
  });

  it("takes a condition on the point's rows, as one statement", async () => {
    await sql("update products set price = 0; delete from events_2026");
    const some = await data("--only", "db:products", "--where", "sku in ('sku1', 'sku2') and price > 1.5", "--yes");
    expect(some.tables[0]).toMatchObject({ changed: 1200, puts: { changed: 1, gone: 0 } });
    expect(await one("(select price::text from products where sku = 'sku2')")).toBe("2.10");
    expect(await one("(select price::text from products where sku = 'sku1')")).toBe("0.00");
    const hostile = await mend("--only", "db:products", "--where", "true)) as x; drop table keyless; --");
    expect(hostile.exit).toBe(2);
    for (const [condition, words] of [
      ["sku = ", 'usage: --where "sku =" is no condition on the rows of products at its end: syntax error'],
      ["sku == 'a'", "is no condition on the rows of products at character 5: operator does not exist"],
      ["skoo = 'a'", 'is no condition on the rows of products at character 1: column "skoo" does not exist'],
      ["price = 'dear'", "is no condition on the rows of products at character 9: invalid input syntax"],
    ] as const) {
      const refused = await mend("--only", "db:products", "--where", condition);
      expect(refused.exit).toBe(2);
      expect(refused.stderr).toContain(words);
      expect(refused.stderr).toContain('such as --where "id = 42"; products has sku, price, tags');
      expect(refused.stderr).toMatch(/^state: nothing was changed/m);
      expect(refused.stderr).toMatch(/^next: refloat .*mend --help$/m);
    }
    expect(await one("(select count(*)::int from keyless)")).toBe(1);
    expect((await data("--only", "db:events_2026", "--yes")).tables[0]?.puts.gone).toBe(1);
    expect(await one("(select count(*)::int from events)")).toBe(1);
  });

  it("gives no number out twice, and says what cannot be put back", async () => {
    await sql("truncate audit restart identity; insert into audit (what) values ('one')");
    await program.succeed(["capture", "shop"]);
    await sql("truncate audit restart identity");
    await program.succeed(["mend", "shop", "--only", "db:audit", "--yes"]);
    await sql("insert into audit (what) values ('four')");
    expect(await one("(select string_agg(id::text, ',' order by id) from audit)")).toBe("1,2");
    for (const [args, words] of [
      [["--only", "db:keyless"], "has no primary key"],
      [["--only", "db:prodcts"], 'did you mean "products"?'],
      [["--only", "db:products", "--columns", "prise"], 'did you mean "price"?'],
      [["--only", "db"], "--only names tables of a component"],
      [["--only", "db:a,db2:b"], "one transaction is of one component"],
      [["--proposal", "0000"], "nothing was proposed"],
      [["--only", "db:products", "--where", "nonsense"], "nonsense"],
    ] as const) {
      const refused = await mend(...args);
      expect(refused.exit).not.toBe(0);
      expect(refused.stderr).toContain(words);
    }
  });

  it("makes dropped tables again with their rows and all that was theirs, and names what others lost", async () => {
    await sql(`
      create role clerk${count}; grant select on orders to clerk${count};
      create table kinds (id serial primary key, name text default 'x' check (name <> ''), mood mood);
      create index kinds_by_name on kinds (name); comment on table kinds is 'it''s kept';
      insert into kinds (name) values ('a'), ('b');
      create view order_notes as select note from orders; alter table orders enable row level security`);
    const { lines } = await program.succeed(["capture", "shop", "--json"]);
    const taken = resultEnvelopeSchema("capture").parse(lines.at(-1)).data.id;
    const tables = ["kinds", "orders", "keyless"];
    const before = await Promise.all(tables.map(digestOf));
    const shape = `(select string_agg(x, E'\\n' order by x) from (
      select pg_get_constraintdef(oid) as x from pg_constraint where conrelid in ('orders'::regclass, 'kinds'::regclass) and contype <> 't'
      union all select indexdef from pg_indexes where tablename in ('orders', 'kinds')
      union all select relname::text || coalesce(relacl::text, '') || relrowsecurity::text || coalesce(obj_description(oid), '') from pg_class where relname in ('orders', 'kinds')
      union all select attname::text || attidentity::text || coalesce(pg_get_expr(adbin, adrelid), '') from pg_attribute a
                  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
                 where attrelid in ('orders'::regclass, 'kinds'::regclass) and attnum > 0) all_of_it)`;
    const shapeBefore = await one(shape);
    await sql("drop table orders cascade; drop table kinds; drop table keyless");
    const only = ["--at", taken, "--only", "db:orders,db:kinds,db:keyless"];
    expect((await mend("--at", taken, "--only", "db:kinds", "--where", "true")).stderr).toContain(
      "it is made again as a whole",
    );
    const done = await data(...only, "--yes");
    expect(Object.fromEntries(done.tables.map(({ name, made, puts }) => [name, [made, puts.gone]]))).toEqual({
      keyless: [true, 1],
      kinds: [true, 2],
      orders: [true, 200],
    });
    expect(done.warnings.join()).toMatch(
      /^lost with orders and not put back: view order_notes and foreign key order_items order_items_order_id_fkey$/,
    );
    expect(await Promise.all(tables.map(digestOf))).toEqual(before);
    expect(await one(shape)).toBe(shapeBefore);
    await sql("insert into orders (customer) values (1); insert into kinds (name) values ('c')");
    expect(await one("(select max(id)::int from orders) + (select max(id) from kinds)")).toBe(201 + 3);
    await sql("delete from orders where id = 201; delete from kinds where id = 3");
    await program.succeed(["mend", "shop", "--undo", done.digest, "--yes"]);
    expect(await one("to_regclass('orders')")).toBe(null);
    await sql("drop type mood cascade");
    expect((await mend("--at", taken, "--only", "db:kinds")).stderr).toContain(
      "kinds was dropped and cannot be made again",
    );
  });

  it("makes a dropped table of another encoding again, by a script that psql runs as well", async () => {
    const old = `old${count}`;
    await query(server.url("postgres"), `create database ${old} template template0 encoding 'LATIN1' locale 'C'`);
    const asked = <Row = Record<string, unknown>>(text: string) => query<Row>(server.url(old), text);
    await asked(String.raw`
      create table empty ();  create table few (a int);
      create table cafes (id int primary key, "na;me" text default 'é;', raw bytea, twice int generated always as (id * 2) stored);
      insert into cafes (id, "na;me", raw) select n, E'é\t\n\\. \\N ' || n, '\x5c2e0a' from generate_series(1, 30) n;
      insert into cafes values (31, null, null), (32, '', ''); insert into empty default values; insert into empty default values`);
    const content = async () =>
      asked(
        "select (select md5(string_agg(c::text, ',' order by id)) from cafes c) as a, (select count(*) from empty) as b",
      );
    const before = await content();
    await writeFile(
      `${folder.path}/refloat.yaml`,
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: { db: { type: postgres, url: "${server.url(old)}" } } } }`,
    );
    await program.close();
    program = refloatInside(folder.path);
    await program.succeed(["capture", "shop"]);
    const drop = () => asked("drop table cafes, empty, few");
    await drop();
    const done = await data("--only", "db:cafes,db:empty,db:few", "--yes");
    expect(done.tables.map(({ name, puts }) => [name, puts.gone])).toEqual([
      ["cafes", 32],
      ["empty", 2],
      ["few", 0],
    ]);
    expect(done.tables[0]?.samples).toHaveLength(10);
    expect(done.tables[0]?.samples[0]?.columns).toEqual([
      { name: "id", point: "1", live: null },
      { name: "na;me", point: "é\t\n\\. \\N 1", live: null },
      { name: "raw", point: "\\x5c2e0a", live: null },
    ]);
    expect(await content()).toEqual(before);
    await drop();
    await execa(`${server.binaries}/psql`, ["-X", "-v", "ON_ERROR_STOP=1", "-f", done.script ?? "", server.url(old)]);
    expect(await content()).toEqual(before);
    await program.succeed(["mend", "shop", "--undo", done.digest, "--yes"]);
    expect(await asked("select from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace")).toEqual(
      [],
    );
  });

  it("leaves out and names what the server would refuse, and puts back all else", async () => {
    await sql(
      "delete from order_items where order_id = 5; delete from orders where id = 5; update customers set email = 'taken' where id = 5",
    );
    await sql(
      "delete from order_items; delete from orders; delete from customers where id = 6; insert into customers values (900, 'c6@example.org')",
    );
    const theirs = Number(await one("(select count(*) from generate_series(1, 200) n where 1 + n % 50 = 6)"));
    const told = (
      await program.succeed(["mend", "shop", "--at", point, "--only", "db:orders,db:order_items", "--yes"])
    ).stdout.replaceAll(/\s+/g, " ");
    expect(told).toContain("1 row of customers stay out: another row has their email now (customers_email_key); id 6");
    expect(told).toContain(
      `${theirs} rows of orders stay out: they refer to rows of customers that are not live and do not come back (orders_customer_fkey)`,
    );
    expect(told).toContain(`${3 * theirs} rows of order_items stay out: they refer to rows of orders`);
    expect(await one("(select count(*)::int from orders)")).toBe(200 - theirs);
    expect(await one("(select count(*)::int from order_items)")).toBe(3 * (200 - theirs));
    // What somebody else has written there is left as it is.
    expect(
      await one("(select string_agg(id || ' ' || email, ', ' order by id) from customers where id in (5, 6, 900))"),
    ).toBe("5 taken, 900 c6@example.org");
  });

  it("puts rows of megabytes back, no more of them in a statement than it has room for", async () => {
    await sql(
      "create table scans (id int primary key, body text); insert into scans select n, repeat(n::text, 1500000 / length(n::text)) from generate_series(10, 33) n",
    );
    const captured = await program.succeed(["capture", "shop", "--json"]);
    const { id } = resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data;
    const before = await digestOf("scans");
    await sql("delete from scans where id < 22; update scans set body = body || '!' where id >= 22");
    const damaged = await digestOf("scans");
    const { digest, script } = await data("--at", id, "--only", "db:scans", "--yes");
    expect(await digestOf("scans")).toBe(before);
    const statements = (await readFile(script ?? "", "utf8")).match(/^ {2}(?:insert into|update only) public\.scans/gm);
    // Two rows of 1.5 MB in a statement of 4 MB; of one that differs both sides, and no other.
    expect(statements?.map((line) => line.trim().slice(0, 6))).toEqual([
      ...Array.from({ length: 6 }, () => "insert"),
      ...Array.from({ length: 12 }, () => "update"),
    ]);
    await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
    expect(await digestOf("scans")).toBe(damaged);
  });
});
