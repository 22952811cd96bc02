/** A whole MariaDB server against its physical capture: what is gone unasked, rows of what is named, and the cures that are offered. */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
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

const sql = (text: string): Promise<string> => server.sql(text, "bench");
const assess = async (...only: readonly string[]) =>
  resultEnvelopeSchema("assess").parse(
    (await program.succeed(["assess", "shop", "--against", point, ...only, "--json"])).lines.at(-1),
  ).data;
const cure = (command: string, ...more: readonly string[]) =>
  program.succeed([...command.split(" ").slice(1), ...more]);

beforeAll(async () => {
  folder = await createTestFolder("refloat-assess-mariadb-server");
  temporary = join(folder.path, "tmp");
  await mkdir(temporary);
  server = await startMariadbServer({ settings: { "log-bin": "binlog" } });
  await server.sql(
    "CREATE DATABASE bench CHARACTER SET utf8mb4; CREATE DATABASE other; CREATE TABLE other.ballast (n INT);",
  );
  await sql(`
    CREATE TABLE customers (id INT PRIMARY KEY, name TEXT); INSERT INTO customers SELECT seq, CONCAT('c', seq) FROM seq_1_to_50;
    CREATE TABLE products (sku VARCHAR(20) PRIMARY KEY, price DECIMAL(10,2)); INSERT INTO products SELECT CONCAT('sku', seq), seq + 0.10 FROM seq_1_to_800;
    CREATE TABLE gone (id INT PRIMARY KEY); INSERT INTO gone VALUES (1), (2), (3);
    CREATE TABLE mails (what TEXT); INSERT INTO mails VALUES ('a');
    CREATE TABLE fast (id INT PRIMARY KEY) ENGINE=MEMORY;
    CREATE VIEW dear AS SELECT sku FROM products;`);
  const port = await findFreePort(4);
  await writeFile(join(folder.path, "password"), "correct horse battery staple", { mode: 0o600 });
  await writeFile(
    join(folder.path, "refloat.yaml"),
    `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: { db: { type: mariadb-server, data: ${join(server.directory, "data")}, url: "${server.url("")}", ports: ${port}-${port + 3} } } } }`,
  );
  vi.stubEnv("TMPDIR", temporary);
  program = refloatInside(folder.path);
  await program.succeed(["vault", "init"]);
  const captured = await program.succeed(["capture", "shop", "--json"]);
  point = resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data.id.slice(0, 8);
  await sql(`UPDATE products SET price = 0; INSERT INTO products VALUES ('new', 5); ALTER TABLE customers MODIFY name VARCHAR(5);
    DROP TABLE gone; CREATE TABLE added (id INT PRIMARY KEY);`);
  await server.sql("DROP DATABASE other;");
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

it("tells unasked which databases are gone, and what to name for rows", async () => {
  const shallow = await assess();
  expect(shallow.components).toMatchObject([
    {
      damaged: true,
      tables: [{ name: "other", signs: ["the database is gone"] }],
      notes: [expect.stringMatching(/rows written, by the server's counts since the point$/)],
      unseen: expect.stringMatching(
        / name tables, --only db:bench\/TABLE, or a database, --only db:bench, of which all \(.*B\) is read$/,
      ),
    },
  ]);
  expect(shallow.cures[0]?.command).toBe(`refloat extract ${point}:db:other --dump --to restored-other.dump`);
});

it("assesses tables that are named, and each cure that it offers mends", async () => {
  const only = ["products", "customers", "gone", "added", "mails", "fast"].map((name) => `db:bench/${name}`).join(",");
  const found = await assess("--only", only);
  expect(
    found.components[0]?.tables.map(({ name, kind, before, signs, unseen }) => [name, kind, before, signs, unseen]),
  ).toEqual([
    ["bench/products", "changed", 800, ["price is 0.00 in all of 800 changed rows"], null],
    ["bench/customers", "changed", null, [], expect.stringContaining("name was text")],
    ["bench/gone", "removed", 3, ["the table is gone"], null],
    ["bench/added", "added", null, [], null],
    ["bench/mails", "changed", null, [], expect.stringContaining("mails has no primary key")],
    ["bench/fast", "changed", null, [], expect.stringContaining("a MEMORY table, of which a capture has no rows")],
  ]);
  const [mended, made, taken] = found.cures;
  expect(mended).toMatchObject({
    command: `refloat mend shop --at ${point} --only db:bench/products --rows changed --columns price`,
    loses: [],
  });
  expect(made).toMatchObject({
    kind: "mend",
    words: "make bench/gone again with 3 rows",
    command: `refloat mend shop --at ${point} --only db:bench/gone`,
  });
  await cure(mended?.command ?? "", "--yes");
  await cure(taken?.command ?? "");
  expect(await readdir(folder.path)).toContain("restored-gone.dump");
  await cure(made?.command ?? "", "--yes");
  expect(await sql("SELECT COUNT(*) FROM gone;")).toContain("3");
  await sql("DROP TABLE gone;");
  expect(await assess("--only", "db:bench/products")).toMatchObject({
    cures: [],
    components: [{ damaged: false, tables: [{ rows: { changed: 0, newer: 1 } }] }],
  });
});

it("takes nothing for gone that Refloat's user may not see, and names the right", async () => {
  await server.sql(`CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word';
    GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO keeper@'127.0.0.1'; GRANT SELECT ON bench.customers TO keeper@'127.0.0.1';`);
  const file = join(folder.path, "refloat.yaml");
  const whole = await readFile(file, "utf8");
  await writeFile(join(folder.path, "db-password"), "a word\n", { mode: 0o600 });
  await writeFile(
    file,
    whole.replace(
      `"${server.url("")}"`,
      `"${server.url("", "keeper")}", password: "\${file:${folder.path}/db-password}"`,
    ),
  );
  // It has read the file.
  await program.close();
  try {
    const right = expect.stringContaining("GRANT SELECT ON `bench`.* TO `keeper`@`127.0.0.1`;") as string;
    const named = await assess("--only", "db:bench/products,db:bench/gone");
    expect(named.components[0]?.tables.map(({ name, kind, unseen }) => [name, kind, unseen])).toEqual([
      ["bench/products", "changed", right],
      ["bench/gone", "removed", null],
    ]);
    await server.sql("REVOKE SELECT ON bench.customers FROM keeper@'127.0.0.1';");
    const every = (await assess("--only", "db:bench")).components[0]?.tables;
    expect(every?.filter(({ name }) => /products|gone/.test(name))).toMatchObject([
      { name: "bench/gone", kind: "removed" },
      { name: "bench/products", kind: "changed", unseen: right },
    ]);
    expect((await assess()).components[0]?.tables).toMatchObject([{ name: "other", signs: ["the database is gone"] }]);
  } finally {
    await writeFile(file, whole);
    await program.close();
  }
});

it("assesses every table of a database by one temporary server, and refuses names of nothing", async () => {
  await sql("UPDATE products SET price = 1;");
  const whole = await assess("--only", "db:bench");
  expect(whole.components[0]?.tables.map(({ name, kind, signs }) => [name, kind, signs])).toEqual([
    ["bench/added", "added", []],
    ["bench/customers", "changed", []],
    ["bench/fast", "changed", []],
    ["bench/gone", "removed", ["the table is gone"]],
    ["bench/mails", "changed", []],
    ["bench/products", "changed", ["price is 1.00 in all of 800 changed rows"]],
  ]);
  expect(whole.components[0]?.tables.find(({ name }) => name === "bench/gone")?.before).toBe(3);
  for (const [only, words] of [
    ["db:bench/nothing", "database bench has no table nothing then"],
    ["db:nosuch", "the server has no database nosuch then"],
    ["db:bench/", "names no table and no database"],
  ] as const) {
    const refused = await program.run(["assess", "shop", "--against", point, "--only", only]);
    expect(refused.exit, `${only}: ${refused.stdout}`).not.toBe(0);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain(words);
  }
});
