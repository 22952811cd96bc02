/** Going on from a captured database by the binary log. The log is the server's own files, read as the vault would read them. One server for all. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import type { InstanceTarget, Replay } from "../../core/ports/driver.ts";
import type { LogReader } from "../../core/ports/vault-logs.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import {
  captureMariadbInto,
  mariadbContext,
  mariadbDriver as driver,
  readMariadbContent,
  shopScript,
} from "../../testing/mariadb-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../testing/mariadb-server.ts";
import { binlogLine, serverBinlog, writtenTo } from "../../testing/server-binlog.ts";
import { readFormat, readHeader } from "./binlog-events.ts";
import { binlogStartOf, fileName, placeAt, positionOf } from "./binlog-line.ts";
import type { MariadbContext } from "./mariadb-options.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const line = binlogLine;

let server: MariadbServer;
let folder: TestFolder;
let run = 0;
let made: { context: MariadbContext; target: InstanceTarget } | null = null;

beforeAll(async () => {
  server = await startMariadbServer({
    settings: { "log-bin": "binlog", "binlog-format": "ROW", "event-scheduler": "ON", "log-bin-compress-min-len": 10 },
  });
  await server.sql("ALTER USER root@localhost IDENTIFIED BY '';");
  await server.sql("CREATE DATABASE ledger; CREATE TABLE ledger.entries (id INT PRIMARY KEY, sum INT);");
  await server.sql("INSERT INTO ledger.entries VALUES (1, 0), (2, 0);");
  folder = await createTestFolder("refloat-replay");
});

afterAll(async () => {
  await server.stop();
  await folder.remove();
});

afterEach(async () => {
  await server.sql("SET GLOBAL slave_run_triggers_for_rbr = 'NO';");
  if (made !== null) await driver.instances.drop(made.context, made.target);
  made = null;
});

const written = (): Promise<string> => writtenTo(server);

/** @param failAt from there on nothing can be read */
const serverLog = (failAt?: string): LogReader => serverBinlog(server, failAt);

type Captured = { readonly database: string; readonly context: MariadbContext; readonly captured: CapturedComponent };

const capture = async (database: string, script = shopScript): Promise<Captured> => {
  await server.sql(`CREATE DATABASE ${database} CHARACTER SET utf8mb4;`);
  await server.sql(script, database);
  const context = mariadbContext(server, database, folder.path);
  return { database, context, captured: await captureMariadbInto(context, join(folder.path, database)) };
};

const restoreTo = async ({ database, context, captured }: Captured, to: string, logs = serverLog()) => {
  run += 1;
  const target = { name: await driver.instances.name(context, run), run, runUid };
  made = { context, target };
  const replay: Replay = { logs, line, to, at: "2026-01-01T00:00:00.000Z" };
  const reader = createDirectoryReader(join(folder.path, database));
  const report = await driver.instances.restore(context, target, reader, captured, replay);
  const outcomes = await driver.instances.validate(context, target, captured.facts, replay);
  return { target, report, outcomes };
};

/** Counters that a rolled back insert has moved are of no transaction. */
const contentOf = async (database: string): Promise<string> =>
  (await readMariadbContent(server, database)).replaceAll(/ AUTO_INCREMENT=\d+/g, "");

const rowsOnly = `
INSERT INTO orders (customer, total) VALUES (2, 7.25);
UPDATE customers SET name = CONCAT(name, '!'), note = NULL;
BEGIN; INSERT INTO parts VALUES (2, 'two'); SAVEPOINT a; INSERT INTO parts VALUES (3, 'three'); ROLLBACK TO a; COMMIT;
BEGIN; INSERT INTO parts VALUES (4, 'never'); ROLLBACK;
UPDATE orders o, ledger.entries e SET o.total = 99, e.sum = 5 WHERE o.id = 1 AND e.id = 1;
UPDATE ledger.entries e, orders o SET o.total = 98, e.sum = 6 WHERE o.id = 2 AND e.id = 2;
SELECT NEXTVAL(numbers);
FLUSH BINARY LOGS;
SET GLOBAL log_bin_compress = ON;
UPDATE customers SET note = REPEAT('compressed ', 100), picture = 0xff00;
SET GLOBAL log_bin_compress = OFF;
DELETE FROM orders WHERE id = 3;
`;

it("the rows of one database come to a moment, whatever else the server logged, and no trigger fires for them", async () => {
  const shop = await capture("rows_only");
  await server.sql(rowsOnly, shop.database);
  await server.sql("INSERT INTO ledger.entries VALUES (3, 1);");
  const [before, content] = [await written(), await contentOf(shop.database)];
  await server.sql("DELETE FROM orders; DROP TABLE `log of it`;", shop.database);
  const live = await contentOf(shop.database);
  const { target, report, outcomes } = await restoreTo(shop, before);
  expect(await contentOf(target.name)).toBe(content);
  expect(await contentOf(shop.database)).toBe(live);
  expect(report.summary).toMatch(/then its log to binlog\.\d+:\d+ \(0-1-\d+\): 7 transactions/);
  expect(outcomes.map(({ status, found }) => [status, found])).toEqual([
    ["passed", expect.stringContaining("is not compared, no event runs")],
  ]);
});

/** As the script of a mend makes a table again that was dropped. */
const madeAgain = `
SET SESSION foreign_key_checks = 0, unique_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';
DROP TABLE orders;
DROP TABLE IF EXISTS refloat_made_00112233445566ff;
CREATE TABLE refloat_made_00112233445566ff (id INT AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, total DECIMAL(10,2), made TIMESTAMP(6) NULL,
  KEY fk_customer (customer)) AUTO_INCREMENT = 9;
START TRANSACTION;
INSERT INTO refloat_made_00112233445566ff VALUES (1, 1, 7, NULL), (2, 2, 8, NULL);
COMMIT;
SET @refloat_text = 'CREATE DEFINER=\`root\`@\`localhost\` TRIGGER \`orders_logged\` AFTER INSERT ON refloat_made_00112233445566ff FOR EACH ROW SET @x = 1';
EXECUTE IMMEDIATE @refloat_text;
SET @refloat_last = 'BEGIN NOT ATOMIC
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN DROP TABLE IF EXISTS refloat_made_00112233445566ff; RESIGNAL; END;
  ALTER TABLE refloat_made_00112233445566ff ADD CONSTRAINT fk_customer FOREIGN KEY (customer) REFERENCES customers (id);
  RENAME TABLE refloat_made_00112233445566ff TO orders;
END';
EXECUTE IMMEDIATE @refloat_last;
SET SESSION foreign_key_checks = 1;
INSERT INTO orders (customer, total) VALUES (1, 9);
`;

it("goes on through a table that was dropped and made again", async () => {
  const shop = await capture("made_again");
  await server.sql(madeAgain, shop.database);
  const content = await contentOf(shop.database);
  const { target } = await restoreTo(shop, await written());
  expect(await contentOf(target.name)).toBe(content);
  expect(await server.sql("SELECT MAX(id) FROM orders;", target.name)).toContain("9");
});

const definitions = `
ALTER TABLE parts ADD COLUMN note VARCHAR(20) DEFAULT 'definitions.x';
INSERT INTO parts (id, name) VALUES (5, 'five');
CREATE TABLE fresh (id INT PRIMARY KEY, part INT, FOREIGN KEY (part) REFERENCES parts_of (id) ON DELETE CASCADE);
TRUNCATE \`log of it\`;
CREATE TRIGGER fresh_logged AFTER INSERT ON fresh FOR EACH ROW INSERT INTO \`log of it\` VALUES ('fresh');
INSERT INTO fresh VALUES (1, NULL), (2, 7);
CREATE OR REPLACE VIEW a_totals AS SELECT id FROM fresh;
DROP PROCEDURE clean;
DROP VIEW z_spent;
CREATE TABLE spare (id INT);
CREATE TEMPORARY TABLE passing (id INT); INSERT INTO passing VALUES (1); DROP TEMPORARY TABLE passing;
GRANT SELECT ON *.* TO root@localhost;
ALTER EVENT asleep ENABLE;
DELETE FROM parts_of WHERE id = 7;
`;

it("definitions change with it, from whatever database they were changed, and events stay as in the point", async () => {
  const shop = await capture(
    "definitions",
    `CREATE TABLE parts_of (id INT PRIMARY KEY); INSERT INTO parts_of VALUES (7);${shopScript}`,
  );
  await server.sql(definitions, shop.database);
  await server.sql("ALTER TABLE definitions.parts ADD KEY by_name (name); DROP TABLE definitions.orders;");
  await server.sql("RENAME TABLE definitions.spare TO definitions.spared; CREATE TABLE here (id INT);", "ledger");
  const [before, content] = [await written(), await contentOf(shop.database)];
  const { target, report } = await restoreTo(shop, before);
  expect((await contentOf(target.name)).replaceAll(target.name, shop.database)).toBe(content);
  expect(report.warnings.join("\n")).toContain("an event was changed, and is as in the point: ALTER EVENT asleep");
  expect(
    await server.sql(
      `SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '${target.name}' ORDER BY 1;`,
    ),
  ).toBe("asleep\tDISABLED\nforget_old\tDISABLED\n");
});

it("ends in a transaction that the log has not come to the end of: it is not there", async () => {
  const shop = await capture("cut_short", "CREATE TABLE t (id INT PRIMARY KEY, text TEXT);");
  await server.sql("INSERT INTO t VALUES (1, 'a');", shop.database);
  const before = placeAt(await written());
  await server.sql(`BEGIN; INSERT INTO t VALUES (2, 'b'); INSERT INTO t VALUES (3, 'c'); COMMIT;`, shop.database);
  // Behind the second event: begin, and the map of the table or what annotates it.
  const bytes = await readFile(join(server.directory, "data", fileName({ base: "binlog", number: before.number })));
  expect(readFormat(readHeader(bytes.subarray(4, 4 + bytes.readUInt32LE(13)))).hasChecksums).toBe(true);
  let { offset } = before;
  for (let events = 0; events < 4; events += 1) offset += bytes.readUInt32LE(offset + 9);
  const { target } = await restoreTo(shop, positionOf({ ...before, offset }));
  expect(await server.sql("SELECT id FROM t;", target.name)).toBe("1\n");
});

it.each([
  ["SET SESSION binlog_format = 'STATEMENT'; INSERT INTO t VALUES (9);", "logged as a statement"],
  ["CREATE TABLE elsewhere_DB.u LIKE t;", "names elsewhere_"],
  ["XA START 'x'; INSERT INTO t VALUES (9); XA END 'x'; XA PREPARE 'x'; XA ROLLBACK 'x';", "XA"],
  ["DROP DATABASE DB;", "the database itself"],
])("what cannot be applied with certainty is refused before anything is made: %s", async (script, reason) => {
  const shop = await capture(`refused_${(run += 1)}`, "CREATE TABLE t (id INT PRIMARY KEY);");
  await server.sql(`CREATE DATABASE elsewhere_${shop.database};`);
  const good = await written();
  await server.sql(script.replaceAll("DB", shop.database), shop.database);
  await expect(restoreTo(shop, await written())).rejects.toMatchObject({
    code: "source.unsupported",
    message: expect.stringContaining(reason) as string,
  });
  const { context, target } = made ?? { context: shop.context, target: { name: "", run, runUid } };
  expect(await driver.instances.inspect(context, target)).toBe("absent");
  await restoreTo(shop, good);
});

it("a distributed transaction that was prepared before the point and is committed after it is refused, not lost", async () => {
  const table = "CREATE TABLE t (id INT PRIMARY KEY);";
  const early = "XA START 'early'; INSERT INTO t VALUES (1); XA END 'early'; XA PREPARE 'early';";
  const shop = await capture("spread_out", table + early);
  await server.sql(
    "XA START 'late', 'b', 7; INSERT INTO ledger.entries VALUES (9, 1); XA END 'late', 'b', 7; XA PREPARE 'late', 'b', 7; XA COMMIT 'late', 'b', 7;",
  );
  await server.sql("INSERT INTO t VALUES (2);", shop.database);
  const good = await written();
  await server.sql("XA COMMIT 'early';");
  await expect(restoreTo(shop, await written())).rejects.toMatchObject({
    code: "source.unsupported",
    message: expect.stringContaining("(XA) is committed whose rows came before") as string,
  });
  const { target } = await restoreTo(shop, good);
  expect(await server.sql("SELECT id FROM t;", target.name)).toBe("2\n");
});

it("goes to just before a transaction that is named by its number, and to places between two events alone", async () => {
  const shop = await capture("named", "CREATE TABLE t (id INT PRIMARY KEY, text TEXT);");
  const numbered = async (sql: string) => {
    const [from, number, to] = [
      await written(),
      (await server.sql(`${sql} SELECT @@last_gtid;`, shop.database)).trim(),
      await written(),
    ];
    return { from, number, to };
  };
  const rows = await numbered("INSERT INTO t VALUES (1, REPEAT('a', 2000)), (2, 'b');");
  await server.sql("FLUSH BINARY LOGS;");
  const definition = await numbered("ALTER TABLE t ADD COLUMN n INT DEFAULT 5;");
  await server.sql("INSERT INTO t VALUES (3, 'c', 6);", shop.database);
  const begin = positionOf({ number: 1, offset: 0 });
  const at = "2026-01-01T00:00:00.000Z";
  const span = { service: "shop", component: "db", driver: "mariadb", line, from: begin, fromAt: at, toAt: at };
  const { read } = serverLog();
  const { signal } = new AbortController();
  const find = async (word: string, sought: string, to?: string) =>
    driver.logs?.targets?.find({ word, sought, span: { ...span, to: to ?? (await written()) }, read, signal });
  const found = await find("gtid", rows.number);
  expect(found).toEqual({ before: rows.from, after: rows.to });
  const alone = await find("gtid", definition.number);
  expect(alone?.after).toBe(definition.to);
  expect(
    await find("gtid", rows.number, positionOf({ ...placeAt(rows.to), offset: placeAt(rows.to).offset - 1 })),
  ).toBeNull();
  expect(await find("gtid", "0-1-4000000000")).toBeNull();
  const place = placeAt(rows.from);
  const words = (offset: number): string => `${fileName({ base: "binlog", number: place.number })}:${offset}`;
  expect(await find("binlog", words(place.offset))).toEqual({ before: rows.from, after: rows.from });
  expect(await find("binlog", words(place.offset + 1))).toBeNull();
  expect(await find("binlog", `other.${words(place.offset)}`)).toBeNull();
  const examples = driver.logs?.targets?.words.map(({ example, word, read: of }) => of(example.slice(word.length + 1)));
  expect(examples).toMatchObject([{ sought: "0-1-42" }, { sought: "binlog.000007:4628" }]);

  const { target } = await restoreTo(shop, alone?.before ?? "");
  expect(await server.sql("SELECT * FROM t WHERE id > 1;", target.name)).toBe("2\tb\n");
});

it("a log that fails, one of another history, and a server that fires triggers for rows leave nothing that is whole", async () => {
  const shop = await capture("failing", "CREATE TABLE t (id INT PRIMARY KEY, text LONGTEXT);");
  await server.sql(
    "INSERT INTO t VALUES (1, REPEAT('a', 100000)); INSERT INTO t VALUES (2, REPEAT('b', 100000));",
    shop.database,
  );
  const to = await written();
  const start = binlogStartOf(shop.captured, [line]);
  expect(start).toMatchObject({ line });
  // Read a first time without a fault: it fails while it is applied.
  let reads = 0;
  const { read } = serverLog();
  const { read: failing } = serverLog(positionOf({ ...placeAt(to), offset: placeAt(to).offset - 50_000 }));
  const once: LogReader = { ...serverLog(), read: (...stretch) => ((reads += 1) > 3 ? failing : read)(...stretch) };
  await expect(restoreTo(shop, to, once)).rejects.toMatchObject({ code: "vault.damaged" });
  if (made === null) throw new Error("nothing was begun");
  expect(await driver.instances.inspect(made.context, made.target)).toBe("partial");
  await driver.instances.drop(made.context, made.target);
  const detail = {
    ...shop.captured.facts.detail,
    binlog: { ...(shop.captured.facts.detail["binlog"] as object), gtid: "0-1-99999" },
  };
  const ahead = { ...shop.captured, facts: { ...shop.captured.facts, detail } };
  await expect(restoreTo({ ...shop, captured: ahead }, to)).rejects.toMatchObject({ code: "log.diverged" });
  await server.sql("SET GLOBAL slave_run_triggers_for_rbr = 'YES';");
  await expect(restoreTo(shop, to)).rejects.toMatchObject({
    code: "target.failed",
    message: expect.stringContaining("act twice") as string,
  });
});

const marking = async (shop: Captured, name: string) => {
  const marker = await driver.logs?.mark?.(shop.context, { name, lines: [line] });
  return marker === undefined || "unmarked" in marker ? expect.fail("nothing was marked") : marker;
};

it("ends exactly behind a marker that was placed among the commits of others, across files, and leaves it out", async () => {
  const shop = await capture("marked", "CREATE TABLE t (id INT PRIMARY KEY);");
  const stop = new AbortController();
  const busy = (async () => {
    for (let id = 10; !stop.signal.aborted; id += 100) {
      const rows = Array.from({ length: 100 }, (_, index) => `INSERT INTO ledger.entries VALUES (${id + index}, 0);`);
      await server.sql(`${rows.join("\n")} FLUSH BINARY LOGS;`);
    }
  })();
  const markers = [];
  for (let id = 1; id <= 4; id += 1) {
    await server.sql(`INSERT INTO t VALUES (${id});`, shop.database);
    markers.push(await marking(shop, `refloat shop ${id}`));
  }
  await server.sql("INSERT INTO t VALUES (5);", shop.database);
  stop.abort();
  await busy;
  const begin = {
    service: "shop",
    component: "db",
    driver: "mariadb",
    line,
    from: positionOf({ number: 1, offset: 0 }),
  };
  const span = { ...begin, fromAt: "2026-01-01T00:00:00.000Z", to: await written(), toAt: "2026-01-01T00:00:00.000Z" };
  const { read } = serverLog();
  for (const marker of markers) {
    const search = { word: "gtid", sought: marker.id ?? "", span, read, signal: new AbortController().signal };
    expect(await driver.logs?.targets?.find(search)).toEqual({ before: marker.from, after: marker.position });
    expect(await driver.logs?.holdsMarker?.(marker, read)).toBe(true);
    expect(await driver.logs?.holdsMarker?.({ ...marker, id: "0-1-7" }, read)).toBe(false);
  }
  const third = { position: "", id: "", ...markers[2] };
  const { target, report } = await restoreTo(shop, third.position);
  expect(await server.sql("SELECT id FROM t;", target.name)).toBe("1\n2\n3\n");
  expect(report.summary).toContain(third.id);
  expect(report.summary).not.toContain("definition");
  expect(await server.sql("SHOW TABLES;", shop.database)).toBe("t\n");
});

it("places no marker where nothing of the log is received, and says why", async () => {
  const shop = await capture("unreceived", "CREATE TABLE t (id INT PRIMARY KEY);");
  expect(await driver.logs?.mark?.(shop.context, { name: "x", lines: ["2/binlog/1-1"] })).toEqual({
    unmarked: "the vault holds nothing of its binary log",
  });
  await server.sql("SET GLOBAL binlog_format = 'STATEMENT';");
  try {
    expect(await driver.logs?.mark?.(shop.context, { name: "x", lines: [line] })).toMatchObject({
      unmarked: expect.stringContaining("binlog_format = STATEMENT") as string,
    });
  } finally {
    await server.sql("SET GLOBAL binlog_format = 'ROW';");
  }
  await server.sql(
    "SET GLOBAL read_only = 1; CREATE USER plain@'127.0.0.1'; GRANT BINLOG MONITOR ON *.* TO plain@'127.0.0.1'; GRANT DROP ON unreceived.* TO plain@'127.0.0.1';",
  );
  try {
    const plain = mariadbContext(server, shop.database, folder.path, { user: "plain" });
    await expect(driver.logs?.mark?.(plain, { name: "x", lines: [line] })).rejects.toMatchObject({
      code: "source.unsupported",
      message: expect.stringContaining("is read-only") as string,
    });
  } finally {
    await server.sql("SET GLOBAL read_only = 0;");
  }
});
