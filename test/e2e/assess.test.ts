/** What is damaged in a service that goes on being used, and which cure is the smallest: on a real database, folder and program. */
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

describe("assess", () => {
  let folder: TestFolder;
  let server: PostgresServer;
  let program: RefloatInside;
  let point = "";

  const sql = (text: string) => query(server.url("shop"), text);
  const capture = async (): Promise<string> => {
    const { lines } = await program.succeed(["capture", "shop", "--json"]);
    return resultEnvelopeSchema("capture").parse(lines.at(-1)).data.id;
  };
  const assess = async (...args: readonly string[]) =>
    resultEnvelopeSchema("assess").parse((await program.succeed(["assess", "shop", ...args, "--json"])).lines.at(-1))
      .data;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-assess");
    await chmod(folder.path, 0o755);
    server = await startPostgresServer();
    await query(server.url("postgres"), "create database shop");
    await sql(`
      create table products (id int primary key, name text, price numeric(10,2));
      create table orders (id bigint generated always as identity primary key, product int references products, state text);
      create table sessions (id int primary key);
      create table notes (body text);
      insert into products select n, 'p' || n, n + 0.5 from generate_series(1, 500) n;
      insert into orders (product, state) select 1 + n % 500, 'new' from generate_series(1, 300) n;
      insert into notes values ('a')`);
    await mkdir(`${folder.path}/docs`);
    for (const name of ["1.pdf", "2.pdf", "3.pdf"]) await writeFile(`${folder.path}/docs/${name}`, name);
    await writeFile(`${folder.path}/password`, "correct horse battery staple", { mode: 0o600 });
    await writeFile(
      `${folder.path}/refloat.yaml`,
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services:
  shop:
    components:
      db:
        type: postgres
        url: "${server.url("shop")}"
        checks:
          - sql: select count(*) = 0 from products where price <= 0
      docs: { type: files, path: ${folder.path}/docs }
`,
    );
    program = refloatInside(folder.path);
    await program.succeed(["vault", "init"]);
    point = await capture();
  });

  afterAll(async () => {
    await program.close();
    await server.stop();
    await folder.remove();
  });

  it("takes work for work: orders that came and changed are no damage", async () => {
    await sql("insert into orders (product, state) select 7, 'new' from generate_series(1, 40)");
    await sql(
      "update orders set state = 'sent' where id <= 6; update orders set state = 'paid' where id between 7 and 30",
    );
    await writeFile(`${folder.path}/docs/4.pdf`, "new");
    const found = await assess();
    expect(found).toMatchObject({ point, cures: [] });
    expect(found.components.map(({ component, damaged }) => [component, damaged])).toEqual([
      ["db", false],
      ["docs", false],
    ]);
    expect(found.components[0]?.tables).toMatchObject([
      { name: "orders", rows: { changed: 30, gone: 0, newer: 40 }, signs: [] },
    ]);
    const { stdout } = await program.succeed(["assess", "shop"]);
    expect(stdout).toContain("nothing looks damaged");
    expect(stdout).toMatch(/db +orders +30 differ, 40 newer/);
  });

  it("names the damaged column and offers to put it back first; the cure mends it and loses nothing", async () => {
    await sql("update products set price = 0 where id <= 400");
    // A point of the damage: its check fails, so that it is not what is compared with.
    await capture();
    const found = await assess();
    expect(found.point).toBe(point);
    expect(found.answers.filter(({ status }) => status === "failed")).toHaveLength(1);
    const products = found.components[0]?.tables.find(({ name }) => name === "products");
    expect(products?.signs).toEqual(["price is 0.00 in all of 400 changed rows"]);
    expect(found.cures.map(({ kind, words }) => [kind, words])).toEqual([
      ["mend", "put 400 rows back: price of products"],
      ["recover", "recover db"],
      ["recover", "recover all of shop"],
    ]);
    const [mend, recover] = found.cures;
    expect(mend?.loses).toEqual([]);
    expect(recover?.loses.join()).toMatch(/^db .*: about 40 orders/);
    expect(recover?.predictedMs).toBeGreaterThan(0);
    const { stdout } = await program.succeed(["assess", "shop"]);
    expect(stdout).toContain("damaged: db");
    const command = mend?.command ?? "";
    expect(stdout).toContain(`next: ${command}`);
    await program.succeed([...command.split(" ").slice(1), "--yes"]);
    expect(await sql("select count(*)::int as n from orders")).toEqual([{ n: 340 }]);
    expect(await assess()).toMatchObject({ cures: [], components: [{ damaged: false }, { damaged: false }] });
  });

  it("tells of what is gone: rows, tables, files; and of a side that cannot be read", async () => {
    await sql("delete from orders where id <= 20; drop table sessions; delete from notes");
    await rm(`${folder.path}/docs/2.pdf`);
    const found = await assess("--against", point);
    const [db, docs] = found.components;
    expect(db?.tables.map(({ name, signs }) => [name, signs])).toEqual([
      ["notes", ["1 row fewer"]],
      ["orders", ["20 of 300 rows gone"]],
      // Put back row by row: the same rows, in another order.
      ["products", []],
      ["sessions", ["the table is gone"]],
    ]);
    expect(docs).toMatchObject({ damaged: true, samples: [{ path: "2.pdf", kind: "removed" }] });
    expect(found.cures.map(({ command }) => command)).toEqual([
      `refloat mend shop --at ${point.slice(0, 8)} --only db:orders --rows gone`,
      `refloat mend shop --at ${point.slice(0, 8)} --only db:sessions`,
      `refloat extract ${point.slice(0, 8)}:docs:2.pdf --to restored-2.pdf`,
      ...["db", "docs", "all"].map(() => expect.stringMatching(/^refloat recover --plan [0-9a-f]{8}$/) as string),
    ]);
    expect(found.cures.slice(3).map(({ words }) => words)).toEqual([
      "recover db",
      "recover docs",
      "recover all of shop",
    ]);
    expect(found.cures[0]?.leaves).toEqual(["the schema as it is now"]);
    expect(found.doubts).toEqual([]);
    const [mend] = found.cures;
    await program.succeed([...(mend?.command ?? "").split(" ").slice(1), "--yes"]);
    // What was deleted is back, and what was paid since stays paid.
    expect(await sql("select state, count(*)::int as n from orders group by 1 order by 1")).toEqual([
      { state: "new", n: 330 },
      { state: "paid", n: 10 },
    ]);
    expect((await assess("--against", point, "--only", "docs")).components.map(({ component }) => component)).toEqual([
      "docs",
    ]);
    await server.crash();
    try {
      const dead = await assess("--against", point);
      expect(dead.components[0]).toMatchObject({ component: "db", state: "unreadable", damaged: true });
      expect(dead.components[1]).toMatchObject({ component: "docs", damaged: true });
      expect((await program.run(["assess", "shop"])).stdout).toContain("cannot be read");
    } finally {
      await server.start();
    }
  });
});
