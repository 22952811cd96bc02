/** What a switch does to AUTO_INCREMENT and sequences, on real servers and by a user with the documented rights. */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Exchange } from "../../../core/ports/driver.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import type { Position } from "../../../model/facts.ts";
import { createVault } from "../../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import {
  captureServerInto,
  dataOf,
  mariadbServerContext,
  mariadbServerDriver as driver,
} from "../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../testing/mariadb-server.ts";
import { carryCountersOver } from "./counters.ts";
import { rememberIncoming, stopLive } from "./live-server.ts";
import { lastNumberIn } from "./root-page.ts";
import type { ServerContext } from "./server-options.ts";
import { endServer } from "./server-process.ts";
import { serverSwitching } from "./switching.ts";
import { serverWrites } from "./writes.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: TestFolder;
let server: MariadbServer;
let vault: Repository;
let context: ServerContext;
const putAway: string[] = [];

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-counters");
  server = await startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW" } });
  await server.sql(`CREATE USER keeper@'127.0.0.1'; GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO keeper@'127.0.0.1';
    CREATE DATABASE \`ä/ß\`; USE \`ä/ß\`;
    CREATE TABLE \`o;\`\`"'Ö\` (id INT AUTO_INCREMENT PRIMARY KEY, t INT); INSERT INTO \`o;\`\`"'Ö\` VALUES (7, 1);
    CREATE TABLE small (id TINYINT AUTO_INCREMENT PRIMARY KEY); INSERT INTO small VALUES (100);
    CREATE TABLE zipped (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, t TEXT) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4;
    CREATE TABLE plain (id BIGINT AUTO_INCREMENT PRIMARY KEY, t TEXT) ROW_FORMAT=REDUNDANT;
    CREATE TABLE parts (id INT AUTO_INCREMENT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3; INSERT INTO parts VALUES (100);
    CREATE TABLE thin (id INT AUTO_INCREMENT PRIMARY KEY) PAGE_COMPRESSED=1; INSERT INTO thin VALUES (55);
    CREATE TABLE isam (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=MyISAM; INSERT INTO isam VALUES (9);
    CREATE TABLE gone (id INT AUTO_INCREMENT PRIMARY KEY); INSERT INTO gone VALUES (3);
    CREATE TABLE still (id INT AUTO_INCREMENT PRIMARY KEY); INSERT INTO still VALUES (3);
    SET GLOBAL innodb_default_row_format = redundant; SET GLOBAL innodb_checksum_algorithm = crc32;
    CREATE SEQUENCE older NOCACHE; CREATE TABLE old_sum (id INT AUTO_INCREMENT PRIMARY KEY);
    SET GLOBAL innodb_default_row_format = dynamic; SET GLOBAL innodb_checksum_algorithm = full_crc32;
    CREATE TABLE past (id INT AUTO_INCREMENT PRIMARY KEY) WITH SYSTEM VERSIONING; INSERT INTO past VALUES (3);
    CREATE SEQUENCE \`s/é\` CACHE 10; CREATE SEQUENCE down INCREMENT -1 NOCACHE; CREATE SEQUENCE round CYCLE NOCACHE; CREATE SEQUENCE narrow MAXVALUE 9 NOCACHE;
    SELECT NEXTVAL(\`s/é\`), NEXTVAL(down), NEXTVAL(round), NEXTVAL(narrow);`);
  context = await mariadbServerContext(server, folder.path, { url: server.url("", "keeper") });
  vault = await createVault(folder.path);
});
afterAll(async () => {
  for (const path of [dataOf(server), ...putAway]) await endServer(context, path, "SIGKILL");
  await server.stop();
  await vault.close();
  await folder.remove();
});

const within = (sql: string): Promise<string> => server.sql(sql, "ä/ß");

const namesOf = async (run: number): Promise<Exchange> => ({
  incoming: await driver.instances.name(context, run),
  outgoing: await driver.instances.retiredName(context, run),
});

/** @returns where the instance stands before the switch */
const restore = async (run: number, write: () => Promise<unknown>): Promise<Position> => {
  const captured = await captureServerInto(context, vault);
  await write();
  const { incoming: name } = await namesOf(run);
  const target = { name, run, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };
  await driver.instances.restore(context, target, await vault.openSnapshot(captured.snapshot), captured);
  return serverWrites.position(context, name);
};

const cutOver = async (run: number): Promise<void> => {
  const exchange = await namesOf(run);
  putAway.push(exchange.outgoing);
  await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
};

const told = (): Promise<readonly string[]> =>
  serverSwitching.settle?.(context, "") ?? Promise.reject(new Error("it tells nothing"));

const unreadHint = "was left as it is in the point: the files of the old side do not tell where its own has stopped";

test("no row of the recovered side gets a number of the old one, and the old one goes on by itself when it comes back", async () => {
  const since = await restore(7, () =>
    within(`INSERT INTO \`o;\`\`"'Ö\` (t) VALUES (2), (3); DELETE FROM \`o;\`\`"'Ö\` WHERE id = 9;
      ALTER TABLE small MODIFY id INT AUTO_INCREMENT; INSERT INTO small VALUES (4000);
      INSERT INTO zipped VALUES (9007199254740993, 'x'); INSERT INTO plain VALUES (71, 'x'); INSERT INTO parts VALUES (202), (300);
      INSERT INTO thin VALUES (56); INSERT INTO isam VALUES (20); DROP TABLE gone; INSERT INTO past VALUES (8);
      INSERT INTO old_sum VALUES (6); SELECT NEXTVAL(older), NEXTVAL(older);
      SELECT NEXTVAL(\`s/é\`), NEXTVAL(down), NEXTVAL(round); SELECT SETVAL(\`s/é\`, 50); ALTER SEQUENCE narrow MAXVALUE 90; SELECT SETVAL(narrow, 40);`),
  );
  await cutOver(7);
  const said = await told();
  expect([...said].sort()).toEqual(
    [
      `ä/ß.o;\`"'Ö goes on at 10 (was at 8)`,
      "ä/ß.zipped goes on at 9007199254740994 (was at 1)",
      "ä/ß.plain goes on at 72 (was at 1)",
      "ä/ß.parts goes on at 301 (was at 101)",
      "ä/ß.old_sum goes on at 7 (was at 1)",
      "ä/ß.older goes on at 3 (was at 1)",
      "ä/ß.past goes on at 9 (was at 4)",
      "ä/ß.s/é goes on at 51 (was at 11)",
      "ä/ß.down goes on at -3 (was at -2)",
      "ä/ß.round cycles; it was left at 2",
      "ä/ß.small cannot go on at 4001, where the old side was: it was left at 101; alter it as it was altered after the point, then set it",
      "ä/ß.narrow cannot go on at 41, where the old side was: it was left at 2; alter it as it was altered after the point, then set it",
      `ä/ß.thin ${unreadHint}`,
      `ä/ß.isam ${unreadHint}`,
    ].sort(),
  );
  // What the switch itself has done is no work that an undo would lose.
  expect(await serverWrites.writesSince(context, { location: null, since })).toMatchObject({ units: [], gaps: [] });
  // Nor does it stand in the new log.
  expect((await server.sql("SELECT @@global.gtid_binlog_pos;")).trim()).toBe("");
  const numbers = await within(`
    INSERT INTO \`o;\`\`"'Ö\` (t) VALUES (4); SELECT LAST_INSERT_ID(); INSERT INTO zipped (t) VALUES ('y'); SELECT LAST_INSERT_ID();
    INSERT INTO plain (t) VALUES ('y'); SELECT LAST_INSERT_ID(); INSERT INTO parts VALUES (); SELECT LAST_INSERT_ID();
    INSERT INTO still VALUES (); SELECT LAST_INSERT_ID(); INSERT INTO gone VALUES (); SELECT LAST_INSERT_ID();
    SELECT NEXTVAL(\`s/é\`); SELECT NEXTVAL(down); SELECT NEXTVAL(round);`);
  expect(numbers.trim().split("\n")).toEqual(["10", "9007199254740994", "72", "301", "4", "4", "51", "-3", "2"]);
  expect((await serverWrites.writesSince(context, { location: null, since })).units).not.toEqual([]);

  const { incoming, outgoing } = await namesOf(7);
  const back: Exchange = { incoming: outgoing, outgoing: incoming };
  putAway.push(incoming);
  await driver.switching.exchange(context, back, await driver.switching.observe(context, back));
  expect(await told()).toEqual([]);
  expect(await readdir(dataOf(server))).not.toContain("refloat-counters.json");
  expect((await within(`INSERT INTO \`o;\`\`"'Ö\` (t) VALUES (5); SELECT LAST_INSERT_ID();`)).trim()).toBe("10");
});

test("a switch that is killed after counters have gone on says the same when it goes on", async () => {
  const since = await restore(8, () => within("INSERT INTO still VALUES (400);"));
  const { incoming } = await namesOf(8);
  await stopLive(context, dataOf(server));
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    await rememberIncoming(context, dataOf(server), incoming);
    await carryCountersOver(context, dataOf(server), incoming);
  }
  await cutOver(8);
  expect(await told()).toContain("ä/ß.still goes on at 401 (was at 4)");
  expect(await told()).not.toContainEqual(expect.stringContaining("did not run any more"));
  expect(await serverWrites.writesSince(context, { location: null, since })).toMatchObject({ units: [], gaps: [] });
});

test("of a server that was killed the files tell what they have, and that it may be too little is said", async () => {
  await restore(9, async () => {
    await within("INSERT INTO still VALUES (500);");
    await endServer(context, dataOf(server), "SIGKILL");
  });
  await cutOver(9);
  expect(await told()).toContainEqual(
    expect.stringMatching(/^the old side's server did not run any more at the switch/),
  );
});

test("a page that is damaged gives no number", async () => {
  const { outgoing } = await namesOf(9);
  const database = (await readdir(outgoing)).find((name) => name.startsWith("@")) ?? "";
  const path = join(outgoing, database, "parts#P#p0.ibd");
  expect(await lastNumberIn(path)).toBe(300n);
  const file = await open(path, "r+");
  await file.write(Buffer.from([0x7f]), 0, 1, 3 * 16_384 + 56);
  await file.close();
  expect(await lastNumberIn(path)).toBeNull();
});
