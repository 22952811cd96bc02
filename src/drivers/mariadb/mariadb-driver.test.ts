/** What is MariaDB's own: one moment, rights, what cannot be renamed, who is in the way, what was lost. One server for all. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { hasWrites } from "../../core/run/written-units.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
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
import type { MariadbContext } from "./mariadb-options.ts";
import { readDatabases } from "./marker-table.ts";
import { renameTables } from "./rename-tables.ts";
import { accessOf } from "./sql-client.ts";
import { openSqlSession } from "./sql-session.ts";
import { prepareSides } from "./switch-sides.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: MariadbServer;
let folder: TestFolder;
beforeAll(async () => {
  server = await startMariadbServer({ settings: { "log-bin": "binlog", "event-scheduler": "ON" } });
  folder = await createTestFolder("refloat-mariadb");
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
let made = 0;

const makeDatabase = async (script: string): Promise<string> => {
  const name = `own_${(made += 1)}`;
  await server.sql(`CREATE DATABASE ${name} CHARACTER SET utf8mb4;`);
  await server.sql(script, name);
  return name;
};

const placeOf = (database: string): string => join(folder.path, database);

const restoreBeside = async (context: MariadbContext, captured: CapturedComponent, database: string) => {
  const target = { name: await driver.instances.name(context, 7), run: 7, runUid };
  const report = await driver.instances.restore(context, target, createDirectoryReader(placeOf(database)), captured);
  return { target, report };
};

const exchangeOf = async (context: MariadbContext) => ({
  incoming: await driver.instances.name(context, 7),
  outgoing: await driver.instances.retiredName(context, 7),
});

const swap = async (context: MariadbContext, exchange: { readonly incoming: string; readonly outgoing: string }) =>
  driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));

/** Acts once, when the stream of a table begins: the dump goes on meanwhile. */
const atTable =
  (table: string, act: () => Promise<unknown>) =>
  (sink: CaptureSink): CaptureSink => ({
    ...sink,
    stream: async (path, source, ...rest) => {
      if (path.endsWith(`/tables/${table}.sql`)) await act();
      return sink.stream(path, source, ...rest);
    },
  });

const statusOf = async (database: string): Promise<string> =>
  server.sql(`SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '${database}' ORDER BY 1;`);

const databasesLike = (name: string): Promise<string> => server.sql(`SHOW DATABASES LIKE '${name}';`);

test("a user with the documented rights captures, restores, switches and undoes; events and triggers go with their side", async () => {
  const database = await makeDatabase(shopScript);
  const password = String.raw`it's "a" #pass\word`;
  await server.sql(
    `CREATE USER 'keeper'@'127.0.0.1' IDENTIFIED BY '${password.replaceAll(/['\\]/g, String.raw`\$&`)}';`,
  );
  const context = mariadbContext(server, database, folder.path, {
    user: "keeper",
    password: "${env:DB}",
    values: { "env:DB": `secret!${password}` },
  });
  const before = await driver.preflight(context);
  expect(before.findings.some(({ ok }) => !ok)).toBe(true);
  await server.sql(before.grants.join("\n"));
  // Only now he sees that there are triggers and functions.
  const seen = await driver.preflight(context);
  expect(seen.findings.filter(({ ok }) => !ok).map(({ found }) => found)).toEqual(["no SUPER ON *.*"]);
  await server.sql("SET GLOBAL log_bin_trust_function_creators = 1;");
  const { findings } = await driver.preflight(context);
  expect(findings.filter(({ ok }) => !ok)).toEqual([]);

  const captured = await captureMariadbInto(context, placeOf(database));
  expect(captured.facts.counts).toEqual({ tables: 4, rows: 11 });
  expect(captured.consistency).toBe("snapshot");
  expect(captured.facts.detail["binlog"]).toMatchObject({ gtid: expect.stringMatching(/^0-1-\d+$/) });
  for (const file of ["head.sql", "tail.sql", "code.json"])
    expect(await readFile(join(placeOf(database), "db", file), "utf8")).not.toContain("pass");

  const { target, report } = await restoreBeside(context, captured, database);
  expect(report.warnings.join()).toContain("forget_old");
  expect(await statusOf(target.name)).toBe("asleep\tDISABLED\nforget_old\tDISABLED\n");
  expect((await driver.instances.validate(context, target, captured.facts)).map(({ status }) => status)).toEqual([
    "passed",
  ]);
  const original = await readMariadbContent(server, database);

  await server.sql("INSERT INTO orders (customer, total) VALUES (1, 1), (2, 2); DROP PROCEDURE clean;", database);
  const damaged = await readMariadbContent(server, database);
  // Whoever holds a table is ended, and not waited for.
  const holder = spawn("mariadb", ["--no-defaults", "--unbuffered", "-uroot", `-S${server.directory}/s`, database], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  holder.stdin.write("BEGIN; UPDATE orders SET total = 99; SELECT 'held';\n");
  await once(holder.stdout, "data");
  const exchange = await exchangeOf(context);
  await swap(context, exchange);
  holder.stdin.end("COMMIT;\n");
  if (holder.exitCode === null) await once(holder, "exit");

  expect(await readMariadbContent(server, database)).toBe(original);
  expect(await readMariadbContent(server, exchange.outgoing)).toBe(damaged);
  expect(await statusOf(database)).toBe("asleep\tDISABLED\nforget_old\tDISABLED\n");
  expect(await statusOf(exchange.outgoing)).toBe("asleep\tDISABLED\nforget_old\tDISABLED\n");
  const said = await driver.switching.settle?.(context, exchange.outgoing);
  expect(said?.join("\n")).toMatch(/orders goes on at 6 \(was at 4\)/);
  expect((await driver.arming?.disarmed(context))?.map(({ name }) => name)).toEqual(["event:forget_old"]);
  await server.sql("INSERT INTO orders (customer) VALUES (1);", database);
  expect(await server.sql("SELECT message FROM `log of it` WHERE message LIKE 'order %';", database)).toBe("order 6\n");

  await swap(context, { incoming: exchange.outgoing, outgoing: exchange.incoming });
  expect(await readMariadbContent(server, database)).toBe(damaged);
  expect(await statusOf(database)).toBe("asleep\tDISABLED\nforget_old\tENABLED\n");
});

test("a point is of one moment, and what is committed while it is taken is not in it", async () => {
  const database = await makeDatabase(`
    CREATE TABLE aa (id INT PRIMARY KEY, coins INT); CREATE TABLE zz LIKE aa;
    INSERT INTO aa VALUES (1, 50); INSERT INTO zz VALUES (1, 50);`);
  const context = mariadbContext(server, database, folder.path);
  const move = "BEGIN; UPDATE aa SET coins = coins - 20; UPDATE zz SET coins = coins + 20; COMMIT;";
  const captured = await captureMariadbInto(
    context,
    placeOf(database),
    atTable("aa", () => server.sql(move, database)),
  );
  const { target } = await restoreBeside(context, captured, database);
  expect(await server.sql("SELECT aa.coins, zz.coins FROM aa, zz;", target.name)).toBe("50\t50\n");
  expect(await server.sql("SELECT aa.coins, zz.coins FROM aa, zz;", database)).toBe("30\t70\n");
});

test("a dump that is ended, or that meets an altered table, makes no point", async () => {
  const database = await makeDatabase(`
    CREATE TABLE aa (id INT PRIMARY KEY, filler TEXT);
    INSERT INTO aa SELECT seq, REPEAT('x', 1000) FROM seq_1_to_20000; CREATE TABLE zz LIKE aa;`);
  const context = mariadbContext(server, database, folder.path);
  const kill = async (): Promise<void> => {
    const ids = await server.sql(
      "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT /*!40001%' AND ID <> CONNECTION_ID();",
    );
    expect(ids).not.toBe("");
    for (const id of ids.trim().split("\n")) await server.sql(`KILL ${id};`);
  };
  await expect(captureMariadbInto(context, placeOf(database), atTable("aa", kill))).rejects.toMatchObject({
    code: expect.stringMatching(/^source\./),
  });
  expect(await readdir(join(placeOf(database), "db"))).not.toContain("tail.sql");
  const alter = () => server.sql("ALTER TABLE zz ADD COLUMN more INT;", database);
  // In the same second, to which the server tells when a table was made.
  await server.sql("ALTER TABLE zz ADD COLUMN other INT;", database);
  await expect(captureMariadbInto(context, `${placeOf(database)}-2`, atTable("aa", alter))).rejects.toMatchObject({
    code: "source.under-pressure",
  });
});

test("a switch is refused where another database refers to the tables, or holds them, and leaves all as it was", async () => {
  const database = await makeDatabase(shopScript);
  const context = mariadbContext(server, database, folder.path);
  const captured = await captureMariadbInto(context, placeOf(database));
  await restoreBeside(context, captured, database);
  const original = await readMariadbContent(server, database);
  const other = await makeDatabase(
    `CREATE TABLE visits (customer INT, FOREIGN KEY (customer) REFERENCES ${database}.customers (id));`,
  );
  const exchange = await exchangeOf(context);
  await expect(driver.switching.observe(context, exchange)).rejects.toMatchObject({
    code: "cutover.refused",
    message: expect.stringContaining(`${other}.visits`),
  });
  await server.sql(`DROP DATABASE ${other};`);
  const holder = spawn("mariadb", ["--no-defaults", "--unbuffered", "-uroot", `-S${server.directory}/s`], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  holder.stdin.write(`LOCK TABLES ${database}.parts WRITE; SELECT 'held';\n`);
  await once(holder.stdout, "data");
  await expect(swap(context, exchange)).rejects.toMatchObject({ code: "cutover.refused" });
  holder.stdin.end();
  await once(holder, "exit");
  expect(await readMariadbContent(server, database)).toBe(original);
  expect(await statusOf(database)).toBe("asleep\tDISABLED\nforget_old\tENABLED\n");
  await swap(context, exchange);
  expect(await readMariadbContent(server, database)).toBe(original);
});

test("a switch that is killed before or after the tables were renamed is finished by whoever comes next", async () => {
  const database = await makeDatabase(shopScript);
  const context = mariadbContext(server, database, folder.path);
  const captured = await captureMariadbInto(context, placeOf(database));
  await restoreBeside(context, captured, database);
  await server.sql("UPDATE customers SET name = 'eve' WHERE id = 1; DROP PROCEDURE clean;", database);
  const damaged = await readMariadbContent(server, database);
  const exchange = await exchangeOf(context);
  const names = { ...exchange, stable: database };
  const before = await driver.switching.observe(context, exchange);
  const access = await accessOf(context, "target");
  const states = await readDatabases(access, [database, exchange.incoming]);
  const ids = { old: (before.stable ?? "").slice(5), fresh: (before.incoming ?? "").slice(5) };

  // Killed with the triggers gone and the events off.
  await prepareSides(
    access,
    { stable: states.get(database), incoming: states.get(exchange.incoming), names, hasOutgoing: false },
    ids,
  );
  await server.sql("DROP TRIGGER orders_logged; ALTER EVENT forget_old DISABLE;", database);
  expect(await driver.switching.observe(context, exchange)).toEqual(before);
  // What somebody has put into the database that the switch has made is his.
  await server.sql(`CREATE TABLE ${exchange.outgoing}.his (id INT);`);
  await driver.switching.serve?.(context, exchange);
  expect(await databasesLike(exchange.outgoing)).toBe(`${exchange.outgoing}\n`);
  await server.sql(`DROP TABLE ${exchange.outgoing}.his; CREATE VIEW ${exchange.outgoing}.his AS SELECT 1;`);
  await driver.switching.serve?.(context, exchange);
  expect(await databasesLike(exchange.outgoing)).toBe(`${exchange.outgoing}\n`);
  await server.sql(`DROP VIEW ${exchange.outgoing}.his;`);
  await driver.switching.serve?.(context, exchange);
  expect(await databasesLike(exchange.outgoing)).toBe("");
  expect(await databasesLike(exchange.incoming)).toBe(`${exchange.incoming}\n`);
  expect(await readMariadbContent(server, database)).toBe(damaged);
  expect(await statusOf(database)).toBe("asleep\tDISABLED\nforget_old\tENABLED\n");

  // Killed with the tables renamed and nothing else.
  const marked = await readDatabases(access, [database, exchange.incoming]);
  const sides = await prepareSides(
    access,
    { stable: marked.get(database), incoming: marked.get(exchange.incoming), names, hasOutgoing: false },
    ids,
  );
  await renameTables(context, access, names, sides);
  expect(await driver.switching.observe(context, exchange)).toMatchObject({
    stable: before.incoming,
    outgoing: before.stable,
  });
  await driver.switching.exchange(context, exchange, before);
  expect(await readMariadbContent(server, exchange.outgoing)).toBe(damaged);
  expect(await server.sql("INSERT INTO orders (customer) VALUES (1); SELECT taxed FROM a_totals;", database)).toBe(
    "2.10\nNULL\n",
  );
  expect(await databasesLike(exchange.incoming)).toBe("");

  // Put back, and killed with the tables renamed and nothing else: the emptied place of the old side still has its views and routines.
  const back = { stable: database, incoming: exchange.outgoing, outgoing: exchange.incoming };
  const switched = await readDatabases(access, [back.stable, back.incoming]);
  const sidesBack = await prepareSides(
    access,
    { stable: switched.get(back.stable), incoming: switched.get(back.incoming), names: back, hasOutgoing: false },
    { old: ids.fresh, fresh: ids.old },
  );
  await renameTables(context, access, back, sidesBack);
  await driver.switching.serve?.(context, exchange);
  expect(await databasesLike(exchange.outgoing)).toBe("");
  expect(await readMariadbContent(server, database)).toBe(damaged);
});

test("a side whose putting away was killed when its tables were renamed is away, and is finished or comes back", async () => {
  const database = await makeDatabase(shopScript);
  const context = mariadbContext(server, database, folder.path);
  const original = await readMariadbContent(server, database);
  const { incoming: free, outgoing: kept } = await exchangeOf(context);
  const away = { incoming: free, outgoing: kept, putsAway: true } as const;
  const back = { incoming: kept, outgoing: free, putsAway: true } as const;
  const { switching } = driver;
  const before = await switching.observe(context, away);
  const access = await accessOf(context, "target");
  const killed = async (): Promise<void> => {
    const names = { ...away, stable: database };
    const states = await readDatabases(access, [database, free, kept]);
    const places = {
      stable: states.get(database),
      incoming: states.get(free),
      names,
      hasOutgoing: states.has(kept),
    };
    const sides = await prepareSides(access, places, { old: (before.stable ?? "").slice(5), fresh: null });
    await renameTables(context, access, names, sides);
    expect(await switching.observe(context, away)).toEqual({ stable: null, incoming: null, outgoing: before.stable });
  };
  await killed();
  await switching.exchange(context, away, before);
  expect(await server.sql(`SHOW DATABASES LIKE '${database}';`)).toBe("");
  expect(await readMariadbContent(server, kept)).toBe(original);
  await switching.exchange(context, back, await switching.observe(context, back));
  await killed();
  await switching.exchange(context, back, await switching.observe(context, back));
  expect(await switching.observe(context, away)).toEqual(before);
  expect(await readMariadbContent(server, database)).toBe(original);
});

test("a view that is broken is named, and stops neither a restore nor a switch", async () => {
  const database = await makeDatabase(`
    CREATE TABLE t (id INT PRIMARY KEY); CREATE TABLE gone (id INT); CREATE VIEW broken AS SELECT * FROM gone;
    CREATE VIEW sound AS SELECT * FROM t; INSERT INTO t VALUES (1); DROP TABLE gone;`);
  const context = mariadbContext(server, database, folder.path);
  const captured = await captureMariadbInto(context, placeOf(database));
  expect(captured.warnings).toEqual([expect.stringContaining("the views broken")]);
  const { target } = await restoreBeside(context, captured, database);
  expect((await driver.instances.validate(context, target, captured.facts)).map(({ status }) => status)).toEqual([
    "passed",
  ]);
  await server.sql("INSERT INTO t VALUES (2);", database);
  const exchange = await exchangeOf(context);
  await swap(context, exchange);
  expect(await server.sql("SELECT * FROM sound;", database)).toBe("1\n");
  expect(await server.sql("SELECT * FROM sound ORDER BY 1;", exchange.outgoing)).toBe("1\n2\n");
});

test("validation finds rows, tables and code that are not as captured, and events that run", async () => {
  const database = await makeDatabase(shopScript);
  const context = mariadbContext(server, database, folder.path);
  const captured = await captureMariadbInto(context, placeOf(database));
  const { target } = await restoreBeside(context, captured, database);
  await server.sql(
    "DELETE FROM orders LIMIT 1; DROP TABLE parts; DROP VIEW a_totals; ALTER EVENT forget_old ENABLE;",
    target.name,
  );
  const outcomes = await driver.instances.validate(context, target, captured.facts);
  expect(outcomes.map(({ subject, status, found }) => `${subject} ${status}: ${found}`)).toEqual([
    "facts: parts failed: the table is missing",
    "facts: orders failed: orders: 2 rows, captured 3",
    "facts: view a_totals failed: is missing",
    "facts: event forget_old failed: is enabled, and would act in a restored database",
  ]);
});

test("what was written since is told row by row against another side, and by checksums without one", async () => {
  const database = await makeDatabase(shopScript);
  const context = mariadbContext(server, database, folder.path);
  const captured = await captureMariadbInto(context, placeOf(database));
  const { target } = await restoreBeside(context, captured, database);
  const since = captured.facts.position ?? { takenAt: "", mark: {} };
  const position = await driver.writes?.position(context, null);
  await server.sql(
    `INSERT INTO customers (name, note) VALUES ('new, "one"', 'a\\nb'); UPDATE customers SET name = 'BOB' WHERE id = 2;
     DELETE FROM orders WHERE id = 3; INSERT INTO \`log of it\` VALUES ('more');`,
    database,
  );
  const against = await driver.writes?.writesSince(context, {
    location: null,
    since,
    against: target.name,
    exportTo: folder.path,
  });
  expect(against?.units).toEqual([
    {
      name: "customers",
      added: 1,
      changed: 1,
      removed: 0,
      file: "customers.csv",
      changedFile: "changed/customers.csv",
    },
    { name: "log of it", added: 1, changed: 0, removed: 0, byHand: true, file: "log_of_it-ff6b87c6.csv" },
    { name: "orders", added: 0, changed: 0, removed: 1 },
  ]);
  expect(against?.gaps.join()).toContain("log of it has no primary key");
  expect(await readFile(join(folder.path, "customers.csv"), "utf8")).toBe(
    'id,name,note,picture\n5,"new, ""one""","a\nb",\n',
  );
  expect(await readFile(join(folder.path, "changed/customers.csv"), "utf8")).toBe("id,name,note,picture\n2,BOB,,\n");
  if (position === undefined) throw new Error("there is no position");
  const alone = await driver.writes?.writesSince(context, { location: null, since: position });
  expect(alone?.gaps.join("\n")).toContain("customers was written to");
  const still = await driver.writes?.position(context, null);
  if (still === undefined) throw new Error("there is no position");
  expect(await driver.writes?.writesSince(context, { location: null, since: still })).toEqual({
    lastWriteAt: null,
    units: [],
    gaps: [],
  });
  // As many rows as before: that something was written is known, how much is not.
  await server.sql("UPDATE customers SET note = 'another' WHERE id = 1;", database);
  const changed = await driver.writes?.writesSince(context, { location: null, since: still });
  expect(changed?.units).toEqual([{ name: "customers", added: 0, changed: 0, removed: 0, uncounted: true }]);
  expect(changed !== undefined && hasWrites(changed)).toBe(true);
});

test("a server that is away, a wrong password and a missing database are told apart", async () => {
  const database = await makeDatabase("CREATE TABLE t (id INT PRIMARY KEY);");
  await server.sql("CREATE USER 'locked'@'127.0.0.1' IDENTIFIED BY 'right';");
  const capture = (context: MariadbContext) => captureMariadbInto(context, join(folder.path, `none-${(made += 1)}`));
  await expect(capture(mariadbContext(server, "nothing", folder.path))).rejects.toMatchObject({
    code: "source.failed",
  });
  await expect(capture(mariadbContext(server, database, folder.path, { user: "locked" }))).rejects.toMatchObject({
    code: "source.denied",
  });
  const away = mariadbContext({ ...server, url: () => "mariadb://root@127.0.0.1:1/shop" }, database, folder.path);
  await expect(capture(away)).rejects.toMatchObject({ code: "source.unreachable" });
});

test("every session takes leave of the server, whose log else tells of aborted connections", async () => {
  const database = await makeDatabase(shopScript);
  const context = mariadbContext(server, database, folder.path);
  const aborted = () =>
    server.sql("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'ABORTED_CLIENTS';");
  const before = await aborted();
  const captured = await captureMariadbInto(context, placeOf(database));
  const { target } = await restoreBeside(context, captured, database);
  await driver.instances.validate(context, target, captured.facts);
  await driver.writes?.writesSince(context, {
    location: null,
    since: captured.facts.position ?? { takenAt: "", mark: {} },
    against: target.name,
  });
  const session = await openSqlSession(await accessOf(context, "source"), database);
  expect(await session.ask("SELECT 1 AS one;")).toEqual([{ one: "1" }]);
  await session.close();
  await driver.instances.drop(context, target);
  // A session that was ended is counted when the server finds out.
  await server.sql("SELECT SLEEP(0.3);");
  expect(await aborted()).toBe(before);
});
