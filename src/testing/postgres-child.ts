/** One act of the PostgreSQL driver as a process of its own, so that tests can kill it in the middle. The order comes in ORDER. */
import type { Exchange, ExchangeObservation, InstanceTarget } from "../core/ports/driver.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { postgresSwitching } from "../drivers/postgres/exchange.ts";
import { postgresInstances } from "../drivers/postgres/instances.ts";
import type { PostgresOptions } from "../drivers/postgres/postgres-options.ts";
import { createDirectoryReader } from "./directory-vault.ts";
import { createTestContext } from "./driver-context.ts";

export type PostgresOrder = { readonly url: string; readonly folder: string; readonly marker: string } & (
  | { readonly act: "exchange"; readonly exchange: Exchange; readonly before: ExchangeObservation }
  | {
      readonly act: "restore";
      readonly target: InstanceTarget;
      readonly vault: string;
      readonly captured: CapturedComponent;
    }
);

const order = JSON.parse(process.env["ORDER"] ?? "{}") as PostgresOrder;
const options: PostgresOptions = { url: order.url };
const context = {
  ...createTestContext({ options, folder: order.folder, component: "db" }),
  marker: order.marker,
};
if (order.act === "exchange") {
  await postgresSwitching.exchange(context, order.exchange, order.before);
} else {
  await postgresInstances.restore(context, order.target, createDirectoryReader(order.vault), order.captured);
}
