/** Single rows of one database of a whole MariaDB server, from its physical capture, into the running server: shown, put back, taken back. */
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: TestFolder;
let temporary: string;
let server: MariadbServer;
let program: RefloatInside;
let point: string;

const odd = 'a/b "c"';
const oddTable = "it's `odd`";
const oddPlace = `db:"a/b ""c"""/${oddTable}`;
const quoted = (name: string): string => `\`${name.replaceAll("`", "``")}\``;
const oddSql = `${quoted(odd)}.${quoted(oddTable)}`;

const sql = (text: string): Promise<string> => server.sql(text, "bench");
const digestOf = (table: string): Promise<string> => sql(`CHECKSUM TABLE ${table} EXTENDED;`);
const mend = (...args: readonly string[]) => program.run(["mend", "shop", ...args]);
const data = async (...args: readonly string[]) =>
  resultEnvelopeSchema("mend").parse((await program.succeed(["mend", "shop", ...args, "--json"])).lines.at(-1)).data;

beforeAll(async () => {
  folder = await createTestFolder("refloat-mend-mariadb-server");
  temporary = join(folder.path, "tmp");
  await mkdir(temporary);
  server = await startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW" } });
  await server.sql("CREATE DATABASE bench CHARACTER SET utf8mb4; CREATE DATABASE other;");
  await server.sql(`CREATE DATABASE ${quoted(odd)}; CREATE TABLE ${oddSql} (\`a, b\` INT PRIMARY KEY, \`select\` TEXT) CHARACTER SET utf8mb4;
    INSERT INTO ${oddSql} VALUES (1, 'x\\\\y'), (2, NULL);
    CREATE TABLE other.ballast (n INT PRIMARY KEY, v TEXT);`);
  await sql(String.raw`
    CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(40));
    CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, note TEXT, FOREIGN KEY of_customer (customer) REFERENCES customers (id));
    CREATE TABLE products (sku VARCHAR(20) PRIMARY KEY, price DECIMAL(10,2), d DOUBLE, raw BLOB, bits BIT(5), doc JSON, at DATETIME(6), mood ENUM('sad','glad'), word TEXT,
      twice DECIMAL(12,2) AS (price * 2) STORED);
    CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT);
    CREATE TABLE gone (id INT PRIMARY KEY); INSERT INTO gone VALUES (1);
    CREATE TRIGGER noted AFTER UPDATE ON products FOR EACH ROW INSERT INTO audit (what) VALUES (NEW.sku);
    INSERT INTO customers SELECT seq, CONCAT('c', seq) FROM seq_1_to_50;
    INSERT INTO orders (customer, note) SELECT 1 + seq % 50, CONCAT('note\t', seq, '\n''"🦊') FROM seq_1_to_500;
    INSERT INTO products (sku, price, d, raw, bits, doc, at, mood, word)
      SELECT CONCAT('sku', seq), seq + 0.10, 0.1 * seq, X'00FF27', b'101', '{"a": 1}', '2026-01-02 03:04:05.678901', 'glad', 'Zoë 🦊' FROM seq_1_to_800;
    INSERT INTO products (sku) VALUES ('nothing');`);
  // No more than is documented.
  await server.sql(`CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO keeper@'127.0.0.1';
    GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER, CREATE TEMPORARY TABLES ON bench.* TO keeper@'127.0.0.1';
    GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER, CREATE TEMPORARY TABLES ON ${quoted(odd)}.* TO keeper@'127.0.0.1';`);
  await writeFile(join(folder.path, "db-password"), "a word\n", { mode: 0o600 });
  const port = await findFreePort(4);
  await writeFile(join(folder.path, "password"), "correct horse battery staple", { mode: 0o600 });
  const text = `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: { db: { type: mariadb-server, data: ${join(server.directory, "data")}, url: "${server.url("", "keeper")}", password: "\${file:${folder.path}/db-password}", ports: ${port}-${port + 3} } } } }`;
  await writeFile(join(folder.path, "refloat.yaml"), text);
  vi.stubEnv("TMPDIR", temporary);
  program = refloatInside(folder.path);
  await program.succeed(["vault", "init"]);
  const captured = await program.succeed(["capture", "shop", "--json"]);
  point = resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data.id.slice(0, 8);
});

afterEach(async () => {
  const left = (await readdir(temporary)).filter((name) => name.startsWith(".excerpt."));
  if (left.length > 0) throw new Error(`left: ${left.join(", ")}`);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await program?.close();
  await server?.stop();
  await folder?.remove();
});

it("puts one damaged column back from the physical capture, and takes it back again", async () => {
  const before = await sql("SELECT MD5(GROUP_CONCAT(sku, price, twice ORDER BY sku)) FROM products WHERE price > 0;");
  await sql(
    "UPDATE products SET price = 0 WHERE price IS NOT NULL; INSERT INTO products (sku, price) VALUES ('new', 5); TRUNCATE audit;",
  );
  const damaged = await digestOf("products");
  const shown = await mend("--at", point, "--only", "db:bench/products", "--no-apply");
  expect(shown).toMatchObject({ exit: 0 });
  const told = shown.stdout.replaceAll(/\s+/g, " ");
  expect(told).toContain(`Mend shop, db, database bench, from point ${point}`);
  expect(told).toContain("products: 800 differ, 1 newer, left alone, 1 equal");
  expect(told).toContain("800 rows get back price (0.00 in all of them)");
  expect(told).toContain("noted on products, after update");
  expect(await digestOf("products")).toBe(damaged);
  const done = await data("--at", point, "--only", "db:bench/products", "--yes");
  expect(done).toMatchObject({ applied: true, database: "bench" });
  await sql("DELETE FROM products WHERE sku = 'new';");
  expect(await sql("SELECT MD5(GROUP_CONCAT(sku, price, twice ORDER BY sku)) FROM products WHERE price > 0;")).toBe(
    before,
  );
  expect((await sql("SELECT COUNT(*) FROM audit;")).trim()).toBe("800");
  await program.succeed(["mend", "shop", "--undo", done.digest, "--yes"]);
  expect((await sql("SELECT COUNT(*) FROM products WHERE price = 0;")).trim()).toBe("800");
  expect((await mend("--undo", done.digest, "--yes")).stderr).toContain("it was taken back already");
  await program.succeed(["mend", "shop", "--at", point, "--only", "db:bench/products", "--yes"]);
});

it("brings back every kind of value as it was, and deleted rows with what they refer to", async () => {
  const before = await Promise.all(["customers", "orders", "products", oddSql].map(digestOf));
  await sql(`DELETE FROM orders WHERE customer = 7; DELETE FROM customers WHERE id = 7;
    UPDATE products SET d = 0, raw = NULL, bits = 0, doc = '{}', at = NOW(6), mood = NULL, word = 'x'; DELETE FROM products WHERE sku IN ('nothing', 'sku7');
    UPDATE ${oddSql} SET \`select\` = 'z'; DELETE FROM ${oddSql} WHERE \`a, b\` = 2;`);
  const orders = await data("--at", point, "--only", "db:bench/orders", "--rows", "gone", "--yes");
  expect(orders.tables.map(({ name, asked, puts }) => [name, asked, puts.gone])).toEqual([
    ["customers", false, 1],
    ["orders", true, 10],
  ]);
  await program.succeed(["mend", "shop", "--at", point, "--only", "db:bench/products", "--yes"]);
  await program.succeed(["mend", "shop", "--at", point, "--only", oddPlace, "--yes"]);
  expect(await Promise.all(["customers", "orders", "products", oddSql].map(digestOf))).toEqual(before);
});

it("makes tables again that were dropped, with all that was their own, and drops them again", async () => {
  // Numbers that the server had set aside and nobody has used are not in its files: the counter goes on after the highest row.
  const shape = async () => {
    const tables = ["orders", "customers", "products", oddSql];
    const shown = await Promise.all(
      tables.map((table) => sql(`SHOW CREATE TABLE ${table}; CHECKSUM TABLE ${table} EXTENDED;`)),
    );
    const triggers = await sql(
      "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT, DEFINER, SQL_MODE FROM information_schema.TRIGGERS;",
    );
    return [...shown.map((text) => text.replace(/ AUTO_INCREMENT=\d+/, "")), triggers];
  };
  const before = await shape();
  // What is documented for it, beside the rights for rows.
  await server.sql(`GRANT CREATE, ALTER, DROP, REFERENCES ON bench.* TO keeper@'127.0.0.1'; GRANT SET USER, SUPER ON *.* TO keeper@'127.0.0.1';
    GRANT CREATE, ALTER, DROP, REFERENCES ON ${quoted(odd)}.* TO keeper@'127.0.0.1';`);
  await sql(`DROP TABLE orders, customers, products, ${oddSql};`);
  const refused = await mend("--at", point, "--only", "db:bench/orders");
  expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain("--only db:bench/customers,db:bench/orders");
  const both = await data("--at", point, "--only", "db:bench/orders,db:bench/customers", "--yes");
  expect(both.tables.map(({ name, made, puts }) => [name, made, puts.gone])).toEqual([
    ["orders", true, 500],
    ["customers", true, 50],
  ]);
  await program.succeed(["mend", "shop", "--at", point, "--only", "db:bench/products", "--yes"]);
  const oddly = await data("--at", point, "--only", oddPlace, "--yes");
  expect(await shape()).toEqual(before);
  await expect(sql("DELETE FROM customers WHERE id = 1;")).rejects.toThrow("of_customer");
  expect(await sql("SHOW CREATE TABLE orders;")).toContain(" AUTO_INCREMENT=501 ");
  await program.succeed(["mend", "shop", "--undo", oddly.digest, "--yes"]);
  await expect(sql(`SELECT 1 FROM ${oddSql};`)).rejects.toThrow("doesn't exist");
  await program.succeed(["mend", "shop", "--proposal", oddly.digest, "--yes"]);
  expect(await shape()).toEqual(before);
});

it("refuses what one transaction is not of, and what is not there", async () => {
  const refuse = async (only: string) => (await mend("--at", point, "--only", only, "--yes")).stderr;
  expect(await refuse("db:bench/orders,db:other/ballast")).toContain("one transaction is of one database");
  expect(await refuse("db:bench")).toContain("names no table of a database");
  expect(await refuse("db:bench/audit")).not.toContain("error ");
  const unknown = await refuse("db:bench/custmers");
  expect(unknown).toContain("database bench has no table custmers then");
  expect(unknown).toContain('did you mean "customers"?');
  await server.sql("DROP DATABASE other;");
  expect(await refuse("db:other/ballast")).toContain(
    "Refloat's user sees no database other on the live server to put rows back into",
  );
});
