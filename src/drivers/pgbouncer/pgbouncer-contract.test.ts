import { appendFile, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll } from "vitest";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { createTestTrafficContext } from "../../testing/driver-context.ts";
import { startPgbouncer } from "../../testing/pgbouncer-server.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { describeLoadingTrafficDriver } from "../../testing/traffic-driver-contract.ts";
import { pgbouncerOptionsSchema, readPlace } from "./pgbouncer-options.ts";
import { pgbouncerTraffic } from "./pgbouncer-traffic.ts";

let servers: readonly PostgresServer[] = [];
beforeAll(async () => {
  servers = await Promise.all([startPostgresServer(), startPostgresServer(), startPostgresServer()]);
});
afterAll(async () => {
  for (const server of servers) await server.stop();
});

const lineOf = (address: string): string =>
  `shop = host=127.0.0.1 port=${readPlace(address).port} dbname=postgres user=postgres password='x y' pool_size=4`;

describeLoadingTrafficDriver("pgbouncer", async () => {
  const [old = "", fresh = "", third = ""] = servers.map(({ port }) => `127.0.0.1:${port}`);
  const pooler = await startPgbouncer([lineOf(old), "; the end"], servers[0]?.directory ?? "");
  const optionsOf = (more: object = {}) =>
    pgbouncerOptionsSchema.parse({
      pgbouncer: "shop",
      console: pooler.url("pgbouncer"),
      file: pooler.databasesFile,
      drain: "100ms",
      ...more,
    });
  const state = () => readFile(pooler.databasesFile, "utf8");
  const writeOnly = async (to: string) =>
    writeFile(pooler.databasesFile, (await state()).replace(/^shop = .*$/m, lineOf(to)));
  return {
    driver: pgbouncerTraffic as TrafficDriver,
    context: createTestTrafficContext(),
    options: optionsOf(),
    old,
    fresh,
    third,
    reached: async () => {
      const database = (await pooler.ask("SHOW DATABASES")).find(({ name }) => name === "shop");
      // It would wait for as long as it is held.
      if (String(database?.["paused"]) === "1") return null;
      const [row] = await query<{ port: number }>(pooler.url("shop", "shop"), "select inet_server_port() as port");
      return row === undefined ? null : `127.0.0.1:${row.port}`;
    },
    state,
    directByHand: async (to) => {
      await writeOnly(to);
      await pooler.ask("RELOAD");
    },
    wrong: {
      "does not answer": optionsOf({ console: "postgres://admin@127.0.0.1:1/pgbouncer" }),
      "has no such database": optionsOf({ pgbouncer: "market" }),
    },
    writeBeside: async () => {
      await appendFile(pooler.databasesFile, "market = host=127.0.0.1 port=1\n");
      return "market = host=127.0.0.1 port=1";
    },
    writeOnly,
    breakLoading: async () => {
      const text = await readFile(pooler.configPath, "utf8");
      await writeFile(pooler.configPath, `this is no setting\n${text}`);
      return { options: optionsOf(), mend: () => writeFile(pooler.configPath, text) };
    },
    close: pooler.stop,
  };
});
