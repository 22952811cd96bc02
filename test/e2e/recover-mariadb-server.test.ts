/** A whole MariaDB server, by the command line: captured under write load, taken to a moment by its binary log, put in place, undone; and a capture that is killed. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { endServer } from "../../src/drivers/mariadb/server/server-process.ts";
import { descendantsOf, isAlive, listProcesses, readPlaces, worksIn } from "../../src/platform/process-table.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { dataOf } from "../../src/testing/mariadb-server-bench.ts";
import { holdOnMariadb } from "../../src/testing/hold-mariadb.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { laterOnMariadb, whileReceiving } from "./support/received-log.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let server: MariadbServer;
let refloat: RefloatProgram;

const one = async (question: string): Promise<string> => (await server.sql(question)).trim();

const points = async () =>
  resultEnvelopeSchema("points").parse((await refloat.succeed(["points", "shop", "--json"])).lines.at(-1)).data.points;

/** Both tables of a transaction have the same rows, at any moment. */
const writeForEver = `
DELIMITER //
BEGIN NOT ATOMIC
  WHILE (SELECT goes_on FROM shop.flag) DO
    START TRANSACTION;
    INSERT INTO shop.ledger (word) VALUES (UUID());
    INSERT INTO shop.mirror SELECT * FROM shop.ledger WHERE id = LAST_INSERT_ID();
    COMMIT;
  END WHILE;
END//`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-mdb-e2e-"));
  server = await startMariadbServer({
    settings: { "log-bin": "binlog", "binlog-format": "ROW", "sync-binlog": 1, "event-scheduler": "ON" },
  });
  await server.sql(`
CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;
CREATE TABLE orders (id INT PRIMARY KEY, total INT); INSERT INTO orders VALUES (1, 10), (2, 20);
CREATE TABLE ledger (id INT AUTO_INCREMENT PRIMARY KEY, word TEXT); CREATE TABLE mirror LIKE ledger;
CREATE TABLE flag (goes_on INT); INSERT INTO flag VALUES (1);
CREATE TABLE ticks (at TIMESTAMP(6)) ENGINE=Aria;
CREATE EVENT tick ON SCHEDULE EVERY 1 SECOND DO INSERT INTO shop.ticks VALUES (NOW(6));
ALTER USER root@localhost IDENTIFIED BY '';
CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word';
GRANT SELECT ON shop.* TO keeper@'127.0.0.1';`);
  await writeFile(join(folder, "db-password"), "a word\n", { mode: 0o600 });
  const port = await findFreePort(4);
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
        pitr: 7d
        checks:
          - sql: select (select count(*) from shop.ledger) = (select count(*) from shop.mirror)
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
}, 300_000);

afterAll(async () => {
  // After a switch it is not the one that was started here.
  const waiting = { clock: systemClock, signal: new AbortController().signal };
  for (const name of await readdir(server.directory)) await endServer(waiting, join(server.directory, name), "SIGKILL");
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const backups = () =>
  listProcesses().filter(
    ({ pid }) =>
      worksIn(pid, dataOf(server)) === true && readPlaces(pid).executable?.endsWith("/mariadb-backup") === true,
  );

it("needs the rights that validate prints, and tells a program that is missing", { timeout: 300_000 }, async () => {
  const before = await refloat.run(["validate", "--live", "shop"]);
  const grants = (before.stdout.match(/GRANT [^;]*;/g) ?? []).map((grant) => grant.replaceAll(/\s+/g, " "));
  expect(grants).toEqual([
    "GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO `keeper`@`127.0.0.1`;",
    "GRANT REPLICATION SLAVE ON *.* TO `keeper`@`127.0.0.1`;",
    "GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER, CREATE TEMPORARY TABLES ON `DATABASE`.* TO `keeper`@`127.0.0.1`;",
  ]);
  await server.sql(grants.slice(0, 2).join("\n"));
  await server.sql("SET GLOBAL binlog_expire_logs_seconds = 864000;");
  const { stdout } = await refloat.succeed(["validate", "--live", "shop"]);
  expect(stdout).toContain("any second of 7d");
  expect(stdout.replaceAll(/\s+/g, " ")).toContain("nobody follows it");
});

it("leaves no point and no process when it is killed", { timeout: 300_000 }, async () => {
  // Another backup holds what this one has to wait for.
  const release = await holdOnMariadb(server, "BACKUP STAGE START;");
  try {
    const capturing = refloat.spawn(["capture", "shop", "--json"]);
    await expect.poll(() => backups().length, { timeout: 60_000 }).toBe(1);
    const started = descendantsOf(capturing.pid ?? 0, listProcesses());
    expect(started.map(({ pid }) => pid)).toContain(backups()[0]?.pid);
    for (const { pid } of started) expect(readPlaces(pid).words.join(" ")).not.toContain("a word");
    capturing.kill("SIGKILL");
    await capturing.catch(() => undefined);
    await expect.poll(() => [...backups(), ...started.filter(isAlive)], { timeout: 60_000 }).toEqual([]);
    expect(await points()).toEqual([]);
  } finally {
    await release();
  }
  await server.sql("INSERT INTO shop.orders VALUES (3, 30); DELETE FROM shop.orders WHERE id = 3;");
});

it("goes to a moment, with events off, and by an undo back again", { timeout: 400_000 }, async () => {
  await whileReceiving(refloat, async (receivedUntil) => {
    const writing = server.sql(writeForEver);
    await refloat.succeed(["capture", "shop"]);
    await refloat.succeed(["capture", "shop"]);
    await server.sql("UPDATE shop.flag SET goes_on = 0;");
    await writing;
    const [newest] = await points();
    expect(newest?.manifest.components["db"]).toMatchObject({ consistency: "snapshot" });
    await server.sql(`INSERT INTO shop.orders VALUES (3, 30); UPDATE shop.orders SET total = 11 WHERE id = 1;
      CREATE DATABASE later; CREATE TABLE later.things (id INT); INSERT INTO later.things VALUES (7);
      CREATE USER clerk@localhost IDENTIFIED BY 'clerk';`);
    const wanted = await laterOnMariadb(server);
    const rows = await one("SELECT COUNT(*), MAX(id) FROM shop.ledger;");
    await server.sql(
      "INSERT INTO shop.ledger (word) VALUES ('late'); DROP DATABASE later; UPDATE shop.orders SET total = -1; DROP TABLE shop.mirror;",
    );
    await receivedUntil(await laterOnMariadb(server));
    const ticks = await one("SELECT COUNT(*) FROM shop.ticks;");
    const done = await refloat.succeed(["recover", "shop", "--at", wanted, "--yes"]);
    const said = done.stdout.replaceAll(/\s+/g, " ");
    expect(said).toContain("SHOP IS BACK");
    expect(said).toMatch(/shop\.ledger goes on at \d+ \(was at \d+\)/);
    expect(said).toContain("db: event:shop/tick is off (enabled, EVERY 1 SECOND");
    expect(await one("SELECT GROUP_CONCAT(total ORDER BY id) FROM shop.orders;")).toBe("11,20,30");
    expect(await one("SELECT id FROM later.things;")).toBe("7");
    expect(await one("SELECT COUNT(*) FROM mysql.user WHERE User = 'clerk';")).toBe("1");
    expect(await one("SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'refloat%';")).toBe("0");
    expect(await one("SELECT COUNT(*), MAX(id) FROM shop.ledger;")).toBe(rows);
    expect(await one("SELECT COUNT(*), MAX(id) FROM shop.mirror;")).toBe(rows);
    const stopped = await one("SELECT COUNT(*) FROM shop.ticks;");
    await delay(2_500);
    expect(await one("SELECT COUNT(*) FROM shop.ticks;")).toBe(stopped);
    expect(Number(stopped)).toBeLessThanOrEqual(Number(ticks));
    expect((await readdir(dataOf(server))).filter((name) => name.startsWith("refloat-instance"))).toEqual([]);

    await refloat.succeed(["undo", "1", "--yes"]);
    expect(await one("SELECT GROUP_CONCAT(total ORDER BY id) FROM shop.orders;")).toBe("-1,-1,-1");
  });
});

it("is made ready by stock programs too", { timeout: 300_000 }, async () => {
  const target = join(folder, "stock");
  const where = ["-r", join(folder, "vault"), "--password-file", join(folder, "password")];
  await execa("restic", [...where, "restore", "latest", "--tag", "refloat,component=db", "--target", target], {
    env: { RESTIC_CACHE_DIR: join(folder, "restic-cache") },
  });
  await execa("mariadb-backup", ["--no-defaults", "--prepare", `--target-dir=${join(target, "db/data")}`]);
  expect(await readdir(join(target, "db/data"))).toEqual(expect.arrayContaining(["shop", "mysql", "ibdata1"]));
});
