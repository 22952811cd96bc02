/** Rows that only one side has, as people find them in a file when that side is gone: all of them, and as they were. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { type MariadbServer, startMariadbServer } from "../../testing/mariadb-server.ts";
import { compareDatabases } from "./compare-tables.ts";
import { parseMariadbUrl } from "./connection-target.ts";
import type { SqlAccess } from "./sql-client.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: MariadbServer;
let folder: TestFolder;
let access: SqlAccess;

const compare = async (table: string) =>
  (await compareDatabases({ access, here: "old", there: "new", exportTo: folder.path })).find(
    ({ unit }) => unit.name === table,
  );
const read = (file: string | undefined): Promise<string> => readFile(join(folder.path, file ?? ""), "utf8");

beforeAll(async () => {
  folder = await createTestFolder("refloat-compare-tables");
  server = await startMariadbServer();
  await server.sql("CREATE DATABASE old; CREATE DATABASE new;");
  access = {
    target: parseMariadbUrl(server.url("old")),
    role: "source",
    marker: "",
    signal: new AbortController().signal,
  };
});
afterAll(async () => {
  await server?.stop();
  await folder?.remove();
});

it("are written down although they are more than one answer of the client may be", async () => {
  await server.sql(
    "CREATE TABLE big (id INT, body TEXT); INSERT INTO big SELECT seq, REPEAT('x', 7000) FROM seq_1_to_10000;",
    "old",
  );
  const { unit } = (await compare("big")) ?? {};
  expect(unit).toMatchObject({ added: 10_000, byHand: true, file: "big.csv" });
  const lines = (await read(unit?.file)).split("\n");
  expect(lines).toHaveLength(10_002);
  expect(lines.every((line) => line === "" || line === "id,body" || /^\d+,x{7000}$/.test(line))).toBe(true);
});

it("are written with bits as numbers, with places, and without a null for what the server does not spell", async () => {
  const columns = "id INT, flags BIT(10), place GEOMETRY, scan LONGBLOB";
  await server.sql(`CREATE TABLE old.kinds (${columns}); CREATE TABLE new.kinds (${columns});
    INSERT INTO old.kinds VALUES (1, b'1011111111', POINT(1, 2), ''), (2, NULL, NULL, 0x00ff), (3, 0, NULL, REPEAT('a', 9000000)), (4, 0, NULL, NULL), (5, 1, POINT(3, 4), 'x');
    INSERT INTO new.kinds VALUES (5, 1, POINT(3, 4), 'x');`);
  const { unit } = (await compare("kinds")) ?? {};
  expect(unit).toMatchObject({ added: 4, removed: 0 });
  expect((await read(unit?.file)).split("\n").toSorted()).toEqual([
    "",
    '1,767,0x000000000101000000000000000000f03f0000000000000040,""',
    "2,,,0x00ff",
    "3,0,,(9000000 bytes, more than max_allowed_packet lets be written)".replace(/\(.*\)/, '"$&"'),
    "4,0,,",
    "id,flags,place,scan",
  ]);
});

it("are written down whatever their table is named", async () => {
  const name = "訂單".repeat(20);
  await server.sql(`CREATE TABLE \`${name}\` (id INT); INSERT INTO \`${name}\` VALUES (7);`, "old");
  expect(await read((await compare(name))?.unit.file)).toBe("id\n7\n");
});

it("are all only there where no column of the table is on the other side", async () => {
  await server.sql(
    "CREATE TABLE old.turned (a INT); CREATE TABLE new.turned (b INT); INSERT INTO old.turned VALUES (7); INSERT INTO new.turned VALUES (8);",
  );
  const { unit } = (await compare("turned")) ?? {};
  expect(unit).toMatchObject({ added: 1, removed: 1, byHand: true });
  expect(await read(unit?.file)).toBe("a\n7\n");
});

it("are told as put back by nobody where the table they would come into has no transactions", async () => {
  for (const database of ["old", "new"])
    await server.sql(
      "CREATE TABLE loose (id INT PRIMARY KEY) ENGINE=MyISAM; CREATE TABLE firm (id INT PRIMARY KEY);",
      database,
    );
  await server.sql("INSERT INTO loose VALUES (1); INSERT INTO firm VALUES (1);", "old");
  expect((await compare("loose"))?.unit).toMatchObject({ added: 1, byHand: true, file: "loose.csv" });
  expect((await compare("firm"))?.unit).toEqual({ name: "firm", added: 1, changed: 0, removed: 0, file: "firm.csv" });
});
