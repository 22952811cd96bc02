/** The old side of a server: which of its tables are looked at, told by their files alone, and what keeps all of it from being read. */
import { chmod, cp, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { KeptSideSource } from "../../../../core/ports/row-mending.ts";
import { type TestFolder, createTestFolder } from "../../../../testing/driver-context.ts";
import { captureServerInto, dataOf, mariadbServerContext } from "../../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../../testing/mariadb-server.ts";
import { createVault } from "../../../../testing/cluster-bench.ts";
import type { Repository } from "../../../../core/ports/vault.ts";
import type { ServerContext } from "../server-options.ts";
import { endServer } from "../server-process.ts";
import { writtenDatabases } from "./kept-rows.ts";
import { readKeptSide } from "./kept-side.ts";
import { serverMending } from "./row-mending.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** What is taken off the point's time, since clocks may differ. */
const marginMs = 3_600_000;

let server: MariadbServer;
let folder: TestFolder;
let temporary: string;
let context: ServerContext;
let vault: Repository;
let kept: KeptSideSource;

const request = {
  tables: ["shop/orders"],
  rows: ["gone"],
  columns: null,
  where: null,
  fireTriggers: true,
} as const;

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-kept");
  await chmod(folder.path, 0o755);
  temporary = join(folder.path, "tmp");
  await mkdir(temporary);
  server = await startMariadbServer();
  await server.sql(`
    CREATE DATABASE calm; USE calm; CREATE TABLE still (id INT PRIMARY KEY); CREATE VIEW seen AS SELECT * FROM still; CREATE TABLE briefly (id INT) ENGINE=MEMORY;
    CREATE DATABASE inside; SET GLOBAL innodb_file_per_table = OFF; CREATE TABLE inside.shared (id INT PRIMARY KEY); SET GLOBAL innodb_file_per_table = ON;
    CREATE DATABASE shop; USE shop; CREATE TABLE customers (id INT PRIMARY KEY); INSERT INTO customers VALUES (1);
    CREATE TABLE orders (id INT PRIMARY KEY, customer INT, FOREIGN KEY (customer) REFERENCES customers (id)); INSERT INTO orders VALUES (1, 1);
    CREATE TABLE swapped (id INT PRIMARY KEY); CREATE TABLE loose (id INT) ENGINE=MyISAM; CREATE TABLE loose_still (id INT) ENGINE=MyISAM;
    CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3;`);
  context = await mariadbServerContext(server, folder.path);
  vault = await createVault(folder.path);
  const captured = await captureServerInto(context, vault);
  await endServer(context, dataOf(server), "SIGTERM");
  await server.start();
  const takenAt = new Date(Date.now() + marginMs).toISOString();
  await server.sql(
    "INSERT INTO orders VALUES (2, 1); INSERT INTO loose VALUES (1); INSERT INTO parts VALUES (4); RENAME TABLE swapped TO again;",
    "shop",
  );
  await endServer(context, dataOf(server), "SIGTERM");
  const side = `${dataOf(server)}.old1`;
  await rename(dataOf(server), side);
  await cp(side, dataOf(server), { recursive: true });
  await server.start();
  await server.sql("DELETE FROM orders WHERE id = 2;", "shop");
  const tree = await vault.openTree(captured.snapshot);
  kept = {
    side,
    since: { takenAt, mark: {} },
    madeAt: null,
    point: async () => ({ tree, captured, tables: [], replay: null, words: "the point" }),
    words: "the old side",
    leftTo: join(folder.path, "left"),
  };
  vi.stubEnv("TMPDIR", temporary);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await vault?.close();
  await server?.stop();
  await folder?.remove();
});

it("tells tables that were written to or named anew, and those whose rows lie in no file of their own", async () => {
  const { written } = await readKeptSide(context, kept);
  expect(Object.fromEntries([...written].map(([database, tables]) => [database, [...tables].toSorted()]))).toEqual({
    calm: [],
    inside: ["shared"],
    shop: ["again", "loose", "orders", "parts"],
  });
  expect(await writtenDatabases(context, kept)).toEqual({ names: ["inside", "shop"], left: [] });
  expect(await readdir(temporary)).toEqual([]);
});

it("gives rows of these tables alone, and of the others none", async () => {
  const { tables } = await serverMending.propose(context, kept, request);
  expect(tables).toMatchObject([{ name: "orders", puts: { gone: 1, changed: 0 } }]);
  await expect(serverMending.propose(context, kept, { ...request, tables: ["shop/customers"] })).rejects.toMatchObject({
    message: "the old side has no rows of customers to put back",
  });
  expect(await serverMending.propose(context, kept, { ...request, tables: ["calm"] })).toMatchObject({ tables: [] });
  expect(await readdir(temporary)).toEqual([]);
});

it("is not read while a server runs in it", async () => {
  await expect(serverMending.propose(context, { ...kept, side: dataOf(server) }, request)).rejects.toMatchObject({
    code: "source.unsupported",
    message: expect.stringContaining("a server runs in it"),
  });
});

it("needs room for both servers, which is asked for before anything is made", async ({ skip }) => {
  skip(process.getuid?.() !== 0, "only root may mount a small tmpfs");
  const small = join(folder.path, "small");
  await mkdir(small);
  // One of the two would fit.
  await execa("mount", ["-t", "tmpfs", "-o", "size=300m,mode=0755", "tmpfs", small]);
  vi.stubEnv("TMPDIR", small);
  try {
    const stages: string[] = [];
    const log = { ...context.log, info: (words: string) => void stages.push(words) };
    await expect(serverMending.propose({ ...context, log }, kept, request)).rejects.toMatchObject({
      code: "target.failed",
      message: expect.stringMatching(`in ${small}, where .* are free$`),
      state: "nothing was made",
    });
    expect(stages).toEqual([]);
    expect(await readdir(small)).toEqual([]);
  } finally {
    vi.stubEnv("TMPDIR", temporary);
    await execa("umount", [small]);
  }
});
