/** Events of a recovered database run again when somebody says so, one by one, by a user with the documented rights. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ArmRequest } from "../../core/ports/arming.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureMariadbInto, mariadbContext, mariadbDriver as driver } from "../../testing/mariadb-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../testing/mariadb-server.ts";
import type { MariadbContext } from "./mariadb-options.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const { arming } = driver;
if (arming === undefined) throw new Error("MariaDB is armed");

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
/** The last event is to be captured before its time has come. */
const script = `
  CREATE TABLE ticks (id INT AUTO_INCREMENT PRIMARY KEY);
  CREATE DEFINER = owner@localhost EVENT tick ON SCHEDULE EVERY 1 SECOND DO INSERT INTO ticks VALUES ();
  CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' DO DELETE FROM ticks;
  CREATE EVENT asleep ON SCHEDULE EVERY 1 HOUR DISABLE DO SELECT 1;
  CREATE EVENT \`od,d "one"\` ON SCHEDULE EVERY 1 WEEK DO SELECT 1;
  SET NAMES latin1 COLLATE latin1_german1_ci; SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES', time_zone = '+05:30';
  CREATE EVENT foreign_one ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01 03:00:00' DO INSERT INTO "ticks" SELECT 0 FROM DUAL WHERE 'a\\' = 'b';
  SET NAMES utf8mb4; SET SESSION sql_mode = DEFAULT, time_zone = DEFAULT;
  CREATE EVENT once ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 20 SECOND ON COMPLETION PRESERVE DO SELECT 1;`;

let server: MariadbServer;
let folder: TestFolder;
let context: MariadbContext;
let exchange: { readonly incoming: string; readonly outgoing: string };

const request = (items: readonly string[]): ArmRequest => ({
  items,
  archiveCommand: null,
  outgoing: exchange.outgoing,
});

const recover = async (run: number): Promise<void> => {
  const place = join(folder.path, `point${run}`);
  const captured = await captureMariadbInto(context, place);
  exchange = {
    incoming: await driver.instances.name(context, run),
    outgoing: await driver.instances.retiredName(context, run),
  };
  const target = { name: exchange.incoming, run, runUid };
  await driver.instances.restore(context, target, createDirectoryReader(place), captured);
  await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
};

const listed = async (): Promise<readonly (readonly [string, string])[]> =>
  (await arming.disarmed(context)).map(({ name, was }) => [name, was] as const);

const statusOf = async (event: string): Promise<string> =>
  (
    await server.sql(
      `SELECT STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop' AND EVENT_NAME = '${event}';`,
    )
  ).trim();

/** Of the live one and of the one of the old side. */
const definers = async (event: string): Promise<string> =>
  (
    await server.sql(
      `SELECT GROUP_CONCAT(DEFINER) FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN ('shop', '${exchange.outgoing}') AND EVENT_NAME = '${event}';`,
    )
  ).trim();

/** All that the server says of it. */
const shown = (database: string): Promise<string> => server.sql(`SHOW CREATE EVENT ${database}.foreign_one;`);
let original: string;

const ticks = async (): Promise<number> => Number(await server.sql("SELECT COUNT(*) FROM shop.ticks;"));

beforeAll(async () => {
  server = await startMariadbServer({
    settings: { "event-scheduler": "ON", "log-bin-trust-function-creators": "ON" },
  });
  folder = await createTestFolder("refloat-mariadb-arming");
  await server.sql(
    "CREATE DATABASE shop; CREATE USER 'keeper'@'127.0.0.1'; CREATE USER owner@localhost; GRANT ALL ON shop.* TO owner@localhost;",
  );
  await server.sql(script, "shop");
  context = mariadbContext(server, "shop", folder.path, { user: "keeper" });
  await server.sql((await driver.preflight(context)).grants.join("\n"));
  original = await shown("shop");
  await recover(7);
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

test("what ran is recorded exactly, and nothing that did not", async () => {
  expect(await listed()).toEqual([
    ["event:foreign_one", "enabled, EVERY 1 DAY STARTS '2026-01-01 03:00:00'"],
    ["event:nightly", "enabled, EVERY 1 DAY STARTS '2026-01-01 03:00:00'"],
    ['event:od,d "one"', expect.stringMatching(/^enabled, EVERY 1 WEEK/)],
    ["event:once", expect.stringMatching(/^enabled, AT '/)],
    ["event:tick", expect.stringMatching(/^enabled, EVERY 1 SECOND/)],
  ]);
});

test("an event keeps the session in which it was made: restored, on the side that was left, and armed again", async () => {
  expect(original).toContain("latin1_german1_ci");
  expect(original).toContain("ANSI_QUOTES,NO_BACKSLASH_ESCAPES\t+05:30");
  const off = original.replace(" ENABLE DO ", " DISABLE DO ");
  expect(await shown("shop")).toBe(off);
  expect(await shown(exchange.outgoing)).toBe(off);
  await arming.arm(context, request(["event:foreign_one"]));
  expect(await shown("shop")).toBe(original);
});

test("an event whose time has gone by stays off, and an unknown one is named", async () => {
  await expect
    .poll(async () => (await arming.propose(context, request(["event:once"]))).stays, { timeout: 60_000 })
    .toEqual([expect.objectContaining({ name: "event:once", why: expect.stringContaining("gone by") as string })]);
  await expect(arming.propose(context, request(["event:asleep"]))).rejects.toMatchObject({
    code: "usage",
    message: 'nothing called "event:asleep" is off in db',
  });
});

test("is refused while events of the old side run", async () => {
  await server.sql(`ALTER DEFINER = owner@localhost EVENT ${exchange.outgoing}.tick ENABLE;`);
  await expect(arming.propose(context, request(["event:tick"]))).rejects.toMatchObject({
    code: "arming.refused",
    message: `events of the old side run: ${exchange.outgoing}.tick`,
  });
  await server.sql(`ALTER DEFINER = owner@localhost EVENT ${exchange.outgoing}.tick DISABLE;`);
});

test("one that fails puts those before it back", async () => {
  await server.sql("REVOKE EVENT ON shop.* FROM 'keeper'@'127.0.0.1';");
  await expect(arming.arm(context, request(["event:tick"]))).rejects.toMatchObject({
    code: expect.any(String) as string,
  });
  await server.sql("GRANT EVENT ON shop.* TO 'keeper'@'127.0.0.1';");
  expect(await statusOf("tick")).toBe("DISABLED");
  expect((await listed()).map(([name]) => name)).toContain("event:tick");
});

test("one runs again and the others stay; it is asked for twice", async () => {
  const still = await ticks();
  await arming.arm(context, request(["event:tick"]));
  await expect.poll(ticks, { timeout: 60_000 }).toBeGreaterThan(still);
  expect(await statusOf("nightly")).toBe("DISABLED");
  expect(await definers("tick")).toBe("owner@localhost,owner@localhost");
  expect((await listed()).map(([name]) => name)).toEqual(["event:nightly", 'event:od,d "one"', "event:once"]);
  await expect(arming.arm(context, request(["event:tick"]))).rejects.toMatchObject({ code: "usage" });
});

test("what is left off is listed no more, and what waits is still known after another recovery", async () => {
  await arming.leave(context, ["event:once"]);
  await recover(8);
  expect((await listed()).map(([name]) => name)).toEqual([
    "event:foreign_one",
    "event:nightly",
    'event:od,d "one"',
    "event:tick",
  ]);
  await arming.arm(context, request(['event:od,d "one"']));
  expect(await statusOf('od,d "one"')).toBe("ENABLED");
  expect(await statusOf("once")).toBe("DISABLED");
  // Somebody else has armed it.
  await server.sql("ALTER EVENT shop.nightly ENABLE;");
  expect((await listed()).map(([name]) => name)).toEqual(["event:foreign_one", "event:tick"]);
});
