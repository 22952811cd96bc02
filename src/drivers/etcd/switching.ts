/** Switches the only member of a cluster by the path of its data folder. One of several is refused. */
import { createFolderServerSwitching } from "../../platform/folder-server/folder-server-switching.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { type EtcdOptions, dataPathOf } from "./etcd-options.ts";
import { databaseOf, endEtcd, findEtcdProcess } from "./etcd-process.ts";
import { quietInstance } from "./instance-server.ts";
import { refuseAnswering, refuseCompany, serveStable, stopLive } from "./live-server.ts";
import { stoppedPosition } from "./writes.ts";

export const etcdSwitching = createFolderServerSwitching<EtcdOptions>({
  pathOf: dataPathOf,
  holdsData: (folder) => pathExists(databaseOf(folder)),
  runs: async (folder) => (await findEtcdProcess(folder)) !== null,
  startLine: ({ start }) => start,
  refuseSwitch: refuseCompany,
  refuseIncoming: async () => undefined,
  stopLive,
  refuseAnswering: (context) => refuseAnswering(context),
  quiet: quietInstance,
  serve: serveStable,
  positionOf: stoppedPosition,
  settle: async () => [],
  beforeDiscard: (context, folder) => endEtcd(context, folder, "SIGKILL"),
});
