/**
 * The first start of a restored cluster: its log is replayed to the end of the backup, and it begins a timeline of its own. Timelines that
 * the live cluster has used since are skipped, so that two histories never bear one name.
 */
import { copyFile, lchown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { shellWord } from "../../core/text/shell-word.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { CapturedDetail } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { readControlData } from "./control-data.ts";
import type { Owner } from "./server-programs.ts";

/** Beside the log of the instance; what recovery asks for is copied from here. */
const spoolName = "refloat-recovery";

const historyName = (timeline: number): string => `${timeline.toString(16).toUpperCase().padStart(8, "0")}.history`;

/** The timeline that the live cluster is on; null where there is none that could be asked. */
const liveTimeline = async (context: ClusterContext, stable: string): Promise<number | null> => {
  if (!(await pathExists(join(stable, "PG_VERSION")))) return null;
  try {
    return (await readControlData(context, stable)).timeline;
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.warn(`which timeline the cluster in ${stable} is on cannot be told: ${String(error)}`);
    return null;
  }
};

/** Recovery looks for histories one after the other and takes the first number that has none. */
const reserveTimelines = async (
  context: ClusterContext,
  stable: string,
  spool: string,
  captured: number,
): Promise<void> => {
  const live = (await liveTimeline(context, stable)) ?? captured;
  for (let timeline = captured + 1; timeline <= live; timeline += 1) {
    const own = join(stable, "pg_wal", historyName(timeline));
    if (await pathExists(own)) await copyFile(own, join(spool, historyName(timeline)));
    else
      await writeFile(join(spool, historyName(timeline)), `${captured}\t0/0\tused by the cluster that was recovered\n`);
  }
};

/** @returns settings for the first start */
export const prepareRecovery = async (
  context: ClusterContext,
  places: { readonly stable: string; readonly folder: string; readonly owner: Owner },
  detail: CapturedDetail,
): Promise<Readonly<Record<string, string>>> => {
  const { stable, folder, owner } = places;
  const spool = join(folder, spoolName);
  await mkdir(spool, { mode: 0o700 });
  await reserveTimelines(context, stable, spool, detail.timeline);
  await writeFile(join(folder, "recovery.signal"), "", { mode: 0o600 });
  if (process.getuid?.() === 0) {
    await lchown(join(folder, "recovery.signal"), owner.uid, owner.gid);
    await lchown(spool, owner.uid, owner.gid);
  }
  return {
    restore_command: `cat ${shellWord(spool)}/%f > %p`,
    recovery_target_timeline: "current",
    // Exactly the end of the backup: what its last log file holds beyond it is of no point.
    recovery_target: "immediate",
    recovery_target_action: "promote",
  };
};

/** When it has ended. */
export const removeRecoveryFiles = (folder: string): Promise<void> =>
  rm(join(folder, spoolName), { recursive: true, force: true });
