/** The contract of component drivers, on a database with everything that cannot be renamed. */
import { join } from "node:path";
import { afterAll, beforeAll, vi } from "vitest";
import { describeComponentDriver, type DriverBench } from "../../testing/component-driver-contract.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import {
  captureMariadbInto,
  mariadbContext,
  mariadbDriver,
  readMariadbContent,
  shopScript,
} from "../../testing/mariadb-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../testing/mariadb-server.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: MariadbServer;
beforeAll(async () => {
  server = await startMariadbServer();
});
afterAll(() => server.stop());

let opened = 0;

const openBench = async (): Promise<DriverBench> => {
  const folder = await createTestFolder("refloat-mariadb-contract");
  const database = `shop_${(opened += 1)}`;
  await server.sql(`CREATE DATABASE ${database} CHARACTER SET utf8mb4;`);
  await server.sql(shopScript, database);
  const context = mariadbContext(server, database, folder.path);
  let captures = 0;
  return {
    driver: mariadbDriver,
    context,
    capture: () => captureMariadbInto(context, join(folder.path, `vault-${(captures += 1)}`)),
    open: async () => createDirectoryReader(join(folder.path, `vault-${captures}`)),
    write: async () =>
      void (await server.sql(
        "UPDATE customers SET name = 'eve' WHERE id = 1; INSERT INTO orders (customer, total) VALUES (2, 7); DROP VIEW a_totals;",
        database,
      )),
    content: async (location) => readMariadbContent(server, location ?? database),
    close: folder.remove,
  };
};

describeComponentDriver("a database of MariaDB", openBench);
