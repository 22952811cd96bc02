/** After a recovery of a whole MariaDB server: what came after the point is read out of copies of the stopped old side and put into the recovered one, database by database. */
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { endServer } from "../../src/drivers/mariadb/server/server-process.ts";
import { findByEnvironment, listProcesses, readPlaces } from "../../src/platform/process-table.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { dataOf } from "../../src/testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { declareIn } from "./support/declare.ts";
import { lookOf } from "./support/look-of.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

let folder: string;
let temporary: string;
let server: MariadbServer;
let refloat: RefloatProgram;

const odd = 'a/b "c"';
const oddSql = '`a/b "c"`.`it\'s ``odd```';
const typed = `db:"a/b ""c"""`;

const sql = (text: string): Promise<string> => server.sql(text, "shop");
const environment = () => ({ TMPDIR: temporary });
const run = (...args: readonly string[]) => refloat.run(["reconcile", "1", ...args], environment());
const reconcile = async (...args: readonly string[]) =>
  resultEnvelopeSchema("reconcile").parse(
    (await refloat.succeed(["reconcile", "1", ...args, "--json", "--yes"], environment())).lines.at(-1),
  ).data;
const oldSide = () => join(server.directory, "data.old1");
const left = async () => (await readdir(temporary)).filter((name) => name.startsWith("."));
const counts = async (): Promise<string> =>
  (
    await sql(`SELECT (SELECT COUNT(*) FROM customers), (SELECT COUNT(*) FROM products WHERE price = 0),
                      (SELECT COUNT(*) FROM mails), (SELECT COUNT(*) FROM days);`)
  ).trimEnd();
const orders = async (): Promise<number> => Number(await sql("SELECT COUNT(*) FROM orders;"));
const order = (customer: string): string =>
  `INSERT INTO shop.customers (name) VALUES ('${customer}'); SET @c = LAST_INSERT_ID();
   INSERT INTO shop.orders (customer, note) VALUES (@c, REPEAT('${customer}', 500));`;
const servers = () =>
  listProcesses().filter(({ pid }) => readPlaces(pid).words.some((word) => word.startsWith(`--datadir=${temporary}`)));

/** Until the server goes away. @returns how many were acknowledged */
const customersComing = async (): Promise<number> => {
  for (let count = 0; ; count += 1) {
    try {
      await server.sql(order(`guest${count}`));
    } catch {
      return count;
    }
  }
};

let acknowledged = 0;
/** Of a batch that is in the recovered side. */
let inThere = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-reconcile-mdb-"));
  await chmod(folder, 0o755);
  temporary = join(folder, "tmp");
  await mkdir(temporary);
  server = await startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW" } });
  await server.sql(`
    CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE DATABASE \`a/b "c"\` CHARACTER SET utf8mb4; CREATE DATABASE other;
    CREATE TABLE ${oddSql} (\`a, b\` INT PRIMARY KEY, \`select\` TEXT); INSERT INTO ${oddSql} VALUES (1, 'before');
    CREATE TABLE other.calm (id INT PRIMARY KEY); INSERT INTO other.calm VALUES (1);
    ALTER USER root@localhost IDENTIFIED BY '';
    CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, SELECT, INSERT, UPDATE, DELETE, TRIGGER, CREATE TEMPORARY TABLES ON *.* TO keeper@'127.0.0.1';`);
  await sql(`
    CREATE TABLE customers (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) UNIQUE);
    CREATE TABLE products (id INT PRIMARY KEY, price DECIMAL(10,2), raw BLOB, bits BIT(5), twice DECIMAL(12,2) AS (price * 2) STORED);
    CREATE TABLE orders (id BIGINT AUTO_INCREMENT PRIMARY KEY, customer BIGINT NOT NULL, note TEXT, FOREIGN KEY (customer) REFERENCES customers (id));
    CREATE TABLE mails (what TEXT, raw VARBINARY(10)); INSERT INTO mails VALUES ('twice', X'00ff');
    CREATE TABLE days (day DATE PRIMARY KEY, n INT) PARTITION BY RANGE (YEAR(day)) (PARTITION p0 VALUES LESS THAN (2026), PARTITION p1 VALUES LESS THAN (2028));
    CREATE TABLE states (id INT PRIMARY KEY, state INT) ENGINE=MyISAM; INSERT INTO states VALUES (1, 1);
    CREATE TABLE briefly (id INT PRIMARY KEY) ENGINE=MEMORY;
    CREATE VIEW dear AS SELECT * FROM products WHERE price > 90;
    CREATE SEQUENCE tickets;
    CREATE TRIGGER mailed AFTER INSERT ON orders FOR EACH ROW INSERT INTO mails (what) VALUES (CONCAT('order ', NEW.id));
    INSERT INTO products (id, price, raw, bits) SELECT seq, seq, X'00FF27', b'101' FROM seq_1_to_100;`);
  for (const name of ["ann", "ben"]) await server.sql(order(name));
  const port = await findFreePort(4);
  await writeFile(join(folder, "db-password"), "a word\n", { mode: 0o600 });
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
        type: mariadb-server
        data: ${dataOf(server)}
        url: ${server.url("", "keeper")}
        password: \${file:${join(folder, "db-password")}}
        ports: ${port}-${port + 3}
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "shop"], environment());
  await sql(`UPDATE products SET price = 0; INSERT INTO mails VALUES ('by, hand', NULL), ('twice', X'00ff');
    INSERT INTO days VALUES ('2026-03-03', 3); INSERT INTO states VALUES (2, 2); INSERT INTO briefly VALUES (1);
    CREATE TABLE late (id INT PRIMARY KEY); INSERT INTO late VALUES (1);
    INSERT INTO customers (name) VALUES ('fay'); INSERT INTO orders (customer, note) SELECT id, 'of the first fay' FROM customers WHERE name = 'fay';
    INSERT INTO ${oddSql} VALUES (2, 'after\\n''"🦊'); UPDATE ${oddSql} SET \`select\` = 'changed' WHERE \`a, b\` = 1;
    CREATE DATABASE fresh; CREATE TABLE fresh.rows_of_it (id INT PRIMARY KEY); INSERT INTO fresh.rows_of_it VALUES (1);`);
  const coming = customersComing();
  await delay(300);
  await refloat.succeed(["recover", "shop", "--yes"], environment());
  acknowledged = await coming;
  // The same name again: the old side's row of it stays out, and what refers to it.
  await server.sql(order("fay"));
}, 240_000);

afterAll(async () => {
  // After a switch it is not the one that was started here.
  const waiting = { clock: systemClock, signal: new AbortController().signal };
  for (const name of await readdir(server.directory)) await endServer(waiting, join(server.directory, name), "SIGKILL");
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it("shows what only the old side has, and leaves both sides as they are", async () => {
  expect(acknowledged).toBeGreaterThan(0);
  const before = await lookOf(oldSide());
  const shown = await run("--no-apply");
  expect(shown).toMatchObject({ exit: 0 });
  const told = shown.stdout.replaceAll(/\s+/g, " ");
  expect(told).toContain(`Mend shop, db, database shop, from the old side of run 1 (${oldSide()})`);
  expect(told).toContain(`Mend shop, db, database ${odd}, from the old side of run 1 (${oldSide()})`);
  expect(told).toContain("LEFT db: the database fresh: it is not in the recovered side: it was made after the point");
  expect(told).toMatch(/rows of orders stay out: mailed on orders, after insert would fire/);
  expect(told).toMatch(/customers stay out: [^;]*name/);
  expect(told).toContain("LEFT OUT 1 row of late stay out: there is no table late any more");
  expect(told).toContain("LEFT OUT 1 row of states stay out: no rows are put back into states: it is MyISAM");
  expect(told).not.toContain("briefly");
  expect(await counts()).toBe("3\t0\t4\t0");
  expect(await lookOf(oldSide())).toEqual(before);
  expect(await left()).toEqual([]);
  expect((await refloat.succeed(["runs", "1"], environment())).stdout).toContain("or: refloat reconcile 1");
});

it("writes rows without a key down as often as they are missing, whatever database they are of", async () => {
  const { leftOut } = (await reconcile("--only", "db:shop/mails")).batches[0] ?? {};
  expect(leftOut).toMatchObject([{ table: "mails", why: expect.stringContaining("no primary key") }]);
  const lines = (await readFile(leftOut?.[0]?.file ?? "", "utf8")).trimEnd().split("\n");
  expect(lines.slice(0, 1)).toEqual(["what,raw"]);
  // Of the live side's own trigger one line is there: `order 3` of the second fay, who has another number.
  expect(lines.filter((line) => !line.startsWith("order ")).toSorted()).toEqual([
    '"by, hand",',
    "twice,0x00ff",
    "what,raw",
  ]);
  expect(lines.filter((line) => line.startsWith("order "))).toHaveLength(acknowledged + 1);
  expect(leftOut?.[0]?.rows).toBe(lines.length - 1);
});

it("puts in what came after the point, once, and takes it back", async () => {
  const had = await orders();
  const { batches } = await reconcile("--triggers");
  const puts = batches.map(({ database, tables }) => [
    database,
    tables.map(({ name, puts: { gone, changed } }) => `${name} ${gone} ${changed}`).toSorted(),
  ]);
  expect(puts).toEqual([
    [odd, ["it's `odd` 1 0"]],
    ["other", []],
    ["shop", [`customers ${acknowledged} 0`, "days 1 0", `orders ${acknowledged} 0`]],
  ]);
  expect(batches.at(-1)?.tables.flatMap(({ triggers }) => triggers)).toEqual(["mailed on orders, after insert"]);
  expect(await orders()).toBe(had + acknowledged);
  expect(await counts()).toBe(`${3 + acknowledged}\t0\t${4 + acknowledged}\t1`);
  expect(await server.sql(`SELECT * FROM ${oddSql} ORDER BY 1;`)).toBe("1\tbefore\n2\tafter\\n'\"🦊\n");
  expect(await sql("SELECT COUNT(DISTINCT id) = COUNT(*), MAX(LENGTH(note)) >= 3000 FROM orders;")).toBe("1\t1\n");
  expect((await reconcile("--only", "db:shop", "--triggers")).batches).toMatchObject([{ applied: false }]);
  await refloat.succeed(["mend", "shop", "--undo", batches.at(-1)?.digest ?? "", "--yes"], environment());
  expect(await orders()).toBe(had);
  expect(await counts()).toBe(`3\t0\t${4 + acknowledged}\t0`);
});

it("takes one table with what it refers to, and rows that differ where they are named", async () => {
  const { batches } = await reconcile("--only", "db:shop/orders", "--triggers");
  inThere = batches[0]?.digest ?? "";
  expect(batches.map(({ database, tables }) => [database, tables.map(({ name, asked }) => [name, asked])])).toEqual([
    [
      "shop",
      [
        ["customers", false],
        ["orders", true],
      ],
    ],
  ]);
  const { batches: changed } = await reconcile("--only", "db:shop/products", "--rows", "changed");
  expect(changed[0]?.tables).toMatchObject([{ name: "products", puts: { changed: 100 } }]);
  expect(await sql("SELECT COUNT(*), SUM(twice), MIN(HEX(raw)) FROM products WHERE price = 0;")).toBe(
    "100\t0.00\t00FF27\n",
  );
  const { batches: theirs } = await reconcile("--only", typed, "--rows", "changed");
  expect(theirs[0]?.tables).toMatchObject([{ puts: { changed: 1 } }]);
  expect((await run("--only", "db:nosuch")).stderr).toContain("nosuch");
  expect((await run("--only", "db:shop/nosuch")).stderr).toContain("nosuch");
});

it("leaves nothing running when it is killed, and no folder behind the next one", async () => {
  const before = await lookOf(oldSide());
  const reconciling = refloat.spawn(["reconcile", "1", "--no-apply", "--json"], environment());
  await expect.poll(() => servers().length, { timeout: 60_000 }).toBeGreaterThan(0);
  reconciling.kill("SIGKILL");
  await reconciling.catch(() => undefined);
  await expect.poll(() => servers().length, { timeout: 10_000 }).toBe(0);
  await expect.poll(() => findByEnvironment({ REFLOAT_STEP: "refloat/1/reconcile" }), { timeout: 10_000 }).toEqual([]);
  expect(await left()).not.toEqual([]);
  expect(await run("--no-apply", "--only", typed)).toMatchObject({ exit: 0 });
  expect(await left()).toEqual([]);
  expect(await lookOf(oldSide())).toEqual(before);
});

it("does not follow what leads out of the old side, and says so", async () => {
  const link = join(oldSide(), "other", "calm.isl");
  await symlink("/elsewhere", link);
  const { left: kept, batches } = await reconcile();
  await rm(link);
  expect(kept.map(({ why }) => why)).toContain(
    "the database other: other/calm.isl leads out of the folder of the old side",
  );
  expect(batches.map(({ database }) => database)).toEqual([odd, "shop"]);
});

it("tells before a commit what goes with the old side, and has nothing to do once that serves again", async () => {
  expect((await refloat.run(["commit", "1"], environment())).stdout.replaceAll(/\s+/g, " ")).toContain(
    "unless refloat reconcile 1 has put it back",
  );
  await refloat.succeed(["undo", "1", "--yes", "--accept-loss"], environment());
  expect((await run()).stderr).toContain("run 1 is undone");
  // It has these rows by itself.
  const had = await orders();
  for (const word of ["--undo", "--proposal"]) {
    const refused = await refloat.run(["mend", "shop", word, inThere, "--yes"], environment());
    expect(refused).toMatchObject({ exit: 3 });
    expect(refused.stderr).toMatch(/error rows\.changed: run \d+ has put another side back behind db since/);
    expect(refused.stderr).toMatch(/next: refloat runs \d+/);
  }
  expect(await orders()).toBe(had);
  expect(had).toBeGreaterThanOrEqual(acknowledged);
  expect(await sql("SELECT COUNT(*) FROM products WHERE price = 0;")).toBe("100\n");
});

it("reads nothing of an old side that was killed with what it wrote last in its log alone, and says so", async () => {
  await refloat.succeed(["capture", "shop"], environment());
  const declared = await readFile(join(folder, "refloat.yaml"), "utf8");
  const stop = `stop: kill -KILL $(pgrep -f "[d]atadir=${dataOf(server)} ")`;
  await writeFile(join(folder, "refloat.yaml"), declared.replace("        ports:", `        ${stop}\n        ports:`));
  await sql("UPDATE products SET price = 1; INSERT INTO customers (name) VALUES ('grace');");
  const recovered = await refloat.succeed(["recover", "shop", "--yes", "--json"], environment());
  const number = /"run":(\d+)/.exec(JSON.stringify(recovered.lines.at(-1)))?.[1] ?? "";
  const { batches, left: kept } = resultEnvelopeSchema("reconcile").parse(
    (await refloat.succeed(["reconcile", number, "--json", "--yes"], environment())).lines.at(-1),
  ).data;
  expect(batches).toEqual([]);
  expect(kept[0]?.why).toMatch(/no rows are read of .*does not come up/);
  expect(await left()).toEqual([]);
});
