/**
 * One application writes to a PostgreSQL cluster and to a MariaDB database; both go back to one moment by markers in WAL and in the binary log, and the ledger
 * over both balances to the row. What is held: its own lines.
 */
import { existsSync, writeFileSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { comparePositions } from "../../src/core/logs/log-position.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: TestFolder;
let orders: PostgresServer;
let billing: MariadbServer;
let refloat: RefloatInside;
let receiving: ReturnType<RefloatProgram["spawn"]>;

const at = (name: string): string => join(folder.path, name);

const components = async (): Promise<string> => {
  const port = await findFreePort(4);
  return `
      orders: { type: postgres-cluster, data: ${join(orders.directory, "data")}, url: "${orders.url("postgres")}", ports: ${port}-${port + 3}, programs: ${orders.binaries} }
      billing: { type: mariadb, url: "${billing.url("billing", "keeper")}", password: "\${file:${at("db-password")}}", pitr: 7d }`;
};

/** An order in the cluster, then its bill in the other server; between the two the ledger is out of balance. */
const startWriter = () => {
  const stop = new AbortController();
  const write = async (): Promise<void> => {
    const client = new Client({ connectionString: orders.url("postgres") });
    await client.connect();
    const [last] = (await client.query<{ id: number }>("select coalesce(max(id), 0) as id from orders")).rows;
    try {
      for (let id = (last?.id ?? 0) + 1; !stop.signal.aborted;) {
        if (existsSync(at("pause"))) {
          writeFileSync(at("paused"), "");
          await delay(5);
          continue;
        }
        await client.query("insert into orders values ($1)", [id]);
        await billing.sql(`INSERT INTO bills VALUES (${id});`, "billing");
        id += 1;
      }
    } finally {
      await client.end();
    }
  };
  const written = write();
  return async (): Promise<void> => {
    stop.abort();
    await written;
  };
};

beforeAll(async () => {
  folder = await createTestFolder("refloat-aligned-tiers");
  await chmod(folder.path, 0o755);
  [orders, billing] = await Promise.all([
    startPostgresServer({ settings: { max_slot_wal_keep_size: "10GB", synchronous_commit: "on" } }),
    startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW", "sync-binlog": 1 } }),
  ]);
  await query(orders.url("postgres"), "create table orders (id int primary key)");
  await billing.sql(`
    CREATE DATABASE billing; CREATE TABLE billing.bills (id INT PRIMARY KEY);
    CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word';`);
  await writeFile(at("password"), "correct horse", { mode: 0o600 });
  await writeFile(at("db-password"), "a word", { mode: 0o600 });
  await writeFile(
    at("refloat.yaml"),
    `
vault: { url: ${at("vault")}, password: "\${file:${at("password")}}" }
services:
  shop:
    quiesce:
      freeze: "cd $SHOP && rm -f paused && touch pause && until test -e paused; do sleep 0.01; done"
      thaw: rm -f "$SHOP/pause"
      atMost: 1m
      environment: { SHOP: ${folder.path} }
    components:${await components()}
`,
  );
  refloat = refloatInside(folder.path);
  await refloat.succeed(["vault", "init"]);
  // No more than what is documented.
  const { stdout } = await refloat.run(["validate", "--live", "shop"]);
  const grants = (stdout.match(/GRANT [^;]*;/g) ?? []).filter((grant) => grant.includes("keeper"));
  await billing.sql(grants.map((grant) => grant.replaceAll(/\s+/g, " ")).join("\n"));
  receiving = refloatIn(folder.path).spawn(["capture", "shop", "--continuous", "--every", "300ms", "--json"]);
}, 240_000);

afterAll(async () => {
  receiving.kill("SIGKILL");
  await receiving;
  await refloat.close();
  await Promise.all([orders.stop(), billing.stop()]);
  await folder.remove();
});

const logs = async () =>
  resultEnvelopeSchema("points").parse((await refloat.succeed(["points", "shop", "--json"])).lines.at(-1)).data.logs;

const place = async (service: string, name: string) => {
  const { lines } = await refloat.succeed(["mark", service, name, "--aligned", "--json"]);
  return resultEnvelopeSchema("mark").parse(lines.at(-1)).data.added ?? expect.fail("nothing was marked");
};

const ids = async () => ({
  orders: (await query<{ id: number }>(orders.url("postgres"), "select id from orders order by id")).map(
    ({ id }) => id,
  ),
  bills: (await billing.sql("SELECT id FROM bills ORDER BY id;", "billing")).split("\n").slice(0, -1).map(Number),
});

it("both servers go back to the one moment that was marked in their logs", { timeout: 300_000 }, async () => {
  await expect
    .poll(async () => new Set((await logs()).map(({ component }) => component)).size, { timeout: 60_000 })
    .toBe(2);
  const stop = startWriter();
  try {
    await refloat.succeed(["capture", "shop"]);
    await delay(500);
    const mark = await place("shop", "evening");
    expect(mark.aligned).toMatchObject({
      mode: "aligned",
      markers: {
        orders: { by: "restore-point" },
        billing: { by: "transaction", id: expect.stringMatching(/^0-1-\d+$/) as string },
      },
    });
    expect(existsSync(at("pause"))).toBe(false);
    const marked = (await ids()).orders.length;
    await expect.poll(async () => (await ids()).bills.length, { timeout: 30_000 }).toBeGreaterThan(marked + 5);
    for (const component of ["orders", "billing"]) {
      const marker = mark.aligned?.markers[component]?.position ?? "";
      const isThere = async () =>
        (await logs()).some((span) => span.component === component && comparePositions(span.to, marker) >= 0);
      await expect.poll(isThere, { timeout: 60_000 }).toBe(true);
    }
    await stop();
    const { lines } = await refloat.succeed(["plan", "shop", "--at", "before evening", "--json"]);
    const { intent, forecast } = resultEnvelopeSchema("plan").parse(lines.at(-1)).data;
    expect(forecast.consistency).toMatchObject({ mode: "aligned", windowMs: mark.aligned?.windowMs });
    for (const component of ["orders", "billing"])
      expect(intent.replays?.[component]?.to).toBe(mark.aligned?.markers[component]?.position);

    const report = await refloat.succeed(["recover", "shop", "--at", "before evening", "--yes"]);
    expect(report.stdout.replaceAll(/\s+/g, " ")).toMatch(/Together aligned within \S+: markers in 2 logs/);
    const restored = await ids();
    expect(restored.orders.length).toBeGreaterThan(5);
    expect(restored.orders.length).toBeLessThanOrEqual(marked);
    expect(restored.bills).toEqual(restored.orders);
  } finally {
    await stop();
  }
});
