/** One act of the `postgres-cluster` driver as a process of its own, so that tests can kill it in the middle. The order comes in ORDER. */
import type { ArmRequest } from "../core/ports/arming.ts";
import type { Exchange, ExchangeObservation, InstanceTarget } from "../core/ports/driver.ts";
import { clusterArming } from "../drivers/postgres-cluster/arming/cluster-arming.ts";
import type { ClusterOptions } from "../drivers/postgres-cluster/cluster-options.ts";
import { clusterInstances } from "../drivers/postgres-cluster/instances.ts";
import { clusterSwitching } from "../drivers/postgres-cluster/switching.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { systemClock } from "../platform/system-clock.ts";
import { openRepository } from "../vault/repository/open-repository.ts";
import { vaultPassword } from "./cluster-bench.ts";
import { createTestContext } from "./driver-context.ts";

export type ClusterOrder = { readonly options: ClusterOptions; readonly folder: string } & (
  | { readonly act: "arm"; readonly request: ArmRequest }
  | { readonly act: "exchange"; readonly exchange: Exchange; readonly before: ExchangeObservation }
  | {
      readonly act: "restore";
      readonly target: InstanceTarget;
      readonly vault: string;
      readonly captured: CapturedComponent;
    }
);

const order = JSON.parse(process.env["ORDER"] ?? "{}") as ClusterOrder;
const context = createTestContext({ options: order.options, folder: order.folder, component: "db" });
if (order.act === "arm") await clusterArming.arm(context, order.request);
else if (order.act === "exchange") await clusterSwitching.exchange(context, order.exchange, order.before);
else {
  const vault = await openRepository(order.vault, vaultPassword, { clock: systemClock });
  await clusterInstances.restore(
    context,
    order.target,
    await vault.openSnapshot(order.captured.snapshot),
    order.captured,
  );
  await vault.close();
}
