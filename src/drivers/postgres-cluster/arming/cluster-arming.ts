/** Arming of the cluster behind the stable name, by the record that its restore has left in its folder. */
import { join } from "node:path";
import type { Arming } from "../../../core/ports/arming.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import { type ClusterContext, type ClusterOptions, dataPathOf } from "../cluster-options.ts";
import { keptSettingsName } from "../disarm.ts";
import { armCluster, leaveOff } from "./arm-cluster.ts";
import { type DisarmRecord, readDisarmRecord } from "./disarm-record.ts";
import { outstandingItems, requireOutstanding } from "./disarmed-items.ts";
import { proposeArming } from "./propose-arming.ts";

/** Null where nothing is off: whoever puts the kept settings back by hand has armed it. */
const recordAt = async (folder: string): Promise<DisarmRecord | null> =>
  (await pathExists(join(folder, keptSettingsName))) ? readDisarmRecord(folder) : null;

const requireRecord = async (
  context: ClusterContext,
): Promise<{ readonly stable: string; readonly record: DisarmRecord }> => {
  const stable = await dataPathOf(context);
  const record = await recordAt(stable);
  if (record !== null) return { stable, record };
  throw new RefloatError("usage", `nothing is off in ${context.component}`, { state: "nothing was changed" });
};

export const clusterArming: Arming<ClusterOptions> = {
  disarmed: async (context) => {
    const record = await recordAt(await dataPathOf(context));
    return record === null
      ? []
      : outstandingItems(record).map((item) => ({ ...item, begun: record.begun.includes(item.name) }));
  },
  propose: async (context, request) => {
    const { stable, record } = await requireRecord(context);
    return proposeArming(context, stable, record, request);
  },
  arm: async (context, request) => {
    const { stable, record } = await requireRecord(context);
    return armCluster(context, stable, record, request);
  },
  leave: async (context, items) => {
    const { stable, record } = await requireRecord(context);
    requireOutstanding(record, items, context.component);
    await leaveOff(stable, record, items);
  },
};
