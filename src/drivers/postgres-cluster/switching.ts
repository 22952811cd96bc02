/** Switches a cluster by the path of its data folder. Whoever has company (standbys, a manager) is refused. */
import { join } from "node:path";
import { nullWhenDown } from "../../core/components/null-when-down.ts";
import { createFolderServerSwitching } from "../../platform/folder-server/folder-server-switching.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ClusterContext, type ClusterOptions, dataPathOf } from "./cluster-options.ts";
import { readControlData, readMajor } from "./control-data.ts";
import { removeInstanceFiles } from "./instance-server.ts";
import { refuseAnswering, refuseArmedStart, refuseCompany, serveStable, stopLive } from "./live-server.ts";
import { makePosition } from "./position.ts";
import { findPostmaster, stopPostmaster } from "./postmaster.ts";
import { carrySequencesOver, describeCarried } from "./sequences.ts";
import { removeTablespaces } from "./tablespaces.ts";
import { stoppedMark } from "./writes.ts";

/** Without its control file a server does not start; one that was not shut down replays its log first. */
const ofReturn = async (
  context: ClusterContext,
  folder: string,
): Promise<{ readonly refusal: string | null; readonly notes: readonly string[] }> => {
  try {
    const { state } = await readControlData(context, folder);
    return {
      refusal: null,
      notes:
        state === "shut down"
          ? []
          : [
              `its server was not shut down (${state}): it replays its log first, and does not come up where that or its files are damaged`,
            ],
    };
  } catch (error) {
    context.signal.throwIfAborted();
    // That its files cannot be asked here (no programs, no right) is nothing that they tell, and may be put right.
    if (!(error instanceof RefloatError) || error.code !== "source.failed") throw error;
    return { refusal: error.message, notes: [] };
  }
};

export const clusterSwitching = createFolderServerSwitching<ClusterOptions>({
  pathOf: dataPathOf,
  holdsData: (folder) => pathExists(join(folder, "PG_VERSION")),
  runs: async (folder) => (await findPostmaster(folder)) !== null,
  startLine: ({ start }) => start,
  refuseSwitch: refuseCompany,
  refuseIncoming: refuseArmedStart,
  stopLive,
  refuseAnswering,
  quiet: async (context, folder) => {
    await stopPostmaster(context, folder);
    await removeInstanceFiles(folder);
  },
  serve: serveStable,
  // Files that tell nothing, such as those of a control file that is destroyed: the names have changed hands already.
  positionOf: (context, folder) =>
    nullWhenDown(context.signal, async () => makePosition(context.clock.now(), await stoppedMark(context, folder))),
  ofReturn,
  carryOver: carrySequencesOver,
  settle: (_context, stable) => describeCarried(stable),
  beforeDiscard: async (context, folder, stable) => {
    await stopPostmaster(context, folder);
    await removeTablespaces(folder, stable, await readMajor(folder), context.signal);
  },
});
