/** What a real server's binary log tells of its transactions. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LogChange } from "../../core/ports/logs.ts";
import { collect } from "../../testing/collect.ts";
import { type MariadbServer, startMariadbServer } from "../../testing/mariadb-server.ts";
import { binlogLine, serverBinlog, writtenTo } from "../../testing/server-binlog.ts";
import { readBinlogChanges } from "./binlog-changes.ts";
import { createLogSpan } from "../../testing/log-span.ts";

let server: MariadbServer;
/** By what was done, the number of its transaction. */
const numbers = new Map<string, string>();
let middle: string;
let end: string;

const note = async (name: string, sql: string): Promise<void> => {
  numbers.set(name, (await server.sql(`${sql}; SELECT @@last_gtid;`, "shop")).trim().split("\n").at(-1) ?? "");
};

const read = (wants: (database: string) => boolean, from = "1/0"): Promise<readonly LogChange[]> => {
  const span = createLogSpan({ driver: "mariadb", line: binlogLine, from: "1/0", to: end });
  const request = { span, from, read: serverBinlog(server).read, signal: new AbortController().signal };
  return collect(readBinlogChanges(request, wants));
};

beforeAll(async () => {
  server = await startMariadbServer({
    settings: { "log-bin": "binlog", "binlog-format": "ROW", "log-bin-compress": "ON", "log-bin-compress-min-len": 10 },
  });
  await server.sql("CREATE DATABASE shop; CREATE DATABASE other;");
  await server.sql("CREATE TABLE products (id INT PRIMARY KEY, price INT, note CHAR(40)) ENGINE=InnoDB;", "shop");
  await server.sql("INSERT INTO products SELECT seq, seq, SHA1(seq) FROM seq_1_to_2000;", "shop");
  await server.sql("FLUSH BINARY LOGS;");
  await note("few", "UPDATE products SET price = 1 WHERE id < 5");
  middle = await writtenTo(server);
  await note("zeroed", "UPDATE products SET price = 0");
  await note("undone", "START TRANSACTION; DELETE FROM products; ROLLBACK");
  await note("deleted", "DELETE FROM products WHERE id > 1000");
  await note("column", "ALTER TABLE products   ADD COLUMN\n extra INT");
  await note("temporary", "CREATE TEMPORARY TABLE t AS SELECT * FROM products");
  await note("user", "CREATE USER clerk@localhost IDENTIFIED BY 'clerk'");
  await note("elsewhere", "CREATE TABLE other.copied SELECT seq, SHA1(seq) FROM seq_1_to_2000");
  await note("marker", "DROP TABLE IF EXISTS refloat_moment_0123456789abcdef");
  await note("marker of a server", "FLUSH TABLES refloat.refloat_moment_0123456789abcdef");
  await note("dropped", "DROP TABLE products");
  end = await writtenTo(server);
}, 300_000);

afterAll(() => server.stop());

const of = (changes: readonly LogChange[], name: string): LogChange | undefined =>
  changes.find(({ target }) => target === `gtid ${numbers.get(name)}`);

it("does not tell of markers that Refloat has placed", async () => {
  const changes = await read(() => true);
  expect(of(changes, "dropped")).toBeDefined();
  expect([of(changes, "marker"), of(changes, "marker of a server")]).toEqual([undefined, undefined]);
});

it("tells large transactions and changed definitions of one database", async () => {
  const changes = await read((database) => database === "shop");
  expect(of(changes, "zeroed")).toMatchObject({ subjects: ["shop.products"], isNotable: false });
  expect(of(changes, "zeroed")?.what).toMatch(/^[\d.]+ kB of rows updated$/);
  expect(of(changes, "deleted")?.what).toMatch(/^[\d.]+ kB of rows deleted$/);
  expect(of(changes, "column")).toMatchObject({
    what: "ALTER TABLE products ADD COLUMN extra INT",
    isNotable: true,
  });
  expect(of(changes, "dropped")?.what).toMatch(/^DROP TABLE `products`/);
  for (const name of ["few", "undone", "temporary", "user", "elsewhere"]) expect(of(changes, name)).toBeUndefined();
  expect(Math.abs(Date.parse(of(changes, "zeroed")?.at ?? "") - Date.now())).toBeLessThan(3_600_000);
});

it("begins in the middle of a file where it is told to, and tells of a whole server all databases", async () => {
  const changes = await read(() => true, middle);
  expect(changes.some(({ what }) => what.includes("CREATE TABLE products"))).toBe(false);
  expect(of(changes, "zeroed")).toBeDefined();
  expect(of(changes, "elsewhere")?.subjects).toEqual(["other.copied"]);
});
