/** What Refloat itself writes to a live server while it compares rows is nobody's write: an undo asks nobody to accept its loss. */
import { chmod } from "node:fs/promises";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { PointSource } from "../../../core/ports/row-mending.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import type { Position } from "../../../model/facts.ts";
import { createVault } from "../../../testing/cluster-bench.ts";
import { collect } from "../../../testing/collect.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { captureServerInto, mariadbServerContext } from "../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../testing/mariadb-server.ts";
import { serverMending } from "./mend/row-mending.ts";
import { serverParts } from "./mend/compare-parts.ts";
import type { ServerContext } from "./server-options.ts";
import { serverWrites } from "./writes.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let server: MariadbServer;
let folder: TestFolder;
let context: ServerContext;
let vault: Repository;
let source: PointSource;

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-own");
  await chmod(folder.path, 0o755);
  server = await startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW" } });
  await server.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE customers (id INT PRIMARY KEY, name TEXT);
    INSERT INTO customers VALUES (1, 'ada'), (2, 'bob'), (3, 'eve');
    CREATE TABLE orders (id INT PRIMARY KEY, customer INT); INSERT INTO orders VALUES (1, 1);`);
  context = await mariadbServerContext(server, folder.path);
  vault = await createVault(folder.path);
  const captured = await captureServerInto(context, vault);
  source = { tree: await vault.openTree(captured.snapshot), captured, tables: [], replay: null, words: "the point" };
});
afterAll(async () => {
  await vault?.close();
  await server?.stop();
  await folder?.remove();
});

const position = (): Promise<Position> => serverWrites.position(context, null);
const since = (at: Position) => serverWrites.writesSince(context, { location: null, since: at });

const compare = (typed: string) => collect(serverParts.compare(context, source, typed));
const everyRow = { rows: ["changed", "gone"], columns: null, where: null, fireTriggers: true } as const;
const nothing = { lastWriteAt: null, units: [], gaps: [] };

it("is nobody's write, of a table and of a whole database", async () => {
  const at = await position();
  expect(await compare("shop/customers")).toMatchObject([{ state: "compared", rows: { equal: 3 } }]);
  expect(await compare("shop")).toHaveLength(2);
  expect(await since(at)).toEqual(nothing);
  expect(await serverWrites.estimateSince?.(context, at)).toMatchObject({ about: "nothing" });
});

it("hides nothing that somebody wrote before, while or after", async () => {
  const at = await position();
  await server.sql("INSERT INTO shop.orders VALUES (4, 1);");
  const again: typeof source.tree = {
    ...source.tree,
    content: (entry) => {
      // Once for each file, while a session of ours is open or about to be.
      void server.sql("UPDATE shop.orders SET customer = customer + 1 WHERE id = 4;");
      return source.tree.content(entry);
    },
  };
  await collect(serverParts.compare(context, { ...source, tree: again }, "shop/orders"));
  await server.sql("INSERT INTO shop.customers VALUES (4, 'eli');");
  const { units } = await since(at);
  expect(units).toEqual([
    { name: "all databases", added: 2, changed: expect.any(Number), removed: 0, counted: "rows" },
  ]);
  expect(units[0]?.changed).toBeGreaterThan(0);
  await server.sql("DELETE FROM shop.orders WHERE id = 4; DELETE FROM shop.customers WHERE id = 4;");
});

it("is not taken off what was written since it was over, nor where another process counts", async () => {
  await compare("shop");
  const at = await position();
  await server.sql("INSERT INTO shop.customers VALUES (5, 'max');");
  expect((await since(at)).units).toMatchObject([{ added: 1 }]);
  const other = { ...at, mark: { ...at.mark, life: "1/1" } };
  expect((await since(other)).gaps).toEqual([expect.stringContaining("started anew")]);
  await server.sql("DELETE FROM shop.customers WHERE id = 5;");
});

it("is nobody's write either where a condition of a person's ends the session", async () => {
  const at = await position();
  const wish = { ...everyRow, tables: ["shop/customers"] };
  await expect(serverMending.propose(context, source, { ...wish, where: "nmae = 'ada'" })).rejects.toMatchObject({
    code: "usage",
  });
  expect(await since(at)).toEqual(nothing);
  const proposal = await serverMending.propose(context, source, { ...wish, where: "name = 'ada'" });
  expect(proposal.tables).toMatchObject([{ equal: 3 }]);
  expect(await since(at)).toEqual(nothing);
});

it("is nothing that a function of the application wrote, which a condition may not have done at all", async () => {
  await server.sql(
    "DELIMITER //\nCREATE FUNCTION noted(n INT) RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN INSERT INTO orders VALUES (n + 100, n); RETURN 1; END//",
    "shop",
  );
  const wish = { ...everyRow, tables: ["shop/customers"], where: "noted(id) = 1" };
  await expect(serverMending.propose(context, source, wish)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringContaining("READ ONLY"),
  });
  expect(await server.sql("SELECT COUNT(*) FROM shop.orders;")).toBe("1\n");
});
