/** Switches a server by the path of its data folder. What is not a server of its own is refused. */
import { join } from "node:path";
import { createFolderServerSwitching } from "../../../platform/folder-server/folder-server-switching.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import { carryCountersOver, describeCarried } from "./counters.ts";
import {
  describeLog,
  quietIncoming,
  refuseAnswering,
  refuseCompany,
  rememberIncoming,
  serveStable,
  stopLive,
} from "./live-server.ts";
import { makePosition, stoppedMark } from "./position.ts";
import { type ServerOptions, dataPathOf } from "./server-options.ts";
import { endServer, isServed } from "./server-process.ts";

const holdsData = (folder: string): Promise<boolean> => pathExists(join(folder, "ibdata1"));

export const serverSwitching = createFolderServerSwitching<ServerOptions>({
  pathOf: dataPathOf,
  holdsData,
  runs: isServed,
  startLine: ({ start }) => start,
  // A server makes that file anew where it is gone, and comes up with none of its tables.
  ofReturn: async (_context, folder) => ({
    refusal: (await holdsData(folder)) ? null : "its ibdata1 is not there, without which it would come up empty",
    notes: [],
  }),
  refuseSwitch: refuseCompany,
  refuseIncoming: async () => undefined,
  stopLive,
  refuseAnswering: (context) => refuseAnswering(context),
  quiet: quietIncoming,
  serve: serveStable,
  positionOf: async (context, folder) => makePosition(context.clock.now(), await stoppedMark(folder)),
  carryOver: async (context, stable, incoming) => {
    await rememberIncoming(context, stable, incoming);
    await carryCountersOver(context, stable, incoming);
  },
  settle: async (context, stable) => [...(await describeCarried(stable)), ...(await describeLog(context, stable))],
  beforeDiscard: (context, folder) => endServer(context, folder, "SIGKILL"),
});
