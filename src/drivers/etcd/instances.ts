/** Restored clusters beside the live one: made and dropped as folders are, with a server of their own in each. */
import { dirname } from "node:path";
import type { Footprint, InstanceOperations } from "../../core/ports/driver.ts";
import { locateInstance } from "../../platform/path-instance.ts";
import { partialPath } from "../../platform/path-names.ts";
import { createPathInstances } from "../../platform/path-operations.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { type EtcdOptions, dataPathOf } from "./etcd-options.ts";
import { endEtcd } from "./etcd-process.ts";
import { stableOutputs, targetOutputs } from "./etcd-target.ts";
import { instanceTarget } from "./instance-server.ts";
import { restoreEtcd } from "./restore.ts";
import { validateEtcd } from "./validate.ts";

const byPath = createPathInstances<EtcdOptions>(dataPathOf, async (context, target, path) =>
  path === target.name ? targetOutputs(await instanceTarget(context, path), path) : stableOutputs(context),
);

/** The snapshot and the database that is made of it; and a server's log, which is laid out in full from the beginning. */
const filesAtPeak = 2;
const ownLogBytes = 2 * 64 * 1_000_000;

export const etcdInstances: InstanceOperations<EtcdOptions> = {
  ...byPath,
  footprint: async (context, captured): Promise<readonly Footprint[]> => [
    { path: dirname(await dataPathOf(context)), bytes: filesAtPeak * captured.facts.sizeBytes + ownLogBytes },
  ],
  restore: restoreEtcd,
  validate: validateEtcd,

  drop: async (context, target) => {
    const stable = await dataPathOf(context);
    await translateSystemErrors("target.failed", `${target.name} cannot be dropped`, async () => {
      // Asked for its refusal: what this run did not make is not stopped either.
      const place = await locateInstance(stable, target);
      if (place.presence === "absent" || (place.presence === "done" && place.serves)) return;
      for (const folder of [target.name, partialPath(target.name)]) await endEtcd(context, folder, "SIGKILL");
    });
    await byPath.drop(context, target);
  },
};
