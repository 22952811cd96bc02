/** The contract of component drivers, on a whole MariaDB server. */
import { vi } from "vitest";
import { describeComponentDriver } from "../../../testing/component-driver-contract.ts";
import { createTestFolder } from "../../../testing/driver-context.ts";
import { shopScript } from "../../../testing/mariadb-bench.ts";
import {
  captureServerInto,
  contentOf,
  dataOf,
  mariadbServerContext,
  mariadbServerDriver,
} from "../../../testing/mariadb-server-bench.ts";
import { startMariadbServer } from "../../../testing/mariadb-server.ts";
import { createVault } from "../../../testing/cluster-bench.ts";
import { endServer } from "./server-process.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describeComponentDriver("a whole MariaDB server", async () => {
  const folder = await createTestFolder("refloat-mdb");
  const server = await startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW" } });
  // Only the server can tell which name the folder of the other one stands for.
  await server.sql("CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE DATABASE `ä/ß`;");
  await server.sql(shopScript, "shop");
  const context = await mariadbServerContext(server, folder.path);
  const vault = await createVault(folder.path);
  return {
    driver: mariadbServerDriver,
    context,
    capture: () => captureServerInto(context, vault),
    open: (captured) => vault.openSnapshot(captured.snapshot),
    write: async () =>
      void (await server.sql(
        "UPDATE customers SET name = 'eve' WHERE id = 1; INSERT INTO orders (customer, total) VALUES (2, 7); DROP VIEW a_totals;",
        "shop",
      )),
    // Counters go on after those of the other side.
    content: async (location) =>
      (await contentOf(context, server, location ?? dataOf(server), "shop")).replaceAll(/ AUTO_INCREMENT=\d+/g, ""),
    close: async () => {
      // After a switch it is not the one that was started here.
      await endServer(context, dataOf(server), "SIGKILL");
      await mariadbServerDriver.instances
        .drop(context, {
          name: await mariadbServerDriver.instances.name(context, 42),
          run: 42,
          runUid: "0b8f2f3e-1111-4222-8333-444455556666",
        })
        .catch(() => undefined);
      await server.stop();
      await vault.close();
      await folder.remove();
    },
  };
});
