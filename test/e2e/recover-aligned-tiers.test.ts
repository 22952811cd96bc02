/**
 * One application writes to a PostgreSQL cluster and to a MariaDB database; both go back to one moment by markers in WAL and in the binary log, and the ledger
 * over both balances to the row. Its commits are held by a lock that each of its transactions shares; however a hold ends, they go on.
 */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { comparePositions } from "../../src/core/logs/log-position.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { holdOnMariadb } from "../../src/testing/hold-mariadb.ts";
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

const writers = 3;

/** Each writes an order in the cluster, then its bill in the other server; between the two the ledger is out of balance. */
const startWriters = async () => {
  const stop = new AbortController();
  const [last] = await query<{ id: number }>(orders.url("postgres"), "select coalesce(max(id), 0) as id from orders");
  const write = async (first: number): Promise<void> => {
    const client = new Client({ connectionString: orders.url("postgres") });
    await client.connect();
    try {
      for (let id = first; !stop.signal.aborted; id += writers) {
        await client.query("select pg_advisory_lock_shared(4711)");
        await client.query("insert into orders values ($1)", [id]);
        await billing.sql(`INSERT INTO bills VALUES (${id});`, "billing");
        await client.query("select pg_advisory_unlock_shared(4711)");
      }
    } finally {
      await client.end();
    }
  };
  const written = Promise.all(Array.from({ length: writers }, (_none, at) => write((last?.id ?? 0) + 1 + at)));
  written.catch(() => undefined);
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
  const declared = await components();
  await writeFile(
    at("refloat.yaml"),
    `
vault: { url: ${at("vault")}, password: "\${file:${at("password")}}" }
services:
  shop:
    quiesce: { lock: { in: orders, advisory: 4711 }, atMost: 1m }
    components:${declared}
  brief:
    quiesce: { lock: { in: orders, advisory: 4711, database: postgres }, atMost: 1s }
    components:${declared}
`,
  );
  refloat = refloatInside(folder.path);
  await refloat.succeed(["vault", "init"]);
  // No more than what is documented.
  const { stdout } = await refloat.run(["validate", "--live", "shop"]);
  const grants = (stdout.match(/GRANT [^;]*;/g) ?? []).filter((grant) => grant.includes("keeper"));
  await billing.sql(grants.map((grant) => grant.replaceAll(/\s+/g, " ")).join("\n"));
  receiving = refloatIn(folder.path).spawn(["capture", "shop", "--continuous", "--every", "300ms", "--json"]);
}, 300_000);

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

/** As an application would: whoever holds commits is waited for. @returns how long that took */
const commit = async (): Promise<number> => {
  const began = performance.now();
  await query(orders.url("postgres"), "begin; select pg_advisory_xact_lock_shared(4711); commit");
  return performance.now() - began;
};

/** Looked for by the server itself: a hold of a second could be over before a question from here comes. */
const untilHeld = (): Promise<unknown> =>
  query(
    orders.url("postgres"),
    `do $$ begin
       while not exists (select from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and granted) loop
         perform pg_sleep(0.005);
       end loop;
     end $$`,
  );

/** Nothing can be committed there until it is released, a marker neither. */
const holdBilling = (): Promise<() => Promise<void>> => holdOnMariadb(billing, "FLUSH TABLES WITH READ LOCK;");

const received = async (): Promise<void> => {
  await expect
    .poll(async () => new Set((await logs()).map(({ component }) => component)).size, { timeout: 60_000 })
    .toBe(2);
};

it("is told beforehand whether anybody shares the lock", async () => {
  const found = async (): Promise<string> =>
    (await refloat.run(["validate", "--live", "shop"])).stdout.replaceAll(/\s+/g, " ");
  expect(await found()).toContain("nobody shares it now; every transaction of the application has to");
  const client = new Client({ connectionString: orders.url("postgres") });
  await client.connect();
  await client.query("select pg_advisory_lock_shared(4711)");
  expect(await found()).toContain("1 session share it now");
  await client.end();
});

it(
  "a hold ends by the server's clock, and with its process: nobody waits for what was killed",
  { timeout: 300_000 },
  async () => {
    await received();
    const release = await holdBilling();
    const marking = refloat.run(["mark", "brief", "slow", "--aligned", "--json"]);
    await untilHeld();
    // The other server is still waited for.
    await commit();
    await release();
    const { lines } = await marking;
    expect(resultEnvelopeSchema("mark").parse(lines.at(-1)).data.added?.aligned).toMatchObject({
      mode: "approximate",
      why: "the service was not held: the 1s of atMost were over before all was read",
    });

    const releaseAgain = await holdBilling();
    const killed = refloatIn(folder.path).spawn(["mark", "shop", "killed", "--aligned"]);
    await untilHeld();
    killed.kill("SIGKILL");
    // By far sooner than the minute for which it was held.
    expect(await commit()).toBeLessThan(30_000);
    await killed;
    const listed = await refloat.succeed(["mark", "shop"]);
    expect(listed.stdout).not.toContain("killed");
    await releaseAgain();
  },
);

it("a transaction that is not over in time leaves the moment approximate", async () => {
  const client = new Client({ connectionString: orders.url("postgres") });
  await client.connect();
  await client.query("begin; select pg_advisory_xact_lock_shared(4711)");
  const mark = await place("brief", "busy");
  expect(mark.aligned).toMatchObject({
    mode: "approximate",
    why: expect.stringContaining("the transactions that share the lock were not over within 1s") as string,
  });
  await client.end();
});

it("both servers go back to the one moment that was marked in their logs", { timeout: 300_000 }, async () => {
  await received();
  const stop = await startWriters();
  try {
    await refloat.succeed(["capture", "shop"]);
    await expect.poll(async () => (await ids()).bills.length).toBeGreaterThan(10);
    const mark = await place("shop", "evening");
    expect(mark.aligned).toMatchObject({
      mode: "aligned",
      heldBy: "lock",
      markers: {
        orders: { by: "restore-point" },
        billing: { by: "transaction", id: expect.stringMatching(/^0-1-\d+$/) as string },
      },
    });
    const marked = (await ids()).orders.length;
    await expect.poll(async () => (await ids()).bills.length, { timeout: 60_000 }).toBeGreaterThan(marked + 5);
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
