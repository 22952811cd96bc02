/** The contract of component drivers, on a whole cluster of a real server. */
import { vi } from "vitest";
import { describeComponentDriver } from "../../testing/component-driver-contract.ts";
import {
  captureClusterInto,
  clusterContext,
  clusterDriver,
  contentOf,
  createVault,
  dataOf,
  withServerOf,
} from "../../testing/cluster-bench.ts";
import { describeOnReleases } from "../../testing/describe-on-releases.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** It takes a minute each: of the newer ones, that of the stable Debian. */
const newerMajors = [17];

describeOnReleases(
  "a whole cluster",
  (binaries) => {
    describeComponentDriver("a whole cluster", async () => {
      const folder = await createTestFolder("refloat-cluster");
      const server = await startPostgresServer({ binaries });
      await query(server.url("postgres"), "create database shop");
      await query(
        server.url("shop"),
        "create table orders (id serial primary key, item text not null); insert into orders (item) select 'item ' || n from generate_series(1, 2000) n",
      );
      const context = await clusterContext(server, folder.path);
      const vault = await createVault(folder.path);
      return {
        driver: clusterDriver,
        context,
        capture: () => captureClusterInto(context, vault),
        open: (captured) => vault.openSnapshot(captured.snapshot),
        write: async () => {
          await query(server.url("shop"), "insert into orders (item) values ('written later')");
        },
        content: (location) => withServerOf(context, location ?? dataOf(server), "shop", contentOf),
        close: async () => {
          await server.stop();
          await vault.close();
          await folder.remove();
        },
      };
    });
  },
  newerMajors,
);
