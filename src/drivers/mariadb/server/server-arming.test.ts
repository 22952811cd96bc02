/** Events of a recovered server run again when somebody says so, one by one and by their own definers; by a user with the documented rights. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ArmRequest } from "../../../core/ports/arming.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import { ownerOf } from "../../../platform/folder-server/folder-owner.ts";
import { startApart } from "../../../platform/folder-server/start-apart.ts";
import { waitUntil } from "../../../platform/wait-until.ts";
import { createVault } from "../../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import {
  captureServerInto,
  dataOf,
  mariadbServerContext,
  mariadbServerDriver as driver,
} from "../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../testing/mariadb-server.ts";
import { enableEvents } from "../events.ts";
import { eventItem } from "./disarm-record.ts";
import { type ServerContext, liveAccessOf } from "./server-options.ts";
import { endServer, isServed } from "./server-process.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const { arming } = driver;
if (arming === undefined) throw new Error("a whole MariaDB server is armed");

let folder: TestFolder;
let server: MariadbServer;
let vault: Repository;
let context: ServerContext;
let outgoing: string;
/** Where the log stood at the switch. */
let left: string;

const request = (items: readonly string[]): ArmRequest => ({ items, archiveCommand: null, outgoing });

const recover = async (run: number): Promise<void> => {
  const captured = await captureServerInto(context, vault);
  left = await server.sql("SHOW MASTER STATUS;");
  const exchange = {
    incoming: await driver.instances.name(context, run),
    outgoing: await driver.instances.retiredName(context, run),
  };
  const target = { name: exchange.incoming, run, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };
  await driver.instances.restore(context, target, await vault.openSnapshot(captured.snapshot), captured);
  await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
  ({ outgoing } = exchange);
};

const listed = async () => (await arming.disarmed(context)).map(({ name, was }) => [name, was] as const);
const names = async () => (await listed()).map(([name]) => name);

const stateOf = async (event: string): Promise<string> =>
  (await server.sql(`SELECT STATUS, DEFINER FROM information_schema.EVENTS WHERE EVENT_NAME = '${event}';`)).trim();

const ticks = async (): Promise<number> => Number(await server.sql("SELECT COUNT(*) FROM shop.ticks;"));

const tick = "event:shop/tick";

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-arming");
  server = await startMariadbServer({
    settings: { "event-scheduler": "ON", "log-bin": "binlog", "binlog-format": "ROW" },
  });
  await server.sql(`CREATE DATABASE shop; CREATE DATABASE \`a/b\`; CREATE USER keeper@'127.0.0.1'; CREATE USER owner@localhost;
    GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO keeper@'127.0.0.1'; GRANT ALL ON shop.* TO owner@localhost;
    CREATE TABLE shop.ticks (id INT AUTO_INCREMENT PRIMARY KEY);
    CREATE DEFINER = owner@localhost EVENT shop.tick ON SCHEDULE EVERY 1 SECOND DO INSERT INTO shop.ticks VALUES ();
    CREATE DEFINER = owner@localhost EVENT shop.nightly ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' DO DELETE FROM shop.ticks;
    CREATE EVENT shop.asleep ON SCHEDULE EVERY 1 HOUR DISABLE DO SELECT 1;
    CREATE EVENT shop.elsewhere ON SCHEDULE EVERY 1 HOUR DISABLE ON SLAVE DO SELECT 1;
    CREATE EVENT \`a/b\`.\`c,d "e"\` ON SCHEDULE EVERY 1 WEEK DO SELECT 1;`);
  context = await mariadbServerContext(server, folder.path, { url: server.url("", "keeper") });
  vault = await createVault(folder.path);
  await recover(7);
});
afterAll(async () => {
  for (const path of [dataOf(server), outgoing]) await endServer(context, path, "SIGKILL");
  await server.stop();
  await vault.close();
  await folder.remove();
});

test("what ran is recorded with the server, also for a user who may not see it", async () => {
  const expected = [
    ['event:a%2fb/c,d "e"', expect.stringMatching(/^enabled, EVERY 1 WEEK/)],
    ["event:shop/elsewhere", expect.stringMatching(/^off already where it was captured.*; EVERY 1 HOUR/)],
    ["event:shop/nightly", "enabled, EVERY 1 DAY STARTS '2026-01-01 03:00:00'"],
    [tick, expect.stringMatching(/^enabled, EVERY 1 SECOND/)],
  ];
  expect(await listed()).toEqual(expected);
  await expect(arming.propose(context, request([tick]))).rejects.toMatchObject({
    code: "source.denied",
    message: "keeper@127.0.0.1 may not switch these events on: no EVENT, SET USER",
    hint: expect.stringContaining("GRANT EVENT, SET USER ON *.* TO `keeper`@`127.0.0.1`;") as string,
  });
  await server.sql("GRANT EVENT, SET USER ON *.* TO keeper@'127.0.0.1';");
  expect(await listed()).toEqual(expected);
  await expect(arming.propose(context, request(["event:shop/asleep"]))).rejects.toMatchObject({ code: "usage" });
});

test("the restored server has begun another log: GTIDs from 1, and a file of another time under the same name", async () => {
  const now = await server.sql("SHOW MASTER STATUS;");
  expect(left).toMatch(/^binlog\.000001\t/);
  expect(now).toMatch(/^binlog\.000001\t/);
  // Of the one statement since.
  expect((await server.sql("SELECT @@global.gtid_binlog_pos;")).trim()).toBe("0-1-1");
  const begins = await Promise.all([outgoing, dataOf(server)].map((path) => readFile(join(path, "binlog.000001"))));
  const whens = begins.map((content) => content.readUInt32LE(4));
  expect(whens[1]).toBeGreaterThan(whens[0] ?? Number.POSITIVE_INFINITY);
});

test("is refused while a server runs on the old side", async () => {
  const owner = await ownerOf(outgoing, context.signal);
  const words = [
    "mariadbd",
    "--no-defaults",
    `--datadir=${outgoing}`,
    `--socket=${join(folder.path, "s")}`,
    "--skip-networking",
    "--event-scheduler=OFF",
    `--tmpdir=${folder.path}`,
    `--pid-file=${join(folder.path, "pid")}`,
    "--skip-log-bin",
    ...(owner.uid === 0 ? ["--user=root"] : []),
  ];
  await startApart(context, owner, { folder: outgoing, log: join(folder.path, "other.log"), words });
  try {
    await waitUntil(context, 60_000, () => isServed(outgoing));
    await expect(arming.propose(context, request([tick]))).rejects.toMatchObject({
      code: "arming.refused",
      message: `a server runs on the old side, ${outgoing}: its events would run twice`,
    });
  } finally {
    await endServer(context, outgoing, "SIGTERM");
  }
  expect(await arming.propose(context, request([tick]))).toMatchObject({
    items: [{ name: tick, does: "runs again" }],
    stays: [],
    warnings: [],
  });
});

test("one that fails puts those before it back, and nothing is under way", async () => {
  const access = await liveAccessOf(context, "target");
  const session = { charset: "utf8mb4", collation: "utf8mb4_general_ci", sqlMode: "", timeZone: "SYSTEM" };
  const event = { database: "shop", definer: "owner@localhost", ...session, isEnabled: false, isPast: false, was: "" };
  const some = ["tick", "dropped"].map((name) => ({ ...event, name, item: eventItem({ ...event, name }) }));
  await expect(enableEvents(access, some, "DISABLE ON SLAVE")).rejects.toMatchObject({
    state: "all of them are off as before",
  });
  expect(await stateOf("tick")).toBe("SLAVESIDE_DISABLED\towner@localhost");
});

test("one runs again by its own definer, and the others stay", async () => {
  const still = await ticks();
  await arming.arm(context, request([tick]));
  await expect.poll(ticks, { timeout: 60_000 }).toBeGreaterThan(still);
  expect(await stateOf("tick")).toBe("ENABLED\towner@localhost");
  expect(await stateOf("nightly")).toBe("SLAVESIDE_DISABLED\towner@localhost");
  expect(await names()).toEqual(['event:a%2fb/c,d "e"', "event:shop/elsewhere", "event:shop/nightly"]);
});

test("a kill in the middle is told, and the same request finishes it", async () => {
  const path = join(dataOf(server), "refloat-disarmed.json");
  const record = JSON.parse(await readFile(path, "utf8")) as { begun: string[] };
  await writeFile(path, JSON.stringify({ ...record, begun: ['event:a%2fb/c,d "e"'] }));
  await server.sql(`ALTER EVENT \`a/b\`.\`c,d "e"\` ENABLE;`);
  expect((await arming.disarmed(context))[0]).toMatchObject({ name: 'event:a%2fb/c,d "e"', begun: true });
  await arming.arm(context, request(['event:a%2fb/c,d "e"']));
  expect(await names()).toEqual(["event:shop/elsewhere", "event:shop/nightly"]);
});

test("what is left off or switched on by somebody waits no more; after another recovery all of it is known", async () => {
  await arming.leave(context, ["event:shop/elsewhere"]);
  await server.sql("ALTER DEFINER = owner@localhost EVENT shop.nightly ENABLE;");
  expect(await names()).toEqual([]);
  await expect(arming.arm(context, request([tick]))).rejects.toMatchObject({ code: "usage" });
  await recover(8);
  expect((await listed()).map(([name, was]) => `${name} ${was.slice(0, 7)}`)).toEqual([
    'event:a%2fb/c,d "e" enabled',
    "event:shop/elsewhere off alr",
    "event:shop/nightly enabled",
    "event:shop/tick enabled",
  ]);
});
