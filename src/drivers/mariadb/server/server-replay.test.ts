/** Going on from a whole captured server by its binary log: all of it is applied, up to a place in the middle of a transaction; what cannot be is refused. */
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { InstanceTarget, Replay } from "../../../core/ports/driver.ts";
import type { LogMarker } from "../../../core/ports/logs.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import type { CapturedComponent } from "../../../model/manifest.ts";
import { createVault } from "../../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import {
  captureServerInto,
  mariadbServerContext,
  mariadbServerDriver as driver,
} from "../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../testing/mariadb-server.ts";
import { binlogLine, serverBinlog, writtenTo } from "../../../testing/server-binlog.ts";
import { placeAt, positionOf } from "../binlog-line.ts";
import { askSql } from "../sql-client.ts";
import { startInstance } from "./instance-server.ts";
import type { ServerContext } from "./server-options.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: TestFolder;
let server: MariadbServer;
let vault: Repository;
let context: ServerContext;
let captured: CapturedComponent;
let target: InstanceTarget;

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-replay");
  server = await startMariadbServer({
    settings: { "log-bin": "binlog", "binlog-format": "ROW", "log-bin-compress": "ON", "log-bin-compress-min-len": 10 },
  });
  await server.sql(`CREATE DATABASE shop; USE shop; CREATE TABLE orders (id INT PRIMARY KEY, total INT); CREATE TABLE trail (word TEXT);
    CREATE TRIGGER noted AFTER INSERT ON orders FOR EACH ROW INSERT INTO trail VALUES (NEW.id); INSERT INTO orders VALUES (1, 10);`);
  context = await mariadbServerContext(server, folder.path);
  vault = await createVault(folder.path);
  captured = await captureServerInto(context, vault);
  target = { name: await driver.instances.name(context, 1), run: 1, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };
});
afterAll(async () => {
  await driver.instances.drop(context, target);
  await server.stop();
  await vault.close();
  await folder.remove();
});

const restoreTo = async (to: string) => {
  const replay: Replay = { logs: serverBinlog(server), line: binlogLine, to, at: "2026-01-01T00:00:00.000Z" };
  return driver.instances.restore(context, target, await vault.openSnapshot(captured.snapshot), captured, replay);
};

const ask = async (sql: string): Promise<string> => {
  const rows = await askSql(await startInstance(context, target.name), sql);
  return rows.map((row) => Object.values(row).join(",")).join(" ");
};

it("applies everything, and nothing of a transaction that the place cuts", async () => {
  await server.sql(`USE shop; INSERT INTO orders VALUES (2, 20); CREATE DATABASE \`od-d\`; CREATE TABLE \`od-d\`.x (i INT);
    INSERT INTO \`od-d\`.x VALUES (1); FLUSH BINARY LOGS; CREATE USER clerk@localhost IDENTIFIED BY 'clerk'; GRANT SELECT ON shop.* TO clerk@localhost;
    CREATE EVENT shop.later ON SCHEDULE EVERY 1 SECOND DO INSERT INTO shop.trail VALUES ('tick');`);
  const before = placeAt(await writtenTo(server));
  await server.sql(
    "START TRANSACTION; INSERT INTO orders VALUES (3, 30); DELETE FROM orders WHERE id < 3; COMMIT;",
    "shop",
  );
  const events = (await server.sql(`SHOW BINLOG EVENTS IN 'binlog.000002' FROM ${before.offset};`)).trim().split("\n");
  // The server may note a checkpoint behind it.
  const committed = events.findLast((event) => event.includes("COMMIT"));
  const commit = Number(committed?.split("\t")[1]);
  expect(commit).toBeGreaterThan(before.offset);
  const report = await restoreTo(positionOf({ number: 2, offset: commit }));
  expect(report.summary).toMatch(/then its log to binlog\.000002:\d+ \(0-1-\d+\): 2 transactions, 5 changes/);
  expect(await ask("SELECT id, total FROM shop.orders ORDER BY id;")).toBe("1,10 2,20");
  expect(await ask("SELECT word FROM shop.trail ORDER BY word;")).toBe("1 2");
  expect(await ask("SELECT i FROM `od-d`.x;")).toBe("1");
  expect(await ask("SELECT status FROM mysql.event;")).toBe("SLAVESIDE_DISABLED");
  expect(await ask("SHOW GRANTS FOR clerk@localhost;")).toContain("GRANT SELECT ON `shop`.*");
  const outcomes = await driver.instances.validate(context, target, captured.facts, { to: "2/0", at: "" });
  expect(outcomes.map(({ status }) => status)).toEqual(["passed"]);
  await driver.instances.drop(context, target);
});

const marking = async (by: ServerContext, name: string): Promise<LogMarker> => {
  const marker = await driver.logs?.mark?.(by, { name, lines: [binlogLine] });
  return marker === undefined || "unmarked" in marker ? expect.fail("nothing was marked") : marker;
};

it("ends exactly behind a marker that a user with no right but those of a backup placed among the commits of others", async () => {
  await server.sql(
    `CREATE USER keeper@'127.0.0.1'; GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO keeper@'127.0.0.1';`,
  );
  const keeper = await mariadbServerContext(server, folder.path, { url: server.url("", "keeper") });
  const stop = new AbortController();
  const busy = (async () => {
    for (let id = 1000; !stop.signal.aborted; id += 10) {
      const rows = Array.from({ length: 10 }, (_, index) => `INSERT INTO \`od-d\`.x VALUES (${id + index});`);
      await server.sql(`${rows.join("\n")} FLUSH BINARY LOGS;`);
    }
  })();
  const markers: LogMarker[] = [];
  for (let id = 101; id <= 103; id += 1) {
    await server.sql(`INSERT INTO orders VALUES (${id}, 1);`, "shop");
    markers.push(await marking(keeper, `refloat shop ${id}`));
  }
  await server.sql("INSERT INTO orders VALUES (104, 1);", "shop");
  stop.abort();
  await busy;
  const { read } = serverBinlog(server);
  for (const marker of markers) {
    expect(await driver.logs?.holdsMarker?.(marker, read)).toBe(true);
    expect(await driver.logs?.holdsMarker?.({ ...marker, id: "0-1-7" }, read)).toBe(false);
  }
  await restoreTo(markers[1]?.position ?? "");
  expect(await ask("SELECT id FROM shop.orders WHERE id > 100 ORDER BY id;")).toBe("101 102");
  expect(await ask("SHOW DATABASES LIKE 'refloat';")).toBe("");
  await driver.instances.drop(context, target);
});

it("places no marker where nothing of the log is received", async () => {
  expect(await driver.logs?.mark?.(context, { name: "x", lines: ["2/binlog/1-1"] })).toEqual({
    unmarked: "the vault holds nothing of its binary log",
  });
});

it("refuses a distributed transaction before anything is made", async () => {
  await server.sql(
    "XA START 'one'; INSERT INTO orders VALUES (9, 9); XA END 'one'; XA PREPARE 'one'; XA COMMIT 'one';",
    "shop",
  );
  const to = await writtenTo(server);
  await expect(restoreTo(to)).rejects.toMatchObject({
    code: "source.unsupported",
    message: expect.stringMatching(/^the binary log cannot be gone on by beyond binlog\.\d{6}:\d+/),
  });
  expect(await driver.instances.inspect(context, target)).toBe("absent");
});
