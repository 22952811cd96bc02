import { commitLock } from "../../platform/postgres/commit-lock.ts";
import type { ComponentDriver, DriverBundle } from "../../core/ports/driver.ts";
import type { LogChanges } from "../../core/ports/logs.ts";
import { resolveTarget } from "../../platform/postgres/connection-target.ts";
import type { CopiedRowMending } from "../../platform/postgres/copied-rows.ts";
import { clusterArming } from "./arming/cluster-arming.ts";
import { captureCluster } from "./capture.ts";
import { type ClusterOptions, clusterOptionsSchema } from "./cluster-options.ts";
import { clusterTargets } from "./find-target.ts";
import { clusterInstances, stableOutputs } from "./instances.ts";
import { clusterExcerpts } from "./excerpt/take-excerpt.ts";
import { withCluster } from "./locations.ts";
import { logStartOf } from "./log-line.ts";
import { markClusterLog } from "./mark-log.ts";
import { nameFiles } from "./name-files.ts";
import { readWalChanges } from "./wal-changes.ts";
import { clusterMending } from "./mend/row-mending.ts";
import { preflightCluster } from "./preflight.ts";
import { receiveClusterLog } from "./receive-log.ts";
import { clusterSwitching } from "./switching.ts";
import { clusterWrites } from "./writes.ts";

const clusterChanges: LogChanges<ClusterOptions> = {
  read: (_context, request) => readWalChanges(request),
  names: nameFiles,
};

const clusterDriver = (rows: CopiedRowMending): ComponentDriver<ClusterOptions> => ({
  type: "postgres-cluster",
  summary:
    "One whole PostgreSQL cluster, captured physically over the replication protocol, switched by the path of its data folder.",
  options: clusterOptionsSchema,
  outputs: {
    url: { description: "postgres://user:password@host:port/database, as an application uses it.", secret: true },
    address: {
      description: "host:port; the folder of the socket in place of the host for a local socket.",
      secret: false,
    },
    host: { description: "Host name, address or folder of the socket.", secret: false },
    port: { description: "Port.", secret: false },
    database: { description: "The database of the url.", secret: false },
    user: { description: "The user that Refloat connects as.", secret: false },
    data: { description: "Absolute path of the data folder.", secret: false },
  },
  stableOutputs,
  preflight: preflightCluster,
  reach: async (context) => withCluster(context, await resolveTarget(context), "source", () => Promise.resolve()),
  capture: captureCluster,
  instances: clusterInstances,
  switching: clusterSwitching,
  writes: clusterWrites,
  excerpts: clusterExcerpts,
  mending: clusterMending(rows),
  commitLock,
  arming: clusterArming,
  logs: {
    startOf: logStartOf,
    receive: receiveClusterLog,
    mark: markClusterLog,
    targets: clusterTargets,
    changes: clusterChanges,
  },
});

/** The `postgres-cluster` driver. @param rows how rows are put back into a database, which another driver knows */
export const postgresClusterBundle = (rows: CopiedRowMending): DriverBundle => ({
  name: "postgres-cluster",
  components: [clusterDriver(rows) as ComponentDriver],
  checks: [],
  traffic: [],
});
