import { type Stats, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTestTrafficContext } from "../../testing/driver-context.ts";
import { type PgbouncerServer, startPgbouncer } from "../../testing/pgbouncer-server.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { type PgbouncerOptions, pgbouncerOptionsSchema } from "./pgbouncer-options.ts";
import { pgbouncerTraffic } from "./pgbouncer-traffic.ts";

const context = createTestTrafficContext();
let old: PostgresServer;
let fresh: PostgresServer;
let pooler: PgbouncerServer;
let clients: Client[] = [];

const addressOf = ({ port }: PostgresServer): string => `127.0.0.1:${port}`;
const entry = ({ port }: PostgresServer): string =>
  `Shop-1 = host=127.0.0.1 port=${port} dbname=postgres user=postgres password='x'`;
const optionsOf = (more: object = {}): PgbouncerOptions =>
  pgbouncerOptionsSchema.parse({
    pgbouncer: "Shop-1",
    console: pooler.url("pgbouncer"),
    file: pooler.databasesFile,
    drain: "300ms",
    to: "${db.address}",
    ...more,
  });
const observe = () => pgbouncerTraffic.observe(context, optionsOf());
const readEntryFile = () => readFile(pooler.databasesFile, "utf8");

const connect = async (user = "shop"): Promise<Client> => {
  const client = new Client({ connectionString: pooler.url("Shop-1", user) });
  client.on("error", () => undefined);
  await client.connect();
  clients.push(client);
  return client;
};
const whoAnswers = async (client: Client): Promise<number> => {
  const { rows } = await client.query<{ port: number }>("select inet_server_port() as port");
  return rows[0]?.port ?? 0;
};
/** What a person does by hand. */
const writeByHand = async (server: PostgresServer): Promise<void> =>
  writeFile(pooler.databasesFile, `[databases]\n${entry(server)}\n`);

beforeAll(async () => {
  [old, fresh] = await Promise.all([startPostgresServer(), startPostgresServer()]);
  pooler = await startPgbouncer([entry(old)], old.directory);
});
beforeEach(async () => {
  await writeByHand(old);
  await pooler.ask("RELOAD");
});
afterEach(async () => {
  for (const client of clients) await client.end().catch(() => undefined);
  clients = [];
  await pooler.ask('RESUME "Shop-1"').catch(() => undefined);
});
afterAll(async () => {
  await pooler?.stop();
  await old?.stop();
  await fresh?.stop();
});

describe("clients behind PgBouncer", () => {
  test("are held and go on at the other server by the connection that they have", async () => {
    const client = await connect();
    expect(await whoAnswers(client)).toBe(old.port);
    const options = optionsOf();
    const before: Stats = statSync(options.file);
    expect(await observe()).toMatchObject({ admitted: true, address: addressOf(old) });

    await pgbouncerTraffic.hold(context, options);
    await pgbouncerTraffic.hold(context, options);
    expect(await observe()).toMatchObject({ admitted: false, address: addressOf(old), raw: { connections: 0 } });
    let answered = false;
    const waiting = whoAnswers(client).finally(() => (answered = true));
    await delay(200);
    expect(answered).toBe(false);

    await pgbouncerTraffic.admit(context, options, addressOf(fresh));
    expect(await waiting).toBe(fresh.port);
    await pgbouncerTraffic.admit(context, options, addressOf(fresh));
    expect(await observe()).toMatchObject({ admitted: true, address: addressOf(fresh) });
    // All else in the file is as a person wrote it, and nobody else may read it.
    expect(await readEntryFile()).toBe(`[databases]\n${entry(fresh)}\n`);
    const after = statSync(options.file);
    expect([after.mode, after.uid, after.gid]).toEqual([before.mode, before.uid, before.gid]);

    await pgbouncerTraffic.hold(context, options);
    await pgbouncerTraffic.admit(context, options, addressOf(old));
    expect(await whoAnswers(client)).toBe(old.port);
  });

  test("have their transactions ended, or cut off, before they count as held", async () => {
    const options = optionsOf({ drain: "60s" });
    const [short, long] = [await connect("short"), await connect("long")];
    await short.query("begin");
    await short.query("create table if not exists written (n int)");
    const held = pgbouncerTraffic.hold(context, options);
    await delay(200);
    await short.query("commit");
    await held;
    await pgbouncerTraffic.admit(context, options, addressOf(old));
    expect(await query(old.url("postgres"), "select count(*)::int as n from written")).toEqual([{ n: 0 }]);

    await long.query("begin");
    await long.query("insert into written values (1)");
    await pgbouncerTraffic.hold(context, optionsOf({ drain: "0s" }));
    expect(await observe()).toMatchObject({ admitted: false, raw: { connections: 0 } });
    await expect(long.query("commit")).rejects.toThrow(/terminated|closed|ECONNRESET|connection error/);
    expect(await query(old.url("postgres"), "select count(*)::int as n from written")).toEqual([{ n: 0 }]);
  });

  test("are switched without a hold before only when nothing is under way on the other server", async () => {
    const client = await connect();
    await client.query("begin");
    await whoAnswers(client);
    await pgbouncerTraffic.admit(context, optionsOf(), addressOf(fresh));
    await expect(client.query("commit")).rejects.toThrow(/terminated|closed|ECONNRESET|connection error/);
    expect(await whoAnswers(await connect())).toBe(fresh.port);
  });

  test("are not let go on where somebody else has changed the entry", async () => {
    await pgbouncerTraffic.hold(context, optionsOf());
    const third = (await readEntryFile()).replace(String(old.port), "6543");
    await writeFile(pooler.databasesFile, third);
    await expect(pgbouncerTraffic.admit(context, optionsOf(), addressOf(fresh))).rejects.toMatchObject({
      code: "cutover.conflict",
      message: `${pooler.databasesFile} points Shop-1 to 127.0.0.1:6543, and the running PgBouncer to ${addressOf(old)}: somebody changed it`,
    });
    expect(await readEntryFile()).toBe(third);
    expect(await observe()).toMatchObject({ admitted: false, address: addressOf(old) });
    // A cutover that is taken back lets them go on where they were, and leaves the file to whoever has written it.
    await pgbouncerTraffic.admit(context, optionsOf(), addressOf(old));
    expect(await whoAnswers(await connect())).toBe(old.port);
    expect(await readEntryFile()).toBe(third);
  });

  test("go on when an attempt before has written the file and was killed", async () => {
    await pgbouncerTraffic.hold(context, optionsOf());
    await writeByHand(fresh);
    await pgbouncerTraffic.admit(context, optionsOf(), addressOf(fresh));
    expect(await whoAnswers(await connect())).toBe(fresh.port);
  });

  test("stay where they are when PgBouncer does not read the file that is declared", async () => {
    const file = `${pooler.databasesFile}.other`;
    const text = `[databases]\n${entry(old)}\n`;
    await writeFile(file, text);
    await pgbouncerTraffic.hold(context, optionsOf());
    await expect(pgbouncerTraffic.admit(context, optionsOf({ file }), addressOf(fresh))).rejects.toMatchObject({
      code: "target.failed",
      message: `PgBouncer does not point Shop-1 to ${addressOf(fresh)} after RELOAD`,
    });
    expect(await readFile(file, "utf8")).toBe(text);
    await pgbouncerTraffic.admit(context, optionsOf(), addressOf(old));
    expect(await whoAnswers(await connect())).toBe(old.port);
  });

  test("are not left waiting by a hold that fails", async () => {
    // A user who may only look cannot hold; nobody waits afterwards.
    await expect(
      pgbouncerTraffic.hold(context, optionsOf({ console: pooler.url("pgbouncer", "viewer") })),
    ).rejects.toMatchObject({ code: "source.denied", hint: "name the user in pgbouncer.ini: admin_users = viewer" });
    expect(await whoAnswers(await connect())).toBe(old.port);
  });
});

describe("before anything is touched", () => {
  const findings = async (more: object = {}) =>
    (await pgbouncerTraffic.preflight(context, optionsOf(more))).findings.map(({ ok, found }) => [ok, found]);

  test("it is told what PgBouncer points to, and what its clients will feel", async () => {
    expect(await findings()).toEqual([
      [true, "answers, and takes words that change it"],
      [true, `${addressOf(old)}, admitted`],
      [true, `Shop-1: ${addressOf(old)}, as PgBouncer has loaded it`],
      [true, "clients wait during a cutover; a transaction that goes on after 300ms is cut off"],
      [true, "PgBouncer cuts off who has been held for 120 s"],
    ]);
    expect((await findings({ console: pooler.url("pgbouncer", "viewer") }))[0]).toEqual([
      false,
      "PgBouncer lets viewer not change anything: admin access needed",
    ]);
    await writeByHand(fresh);
    expect((await findings())[2]).toEqual([
      false,
      `Shop-1: ${addressOf(fresh)}, and the running PgBouncer has ${addressOf(old)}`,
    ]);
    expect(await observe()).toMatchObject({ admitted: true, address: addressOf(old) });
  });

  test.each([
    ["another database", { console: "postgres://admin@127.0.0.1:1/shop" }, "config.invalid"],
    ["an unknown entry", { pgbouncer: "market" }, "config.invalid"],
    ["nobody there", { console: "postgres://admin@127.0.0.1:1/pgbouncer" }, "source.unreachable"],
  ])("what is not there is said in words: %s", async (_, more, code) => {
    for (const act of [pgbouncerTraffic.observe, pgbouncerTraffic.hold, pgbouncerTraffic.preflight])
      await expect(act(context, optionsOf(more))).rejects.toMatchObject({ code });
  });

  test.each(["nowhere", "10.0.0.1", "a b:1", "10.0.0.1:0", "evil host=x:1", "[1.2.3.4]:5432"])(
    "no client is sent to %s",
    async (to) => {
      await expect(pgbouncerTraffic.admit(context, optionsOf(), to)).rejects.toMatchObject({ code: "config.invalid" });
      expect(await observe()).toMatchObject({ admitted: true, address: addressOf(old) });
    },
  );
});
