/** Servers that follow one another, by MariaDB's own replication: neither is switched, and both plans say what to do. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Exchange } from "../../../core/ports/driver.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { mariadbServerContext, mariadbServerDriver } from "../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../testing/mariadb-server.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const { instances, switching, preflight } = mariadbServerDriver;
let folder: TestFolder;
let primary: MariadbServer;
let replica: MariadbServer;

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-company");
  const settings = { "log-bin": "binlog", "binlog-format": "ROW" };
  [primary, replica] = await Promise.all([
    startMariadbServer({ settings }),
    startMariadbServer({ settings: { ...settings, "server-id": 2 } }),
  ]);
  await primary.sql(
    "CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'secret'; GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1';",
  );
  await replica.sql(
    `CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=${primary.port}, MASTER_USER='repl', MASTER_PASSWORD='secret',
       MASTER_USE_GTID=slave_pos; START SLAVE;`,
  );
  await primary.sql(
    "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (1);",
  );
  while ((await replica.sql("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'orders';")) === "0\n")
    await delay(100);
});
afterAll(async () => {
  await replica?.stop();
  await primary?.stop();
  await folder.remove();
});

test.each([
  [
    "one that others follow",
    () => primary,
    /^others follow the server in .* \(repl at \S+:\d+\), and cannot follow one that was recovered to an earlier moment$/,
    "stop them, recover, and build them anew; or restore beside: refloat recover --no-cutover",
  ],
  [
    "one that follows another",
    () => replica,
    /^the server in .* follows another one$/,
    "recover that one, then build this one anew",
  ],
])("%s is not switched, and keeps its data and its replication", async (_, of, message, hint) => {
  const context = await mariadbServerContext(of(), folder.path);
  const exchange: Exchange = {
    incoming: await instances.name(context, 42),
    outgoing: await instances.retiredName(context, 42),
  };
  const refusal = { code: "cutover.refused", message: expect.stringMatching(message) as string, hint };
  await expect(switching.observe(context, exchange)).rejects.toMatchObject(refusal);
  expect((await preflight(context)).findings).toContainEqual(
    expect.objectContaining({ ok: false, found: expect.stringMatching(message) as string }),
  );
  await primary.sql("INSERT INTO shop.orders SELECT MAX(id) + 1 FROM shop.orders;");
  const written = await primary.sql("SELECT COUNT(*) FROM shop.orders;");
  await vi.waitFor(async () => expect(await replica.sql("SELECT COUNT(*) FROM shop.orders;")).toBe(written), {
    timeout: 60_000,
    interval: 50,
  });
});
