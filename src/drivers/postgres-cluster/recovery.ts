/**
 * The first start of a restored cluster: its log is replayed to the end of the backup, or beyond it by the log in the vault, and it begins a timeline of its own. Timelines that
 * the live cluster has used since are skipped, so that two histories never bear one name.
 */
import { copyFile, lchown, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Replay } from "../../core/ports/driver.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { CapturedDetail } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { readControlData } from "./control-data.ts";
import { feedCommand, makeSpool, segmentAfter, startLogFeed } from "./log-feed.ts";
import { lineOf } from "./log-line.ts";
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
    const reserved = join(spool, "histories", historyName(timeline));
    if (await pathExists(own)) await copyFile(own, reserved);
    else await writeFile(reserved, `${captured}\t0/0\tused by the cluster that was recovered\n`);
  }
};

export type Recovery = {
  /** For the first start. */
  readonly settings: Readonly<Record<string, string>>;
  /** When the server has recovered, or has given up. @throws what the vault said when a part of the log could not be read */
  readonly end: () => Promise<void>;
};

/** Only one timeline is followed: another history needs a point of its own. */
const refuseOtherLine = ({ line }: Replay, { systemIdentifier, timeline }: CapturedDetail): void => {
  if (line === lineOf(systemIdentifier, timeline)) return;
  throw new RefloatError(
    "plan.impossible",
    `the log ${line} does not go on from the point, which is of ${lineOf(systemIdentifier, timeline)}`,
    {
      hint: "choose a point of the same timeline",
    },
  );
};

export const prepareRecovery = async (
  context: ClusterContext,
  places: { readonly stable: string; readonly folder: string; readonly owner: Owner },
  detail: CapturedDetail,
  replay: Replay | null,
): Promise<Recovery> => {
  const { stable, folder, owner } = places;
  const spool = join(folder, spoolName);
  await makeSpool(spool, owner);
  await reserveTimelines(context, stable, spool, detail.timeline);
  await writeFile(join(folder, "recovery.signal"), "", { mode: 0o600 });
  if (process.getuid?.() === 0) await lchown(join(folder, "recovery.signal"), owner.uid, owner.gid);
  const common = {
    restore_command: feedCommand(spool, shellWord),
    recovery_target_timeline: "current",
    recovery_target_action: "promote",
  };
  // Exactly the end of the backup: what its last log file holds beyond it is of no point.
  if (replay === null) return { settings: { ...common, recovery_target: "immediate" }, end: async () => undefined };
  refuseOtherLine(replay, detail);
  const feed = await startLogFeed(spool, {
    logs: replay.logs,
    line: replay.line,
    to: replay.to,
    timeline: detail.timeline,
    segmentBytes: detail.walSegmentBytes,
    first: segmentAfter(detail.endLsn, detail.walSegmentBytes),
    signal: context.signal,
    clock: context.clock,
  });
  return { settings: common, end: feed.stop };
};

/** When it has ended. */
export const removeRecoveryFiles = (folder: string): Promise<void> =>
  rm(join(folder, spoolName), { recursive: true, force: true });
