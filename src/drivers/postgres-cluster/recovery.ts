/**
 * The first start of a restored cluster: its log is replayed to the end of the backup, or beyond it by the log in the vault, and it begins a timeline of its own. Timelines that
 * the live cluster, those beside it, and logs and points in the vault have used since are skipped, so that two histories do not bear one name.
 */
import { copyFile, lchown, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Replay } from "../../core/ports/driver.ts";
import { shellWord } from "../../core/text/shell-word.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { isOwnName } from "../../platform/path-names.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { CapturedDetail } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { readControlData } from "./control-data.ts";
import { feedCommand, makeSpool, segmentAfter, startLogFeed } from "./log-feed.ts";
import { lineOf, timelineOf } from "./log-line.ts";
import type { Owner } from "../../platform/folder-server/folder-owner.ts";
import { historyName } from "./timeline-history.ts";

/** Beside the log of the instance; what recovery asks for is copied from here. */
const spoolName = "refloat-recovery";

/** The newest timeline that a cluster has been on; null where there is none that could be asked. */
const usedTimeline = async (context: ClusterContext, folder: string): Promise<number | null> => {
  if (!(await pathExists(join(folder, "PG_VERSION")))) return null;
  try {
    return (await readControlData(context, folder)).timeline;
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.warn(`which timeline the cluster in ${folder} is on cannot be told: ${String(error)}`);
    return null;
  }
};

/** Clusters that other runs have restored or put away, beside the live one. */
const siblingsOf = async (stable: string): Promise<readonly string[]> =>
  (await readdir(dirname(stable)))
    .filter((name) => name.startsWith(`${basename(stable)}.`) && isOwnName(name))
    .map((name) => join(dirname(stable), name));

/**
 * Recovery looks for histories one after the other and takes the first number that has none.
 * @param known timelines of which the vault has a log, or a point
 */
const reserveTimelines = async (
  context: ClusterContext,
  stable: string,
  spool: string,
  captured: number,
  known: readonly number[],
): Promise<void> => {
  const clusters = [stable, ...(await siblingsOf(stable))];
  let newest = Math.max(captured, ...known);
  for (const folder of clusters) newest = Math.max(newest, (await usedTimeline(context, folder)) ?? captured);
  for (let timeline = captured + 1; timeline <= newest; timeline += 1) {
    const reserved = join(spool, "histories", historyName(timeline));
    await writeFile(reserved, `${captured}\t0/0\tused by a cluster that went on from the same point\n`);
    const own = join(stable, "pg_wal", historyName(timeline));
    if (await pathExists(own)) await copyFile(own, reserved);
  }
};

export type Recovery = {
  /** For the first start, which waits for no disk: whoever stops the server has to. */
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
  /** `stable` is null for a server that nobody will go on with: its timeline may be named like any other. */
  places: { readonly stable: string | null; readonly folder: string; readonly owner: Owner },
  detail: CapturedDetail,
  replay: Replay | null,
  /** Of whatever the vault has of this component. */
  knownLines: readonly string[],
): Promise<Recovery> => {
  const { stable, folder, owner } = places;
  const spool = join(folder, spoolName);
  await makeSpool(spool, owner);
  if (stable !== null) {
    const lines = [...knownLines, ...(replay?.logs.spans ?? []).map(({ line }) => line)];
    const known = lines.map((line) => timelineOf(line, detail.systemIdentifier) ?? 0);
    await reserveTimelines(context, stable, spool, detail.timeline, known);
  }
  await writeFile(join(folder, "recovery.signal"), "", { mode: 0o600 });
  if (process.getuid?.() === 0) await lchown(join(folder, "recovery.signal"), owner.uid, owner.gid);
  const common = {
    restore_command: feedCommand(spool, shellWord),
    recovery_target_timeline: "current",
    recovery_target_action: "promote",
    // Each file of the log would be waited for, and it all has to be done again after a power failure anyhow: the caller waits once, at the end.
    fsync: "off",
  };
  // Exactly the end of the backup: what its last log file holds beyond it is of no point.
  if (replay === null) return { settings: { ...common, recovery_target: "immediate" }, end: async () => undefined };
  refuseOtherLine(replay, detail);
  const feed = await startLogFeed(spool, {
    owner,
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
