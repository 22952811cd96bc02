/** Databases behind HAProxy in TCP mode: clients of MariaDB and of PostgreSQL are cut off, kept out, and come back to the other server. */
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProgram } from "../../platform/subprocess.ts";
import { createTestTrafficContext } from "../../testing/driver-context.ts";
import { type HaproxyServer, startHaproxy } from "../../testing/haproxy-server.ts";
import { type MariadbServer, startMariadbServer } from "../../testing/mariadb-server.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { haproxyOptionsSchema } from "./haproxy-options.ts";
import { haproxyTraffic } from "./haproxy-traffic.ts";

const context = createTestTrafficContext();
const optionsOf = ({ socket }: HaproxyServer) => haproxyOptionsSchema.parse({ haproxy: "shop/app", socket });
const addressOf = ({ port }: { readonly port: number }): string => `127.0.0.1:${port}`;

describe("MariaDB behind HAProxy", () => {
  let old: MariadbServer;
  let fresh: MariadbServer;
  let proxy: HaproxyServer;

  /** A client as users have it: a connection of its own to the proxy. */
  const ask = async (sql: string): Promise<string> => {
    const where = ["--no-defaults", "--host=127.0.0.1", `--port=${proxy.port}`, "--user=shop", "--connect-timeout=60"];
    const shown = ["--batch", "--skip-column-names", "--skip-ssl"];
    const signal = AbortSignal.timeout(240_000);
    return (await runProgram("mariadb", [...where, ...shown, "--execute", sql], { signal })).stdout.trim();
  };

  beforeAll(async () => {
    [old, fresh] = await Promise.all([startMariadbServer(), startMariadbServer()]);
    for (const server of [old, fresh])
      await server.sql(
        "create database shop; create table shop.orders (id int primary key) engine=innodb; create user shop@'127.0.0.1'; grant all on shop.* to shop@'127.0.0.1';",
      );
    proxy = await startHaproxy({ mode: "tcp", servers: { app: `${addressOf(old)} check inter 100ms` } });
  });
  afterAll(async () => {
    await proxy?.stop();
    await old?.stop();
    await fresh?.stop();
  });

  test("is held, with the transactions that are under way rolled back, and admitted to the other server", async () => {
    const options = optionsOf(proxy);
    expect(await ask("select @@port")).toBe(String(old.port));
    const writer = ask("begin; insert into shop.orders values (1); do sleep(60); commit;").then(
      () => "committed",
      () => "cut off",
    );
    while (
      (await old.sql("select count(*) from information_schema.innodb_trx where trx_rows_modified > 0;")).trim() !== "1"
    )
      await context.clock.sleep(20, context.signal);

    await haproxyTraffic.hold(context, options);
    expect(await writer).toBe("cut off");
    await expect(ask("select 1")).rejects.toThrow("Lost connection");
    await haproxyTraffic.admit(context, options, addressOf(fresh));
    expect(await ask("select @@port")).toBe(String(fresh.port));
    expect(await haproxyTraffic.observe(context, options)).toMatchObject({ admitted: true, address: addressOf(fresh) });
    await haproxyTraffic.hold(context, options);
    await haproxyTraffic.admit(context, options, addressOf(old));
    expect(await ask("select @@port")).toBe(String(old.port));
  });
});

describe("PostgreSQL behind HAProxy", () => {
  let old: PostgresServer;
  let fresh: PostgresServer;
  let proxy: HaproxyServer;

  const connect = async (): Promise<Client> => {
    const client = new Client({ connectionString: `postgres://postgres@127.0.0.1:${proxy.port}/postgres` });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  };
  const portOf = async (client: Client): Promise<number | undefined> =>
    (await client.query<{ port: number }>("select inet_server_port() as port")).rows[0]?.port;

  beforeAll(async () => {
    [old, fresh] = await Promise.all([startPostgresServer(), startPostgresServer()]);
    proxy = await startHaproxy({ mode: "tcp", servers: { app: `${addressOf(old)} check inter 100ms` } });
  });
  afterAll(async () => {
    await proxy?.stop();
    await old?.stop();
    await fresh?.stop();
  });

  test("is held, with its sessions cut off, and admitted to the other server", async () => {
    const options = optionsOf(proxy);
    const before = await connect();
    expect(await portOf(before)).toBe(old.port);
    await haproxyTraffic.hold(context, options);
    await expect(portOf(before)).rejects.toThrow(/terminated|closed|ECONNRESET|connection error/);
    await expect(connect()).rejects.toThrow(/terminated|closed|ECONNRESET|connection error/);
    await haproxyTraffic.admit(context, options, addressOf(fresh));
    const after = await connect();
    expect(await portOf(after)).toBe(fresh.port);
    await after.end();
  });
});
