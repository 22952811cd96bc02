/** After a recovery of a MariaDB database, the orders that came in after the bad migration go into it, and the migration does not. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

describe("reconcile of a MariaDB database", () => {
  let folder: TestFolder;
  let server: MariadbServer;
  let program: RefloatInside;

  const sql = (text: string): Promise<string> => server.sql(text, "shop");
  const counts = async (): Promise<string> =>
    (
      await sql(`SELECT (SELECT COUNT(*) FROM customers), (SELECT COUNT(*) FROM orders), (SELECT COUNT(*) FROM items),
                        (SELECT COUNT(*) FROM products WHERE price = 0), (SELECT COUNT(*) FROM mails);`)
    ).trimEnd();
  const order = (customer: string) =>
    sql(`INSERT INTO customers (name) VALUES ('${customer}'); SET @customer = LAST_INSERT_ID();
         INSERT INTO orders (customer) VALUES (@customer); SET @order = LAST_INSERT_ID();
         INSERT INTO items SELECT @order, seq, seq FROM seq_1_to_3;`);
  const reconcile = async (...args: readonly string[]) =>
    resultEnvelopeSchema("reconcile").parse(
      (await program.succeed(["reconcile", "1", ...args, "--json", "--yes"])).lines.at(-1),
    ).data;

  beforeAll(async () => {
    folder = await createTestFolder("refloat-reconcile-mariadb");
    server = await startMariadbServer({ settings: { "log-bin": "binlog" } });
    await server.sql(
      "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT ALL ON *.* TO keeper@'127.0.0.1';",
    );
    await sql(`
      CREATE TABLE customers (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE, tier VARCHAR(5) DEFAULT 'a');
      CREATE TABLE products (id INT PRIMARY KEY, price INT);
      CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer BIGINT NOT NULL, FOREIGN KEY (customer) REFERENCES customers (id));
      CREATE TABLE items (order_id BIGINT, line INT, product INT, PRIMARY KEY (order_id, line), FOREIGN KEY (order_id) REFERENCES orders (id),
        FOREIGN KEY (product) REFERENCES products (id));
      CREATE TABLE mails (what TEXT);
      INSERT INTO mails VALUES ('twice');
      CREATE TABLE states (id INT PRIMARY KEY, state INT) ENGINE=MyISAM;
      INSERT INTO states VALUES (1, 1), (2, 2);
      CREATE TABLE papers (id INT PRIMARY KEY, body LONGBLOB);
      INSERT INTO products SELECT seq, seq FROM seq_1_to_100;`);
    for (const name of ["ann", "ben"]) await order(name);
    for (const name of ["password", "db-password"]) await writeFile(join(folder.path, name), "a word", { mode: 0o600 });
    await writeFile(
      join(folder.path, "refloat.yaml"),
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: { db: { type: mariadb, url: "${server.url("shop", "keeper")}", password: "\${file:${folder.path}/db-password}" } } } }
`,
    );
    program = refloatInside(folder.path);
    await program.succeed(["vault", "init"]);
    await program.succeed(["capture", "shop"]);
    await sql(
      "UPDATE products SET price = 0; UPDATE states SET state = 20 WHERE id = 2; UPDATE customers SET name = 'BEN' WHERE name = 'ben'; INSERT INTO mails VALUES ('by, hand'), ('twice'), (NULL); INSERT INTO papers VALUES (1, REPEAT('a', 9000000));",
    );
    for (const name of ["cem", "dora", "eve"]) await order(name);
    // The damage reaches what came after the point as well.
    await sql(
      "UPDATE customers SET tier = 'x'; CREATE TABLE notes (id INT PRIMARY KEY, scan BLOB); INSERT INTO notes VALUES (1, 0xff00);",
    );
    await program.succeed(["recover", "shop", "--yes"]);
    await order("fay");
    // Deleted after the cutover: the point had it, so that it was not written since and does not come back.
    await sql("DELETE FROM items WHERE order_id = 1;");
    await sql(
      "CREATE TRIGGER mailed AFTER INSERT ON orders FOR EACH ROW INSERT INTO mails VALUES (CONCAT('order ', NEW.id));",
    );
  });

  afterAll(async () => {
    await program.close();
    await server.stop();
    await folder.remove();
  });

  it("shows what only the old side has, and leaves out what would fire a trigger, named", async () => {
    expect(await counts()).toBe("3\t3\t6\t0\t1");
    const shown = await program.run(["reconcile", "1", "--no-apply"]);
    expect(shown).toMatchObject({ exit: 0, stderr: expect.not.stringContaining("error ") });
    expect(shown.stdout).toContain("from the old side of run 1 (shop_old1)");
    expect(shown.stdout).toMatch(/customers: [\d]+ differ, 3 gone/);
    const told = shown.stdout.replaceAll(/\s+/g, " ");
    expect(told).toContain("3 rows of orders stay out: mailed on orders, after insert would fire");
    expect(told).toContain("9 rows of items stay out: they refer to rows of orders");
    expect(told).toContain("LEFT OUT 3 rows of mails stay out: mails has no primary key");
    expect(told).toContain("LEFT OUT 1 row of notes stay out: there is no table notes any more");
    expect(told).toContain(
      "3 rows of customers come back with tier x, which 2 rows that differ have there too: look whether that is the damage",
    );
    expect(told).toContain("NOT PUT BACK, and gone from here with refloat commit 1:");
    // The server makes null of its digits, which are longer than it takes.
    expect(told).toContain("a row of papers takes up to 18 MB in a statement");
    expect(await counts()).toBe("3\t3\t6\t0\t1");
  });

  it("says by which GRANT what is left out for want of a right comes back, and that it is to be done again", async () => {
    await server.sql("REVOKE TRIGGER ON *.* FROM keeper@'127.0.0.1';");
    const shown = await program.run(["reconcile", "1", "--no-apply"]);
    await server.sql("GRANT TRIGGER ON *.* TO keeper@'127.0.0.1';");
    expect(shown).toMatchObject({ exit: 0 });
    expect(shown.stdout.replaceAll(/\s+/g, " ")).toContain(
      "rows of customers stay out: no rows are put back into customers: its triggers cannot be seen; as an administrator: GRANT TRIGGER ON `shop`.* TO `keeper`@`127.0.0.1`; then again: refloat reconcile 1",
    );
  });

  it("puts the orders in with their customers and items, once, and not the migration", async () => {
    await sql("DROP TRIGGER mailed;");
    const { batches } = await reconcile();
    const puts = batches[0]?.tables.map(({ name, puts: { gone, changed } }) => [name, gone, changed]);
    expect(puts?.toSorted()).toEqual([
      ["customers", 3, 0],
      ["items", 9, 0],
      ["orders", 3, 0],
    ]);
    expect(await counts()).toBe("6\t6\t15\t0\t1");
    expect((await reconcile()).batches[0]).toMatchObject({ applied: false, script: null });
    await program.succeed(["mend", "shop", "--undo", batches[0]?.digest ?? "", "--yes"]);
    expect(await counts()).toBe("3\t3\t6\t0\t1");
  });

  it("writes rows down that nobody puts back, of a table without a key as often as they are missing", async () => {
    const { leftOut } = (await reconcile("--only", "db:mails,db:notes")).batches[0] ?? {};
    const read = async (table: string) =>
      (await readFile(leftOut?.find((left) => left.table === table)?.file ?? "", "utf8")).split("\n").toSorted();
    expect(await read("mails")).toEqual(["", "", '"by, hand"', "twice", "what"]);
    expect(await read("notes")).toEqual(["", "1,0xff00", "id,scan"]);
    // What was put in by hand is missing no more.
    await sql("INSERT INTO mails VALUES ('by, hand');");
    const again = (await reconcile("--only", "db:mails")).batches[0]?.leftOut;
    expect(again).toMatchObject([{ table: "mails", rows: 2 }]);
    await sql("DELETE FROM mails WHERE what = 'by, hand';");
  });

  it("writes rows that differ down where they are asked for, of a table without transactions", async () => {
    const { leftOut = [] } = (await reconcile("--only", "db:states", "--rows", "changed")).batches[0] ?? {};
    expect(leftOut).toMatchObject([{ table: "states", rows: 1, why: expect.stringContaining("no transactions") }]);
    expect(await readFile(leftOut[0]?.file ?? "", "utf8")).toBe("id,state\n2,20\n");
    expect((await reconcile("--only", "db:states")).batches[0]?.leftOut).toEqual([]);
  });

  it("takes one table with what it refers to, fires what it is let, and takes rows that differ only where they are named", async () => {
    await sql(
      "CREATE TRIGGER mailed AFTER INSERT ON orders FOR EACH ROW INSERT INTO mails VALUES (CONCAT('order ', NEW.id));",
    );
    const { batches } = await reconcile("--only", "db:orders", "--triggers");
    expect(batches[0]?.tables.map(({ name, asked }) => [name, asked])).toEqual([
      ["customers", false],
      ["orders", true],
    ]);
    expect(await counts()).toBe("6\t6\t6\t0\t4");
    // What differs because the recovered side was written since is shown with its difference, and taken only by name.
    await reconcile("--only", "db:customers", "--rows", "changed");
    expect(await sql("SELECT name FROM customers WHERE id = 2;")).toBe("BEN\n");
    const gone = (await program.run(["commit", "1"])).stdout.replaceAll(/\s+/g, " ");
    expect(gone).toMatch(/db: 3 mails, exported to \S+mails.csv; reconcile puts none of them back/);
    expect(gone).toMatch(/db: 1 notes, exported to \S+notes.csv; reconcile puts none of them back/);
    await program.succeed(["commit", "1", "--yes"]);
    expect((await program.run(["reconcile", "1"])).stderr).toContain("was committed: its old side is dropped");
  });
});
