/** Restored clusters beside the live one: made and dropped as folders are, with a server of their own in each. */
import { dirname } from "node:path";
import type { Footprint, InstanceOperations, Outputs } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { locateInstance } from "../../platform/path-instance.ts";
import { partialPath } from "../../platform/path-names.ts";
import { createPathInstances } from "../../platform/path-operations.ts";
import { type ConnectionTarget, resolveTarget, targetOutputs } from "../../platform/postgres/connection-target.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { capturedDetailSchema } from "./cluster-facts.ts";
import { type ClusterContext, type ClusterOptions, dataPathOf } from "./cluster-options.ts";
import { readMajor } from "./control-data.ts";
import { instanceTcpTarget } from "./instance-server.ts";
import { findPostmaster, stopPostmaster } from "./postmaster.ts";
import { restoreCluster } from "./restore.ts";
import { removeTablespaces, restoredLocation } from "./tablespaces.ts";
import { validateCluster } from "./validate.ts";

const outputsOf = (target: ConnectionTarget, data: string): Outputs => ({
  ...targetOutputs(target),
  data: { value: data, secret: false },
});

export const stableOutputs = async (context: ClusterContext): Promise<Outputs> =>
  outputsOf(await resolveTarget(context), await dataPathOf(context));

const byPath = createPathInstances<ClusterOptions>(dataPathOf, (context, target, path) =>
  path === target.name
    ? instanceTcpTarget(context, path).then((found) => outputsOf(found, path))
    : stableOutputs(context),
);

/** Whole blocks for each file, and a few files of log that the server makes for itself. */
const perFileBytes = 4_096;
const ownLogBytes = 64 * 1_048_576;

const footprint = async (context: ClusterContext, captured: CapturedComponent): Promise<readonly Footprint[]> => {
  const stable = await dataPathOf(context);
  const { tablespaces } = capturedDetailSchema.parse(captured.facts.detail);
  const bytes = captured.facts.sizeBytes + perFileBytes * (captured.facts.counts["files"] ?? 0) + ownLogBytes;
  const elsewhere = await Promise.all(tablespaces.map((one) => restoredLocation(stable, 0, one)));
  const folders = new Set(elsewhere.map((path) => dirname(path)).filter((folder) => folder !== dirname(stable)));
  // How much lies in which tablespace is not told by the facts: each of their disks is asked for all of it, rather than for too little.
  return [{ path: dirname(stable), bytes }, ...[...folders].map((path) => ({ path, bytes: captured.facts.sizeBytes }))];
};

export const clusterInstances: InstanceOperations<ClusterOptions> = {
  ...byPath,
  footprint,
  restore: restoreCluster,
  validate: validateCluster,

  drop: async (context, target) => {
    const stable = await dataPathOf(context);
    await translateSystemErrors("target.failed", `${target.name} cannot be dropped`, async () => {
      // Asked for its refusal: what this run did not make is not stopped either.
      const place = await locateInstance(stable, target);
      const serves = place.presence === "done" && place.serves;
      for (const folder of serves ? [] : [target.name, partialPath(target.name)]) {
        if (place.presence === "absent" || !(await pathExists(folder))) continue;
        if ((await findPostmaster(folder)) !== null) await stopPostmaster(context, folder);
        if (await pathExists(`${folder}/PG_VERSION`))
          await removeTablespaces(folder, stable, await readMajor(folder), context.signal);
      }
    });
    await byPath.drop(context, target);
  },
};
