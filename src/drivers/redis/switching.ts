/** Switches a server by the path of its data folder. What is not a server of its own, or watched by a Sentinel, is refused. */
import { readdir } from "node:fs/promises";
import { RefloatError } from "../../model/refloat-error.ts";
import { createFolderServerSwitching } from "../../platform/folder-server/folder-server-switching.ts";
import { resolveTarget } from "./connection-target.ts";
import { killServer, findRedisProcess } from "./redis-process.ts";
import { readInstanceRecord } from "./instance-server.ts";
import {
  describeSettled,
  forewarnOfUsers,
  quietIncoming,
  refuseAnswering,
  refuseCompany,
  refusalOfUsers,
  serveStable,
  stopLive,
} from "./live-server.ts";
import { type RedisContext, type RedisOptions, dataPathOf } from "./redis-options.ts";
import { withRedis } from "./redis-session.ts";
import { readSettings } from "./server-facts.ts";
import { stoppedPosition } from "./writes.ts";

/** The live server would look for another file than the one that was restored. @throws RefloatError cutover.refused */
const refuseOtherName = async (context: RedisContext, stable: string, incoming: string): Promise<void> => {
  const record = await readInstanceRecord(incoming);
  if (record === null || (await findRedisProcess(stable)) === null) return;
  const target = await resolveTarget(context);
  const { dbfilename } = await withRedis({ target, signal: context.signal }, readSettings);
  if (dbfilename === record.dbfilename) return;
  throw new RefloatError(
    "cutover.refused",
    `the server in ${stable} loads ${dbfilename}, and the point has ${record.dbfilename}: it would come up empty`,
    { hint: `set dbfilename ${record.dbfilename} in its configuration, restart it, and recover again` },
  );
};

const holdsData = async (folder: string): Promise<boolean> =>
  readdir(folder).then(
    () => true,
    () => false,
  );

export const redisSwitching = createFolderServerSwitching<RedisOptions>({
  pathOf: dataPathOf,
  holdsData,
  // One that keeps nothing on its disk comes up empty.
  hasFiles: async (folder) => (await readdir(folder)).some((name) => /\.(?:rdb|aof)$|^appendonlydir$/.test(name)),
  runs: async (folder) => (await findRedisProcess(folder)) !== null,
  startLine: ({ start }) => start,
  losesWhenKilled: "what it had not written to its disk",
  refusal: refusalOfUsers,
  forewarnings: forewarnOfUsers,
  refuseSwitch: refuseCompany,
  refuseIncoming: refuseOtherName,
  stopLive,
  refuseAnswering: (context) => refuseAnswering(context),
  quiet: quietIncoming,
  serve: serveStable,
  positionOf: stoppedPosition,
  settle: (context) => describeSettled(context),
  beforeDiscard: (context, folder) => killServer(context, folder),
});
