/** Rows of a whole server as of a moment after its capture: what was written until then comes back, and one temporary server has all that it takes. */
import { readdirSync } from "node:fs";
import { chmod, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { ByteStream } from "../../../../core/ports/bytes.ts";
import type { FolderEntry } from "../../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import type { Repository } from "../../../../core/ports/vault.ts";
import type { PointSource } from "../../../../core/ports/row-mending.ts";
import { createVault } from "../../../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../../../testing/driver-context.ts";
import { captureServerInto, mariadbServerContext } from "../../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../../testing/mariadb-server.ts";
import { binlogLine, serverBinlog, writtenTo } from "../../../../testing/server-binlog.ts";
import type { ServerContext } from "../server-options.ts";
import { openTemporary } from "../excerpt/temporary-server.ts";
import { serverMending } from "./row-mending.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: MariadbServer;
let folder: TestFolder;
let temporary: string;
let context: ServerContext;
let vault: Repository;
let source: PointSource;

const wish = { rows: ["changed", "gone"], columns: null, where: null, fireTriggers: true } as const;

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-rows");
  await chmod(folder.path, 0o755);
  temporary = join(folder.path, "tmp");
  await mkdir(temporary);
  server = await startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW" } });
  await server.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE customers (id INT PRIMARY KEY); INSERT INTO customers VALUES (1);
    CREATE TABLE orders (id INT PRIMARY KEY, customer INT, FOREIGN KEY (customer) REFERENCES customers (id)); INSERT INTO orders VALUES (1, 1);`);
  context = await mariadbServerContext(server, folder.path);
  vault = await createVault(folder.path);
  const captured = await captureServerInto(context, vault);
  await server.sql("INSERT INTO customers VALUES (2); INSERT INTO orders VALUES (2, 2);", "shop");
  const replay = {
    logs: serverBinlog(server),
    line: binlogLine,
    to: await writtenTo(server),
    at: "2026-01-01T00:00:00.000Z",
  };
  await server.sql("DELETE FROM orders; DELETE FROM customers WHERE id = 2;", "shop");
  const tree = await vault.openTree(captured.snapshot);
  source = { tree, captured, tables: [], replay, words: "the moment" };
  vi.stubEnv("TMPDIR", temporary);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await vault?.close();
  await server?.stop();
  await folder?.remove();
});

it("come back with what they refer to, from one server", async () => {
  const stages: string[] = [];
  const log = { ...context.log, info: (words: string) => void stages.push(words) };
  const proposal = await serverMending.propose({ ...context, log }, source, { ...wish, tables: ["shop/orders"] });
  expect(proposal.tables.map(({ name, puts }) => [name, puts.gone])).toEqual([
    ["customers", 1],
    ["orders", 2],
  ]);
  expect(stages.filter((words) => words === "starting")).toHaveLength(1);
  await serverMending.apply(context, proposal, "mend");
  expect(await server.sql("SELECT * FROM orders ORDER BY id;", "shop")).toBe("1\t1\n2\t2\n");
  expect(await readdir(temporary)).toEqual([]);
});

it("come of the point itself from one server after the other", async () => {
  await server.sql("DELETE FROM orders; DELETE FROM customers;", "shop");
  const living: number[] = [];
  const info = (words: string): void => void (words === "starting" && living.push(readdirSync(temporary).length));
  const request = { ...wish, tables: ["shop/orders"] };
  const { tables } = await serverMending.propose(
    { ...context, log: { ...context.log, info } },
    { ...source, replay: null },
    request,
  );
  expect(tables.map(({ name, puts }) => [name, puts.gone])).toEqual([
    ["customers", 1],
    ["orders", 1],
  ]);
  expect(living).toEqual([1, 1]);
  expect(await readdir(temporary)).toEqual([]);
  await server.sql("INSERT INTO customers VALUES (1), (2); INSERT INTO orders VALUES (1, 1), (2, 2);", "shop");
});

it("are counted without being put back", async () => {
  await server.sql("DELETE FROM orders WHERE id = 2;", "shop");
  const counted = await serverMending.compare(context, source, "shop/orders");
  expect({ gone: counted.gone, equal: counted.equal }).toEqual({ gone: 1, equal: 1 });
  expect(await readdir(temporary)).toEqual([]);
});

it("leave nothing behind where a file of the point cannot be read, and nobody writes then", async () => {
  let running = 0;
  let read = 0;
  async function* slow(content: ByteStream): ByteStream {
    running += 1;
    read += 1;
    const isBad = read === 5;
    try {
      await setTimeout(isBad ? 50 : 400);
      if (isBad) throw new RefloatError("vault.damaged", "a blob is not what it was");
      yield* content;
    } finally {
      running -= 1;
    }
  }
  const tree = { ...source.tree, content: (entry: FolderEntry) => slow(source.tree.content(entry)) };
  const name = { database: "shop", table: "orders" };
  await expect(
    openTemporary(context, { tree, captured: source.captured }, { name, replay: null, stage: () => undefined }),
  ).rejects.toMatchObject({ code: "vault.damaged" });
  expect(running).toBe(0);
  expect(await readdir(temporary)).toEqual([]);
});
