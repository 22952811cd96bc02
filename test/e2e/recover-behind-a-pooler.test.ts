/**
 * A service whose users come by a PgBouncer: recovered to another server, while a client of theirs asks all the time by the one connection
 * that it has; and a MariaDB service behind a HAProxy.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type HaproxyServer, startHaproxy } from "../../src/testing/haproxy-server.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type PgbouncerServer, startPgbouncer } from "../../src/testing/pgbouncer-server.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { declareIn } from "./support/declare.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

describe("a database behind a pooler", { timeout: 300_000 }, () => {
  let folder: string;
  let old: PostgresServer;
  let fresh: PostgresServer;
  let pooler: PgbouncerServer;
  let refloat: RefloatProgram;

  const declare = async (server: PostgresServer): Promise<void> =>
    declareIn(
      folder,
      `services:
  notes:
    components:
      db: { type: postgres, url: "${server.url("notes")}" }
    cutover:
      - pgbouncer: notes
        console: ${pooler.url("pgbouncer")}
        file: ${pooler.databasesFile}
        to: \${db.address}
`,
    );

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-pooler-"));
    [old, fresh] = await Promise.all([startPostgresServer(), startPostgresServer()]);
    await query(old.url("postgres"), "create database notes");
    await query(old.url("notes"), "create table notes (id int primary key)");
    await query(old.url("notes"), "insert into notes values (1), (2)");
    const entry = `notes = host=127.0.0.1 port=${old.port} user=postgres`;
    pooler = await startPgbouncer([entry], old.directory);
    await declare(old);
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "notes"]);
  });
  afterAll(async () => {
    await pooler?.stop();
    await old?.stop();
    await fresh?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("goes on at another server for a client that keeps its connection", async () => {
    const { stdout } = await refloat.succeed(["validate", "--live", "notes"]);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("as PgBouncer has loaded it");
    await declare(fresh);
    const client = new Client({ connectionString: pooler.url("notes", "shop") });
    await client.connect();
    const seen: { port: number; notes: string }[] = [];
    const stop = new AbortController();
    const asking = (async () => {
      while (!stop.signal.aborted) {
        const { rows } = await client.query<{ port: number; notes: string }>(
          "select inet_server_port() as port, string_agg(id::text, ' ' order by id) as notes from notes",
        );
        seen.push(...rows);
        await delay(10);
      }
    })();
    await refloat.succeed(["recover", "notes", "--yes"]);
    stop.abort();
    await asking;
    await client.end();
    // Never an error, never another answer; the other server from some moment on, and for good.
    expect(new Set(seen.map(({ notes }) => notes))).toEqual(new Set(["1 2"]));
    const ports = seen.map(({ port }) => port);
    expect(ports[0]).toBe(old.port);
    expect(ports.at(-1)).toBe(fresh.port);
    expect(ports.slice(ports.indexOf(fresh.port))).not.toContain(old.port);
  });
});

describe("a pooler that never loads what a cutover has written", { timeout: 300_000 }, () => {
  let folder: string;
  let old: PostgresServer;
  let fresh: PostgresServer;
  let pooler: PgbouncerServer;
  let refloat: RefloatProgram;
  const served = async (): Promise<unknown> =>
    (await query(pooler.url("notes", "shop"), "select inet_server_port() as port, count(*)::int as n from notes"))[0];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-pooler-"));
    [old, fresh] = await Promise.all([startPostgresServer(), startPostgresServer()]);
    for (const [index, server] of [old, fresh].entries()) {
      await query(server.url("postgres"), "create database notes");
      await query(server.url("notes"), "create table notes (id int primary key)");
      await query(server.url("notes"), `insert into notes select generate_series(1, ${index + 1})`);
    }
    pooler = await startPgbouncer([`notes = host=127.0.0.1 port=${old.port} user=postgres`], old.directory);
    await declareIn(
      folder,
      `services:
  notes:
    components:
      db: { type: postgres, url: "${fresh.url("notes")}" }
    cutover:
      - pgbouncer: notes
        console: ${pooler.url("pgbouncer")}
        file: ${pooler.databasesFile}
        to: 127.0.0.1:${fresh.port}
`,
    );
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "notes"]);
  });
  afterAll(async () => {
    await pooler?.stop();
    await old?.stop();
    await fresh?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("has its file as it was after the run is undone, though nothing can be loaded to the end", async () => {
    const before = await readFile(pooler.databasesFile, "utf8");
    await writeFile(pooler.configPath, `this is no setting\n${await readFile(pooler.configPath, "utf8")}`);
    const { exit, stderr } = await refloat.run(["recover", "notes", "--yes"]);
    expect(exit).not.toBe(0);
    expect(stderr).toContain(`PgBouncer does not point notes to 127.0.0.1:${fresh.port} after RELOAD`);
    expect(await readFile(pooler.databasesFile, "utf8")).toBe(before);

    // What an attempt leaves that is killed between writing and loading.
    await writeFile(pooler.databasesFile, before.replace(String(old.port), String(fresh.port)));
    await refloat.succeed(["undo", "1", "--yes"]);
    expect(await readFile(pooler.databasesFile, "utf8")).toBe(before);
    expect(await served()).toEqual({ port: old.port, n: 1 });
  });
});

describe("a MariaDB database behind a proxy", { timeout: 300_000 }, () => {
  let folder: string;
  let old: MariadbServer;
  let fresh: MariadbServer;
  let proxy: HaproxyServer;
  let refloat: RefloatProgram;

  const declare = async (server: MariadbServer): Promise<void> =>
    declareIn(
      folder,
      `services:
  shop:
    components:
      db: { type: mariadb, url: "${server.url("shop", "keeper")}" }
    cutover:
      - haproxy: shop/app
        socket: ${proxy.socket}
        to: \${db.address}
`,
    );

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-proxied-"));
    [old, fresh] = await Promise.all([startMariadbServer(), startMariadbServer()]);
    for (const server of [old, fresh])
      await server.sql("create user keeper@'127.0.0.1'; grant all on *.* to keeper@'127.0.0.1';");
    await old.sql("create database shop; create table shop.orders (id int primary key) engine=innodb;");
    await old.sql("insert into shop.orders values (1), (2);");
    proxy = await startHaproxy({ mode: "tcp", servers: { app: `127.0.0.1:${old.port}` } });
    await declare(old);
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
    await refloat.succeed(["capture", "shop"]);
  });
  afterAll(async () => {
    await proxy?.stop();
    await old?.stop();
    await fresh?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("is served by another server after a recovery", async () => {
    await declare(fresh);
    await refloat.succeed(["recover", "shop", "--yes"]);
    expect(await fresh.sql("select group_concat(id) from orders;", "shop")).toBe("1,2\n");
    expect(await proxy.ask("show servers state shop")).toContain(` ${fresh.port} `);
  });
});
