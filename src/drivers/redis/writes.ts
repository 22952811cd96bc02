/**
 * What was written to a server since a position. Redis keeps no record of which keys were written: keys are counted by database, its replication log
 * tells how much was written, and where it keeps none, whether anything was.
 */
import { untoldWhenDown } from "../../core/components/untold-when-down.ts";
import { join } from "node:path";
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import { formatBytes } from "../../core/text/quantity.ts";
import type { Position } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { createReadStream } from "node:fs";
import { pathExists } from "../../platform/tree-files.ts";
import { type PositionMark, positionMarkSchema, rdbName } from "./captured-detail.ts";
import { type RedisTarget, resolveTarget } from "./connection-target.ts";
import { instanceTarget, readInstanceRecord, startInstance } from "./instance-server.ts";
import { redisStart } from "./live-server.ts";
import { appendOnlyPlace } from "./append-only-files.ts";
import { scanRdb } from "./rdb-scan.ts";
import { type RedisContext, type RedisOptions, dataPathOf } from "./redis-options.ts";
import { withRedis } from "./redis-session.ts";
import { type ServerInfo, keyCountsIn, numberIn, readInfo } from "./server-facts.ts";

const makePosition = (takenAt: Date, mark: PositionMark): Position => ({
  takenAt: takenAt.toISOString(),
  mark: toJsonObject(mark),
});

/** A server that was started again may have saved what was written before: only the first one behind the name is known. */
const continuedBy = async (context: RedisContext, info: ServerInfo): Promise<string | null> => {
  const continues = (await redisStart.recall(await dataPathOf(context)))?.continues ?? null;
  const isFresh = info.get("rdb_changes_since_last_save") === "0" && info.get("rdb_saves") === "0";
  return isFresh && continues !== null && continues.runId === info.get("run_id") ? continues.from : null;
};

const runningMark = (context: RedisContext, target: RedisTarget): Promise<PositionMark> =>
  withRedis({ target, signal: context.signal }, async (session) => {
    const info = await readInfo(session, "server", "replication", "persistence", "keyspace");
    const keeps = info.get("repl_backlog_active") === "1";
    return {
      runId: info.get("run_id") ?? null,
      replicationId: keeps ? (info.get("master_replid") ?? null) : null,
      offset: keeps ? numberIn(info, "master_repl_offset") : null,
      keys: Object.fromEntries(Object.entries(keyCountsIn(info)).map(([name, { keys }]) => [name, keys])),
      savedAt: numberIn(info, "rdb_last_save_time"),
      changes: numberIn(info, "rdb_changes_since_last_save"),
      continues: await continuedBy(context, info),
    };
  });

const unknownMark: PositionMark = {
  runId: null,
  replicationId: null,
  offset: null,
  keys: null,
  savedAt: null,
  changes: null,
  continues: null,
};

/** Of a folder on which no server runs: by the file that its server wrote as it was shut down. With an append-only file that one is newer. */
export const stoppedMark = async (context: RedisContext, folder: string): Promise<PositionMark> => {
  const remembered = await redisStart.recall(await dataPathOf(context));
  // Its file is of the last save, and says nothing of what came then.
  if (remembered?.died === true) return unknownMark;
  const path = join(folder, remembered?.settings.dbfilename ?? rdbName);
  const isAppendOnly =
    remembered !== null && (await pathExists(appendOnlyPlace(folder, remembered.settings, remembered.version)));
  if ((isAppendOnly && context.options.stop !== undefined) || !(await pathExists(path))) return unknownMark;
  const scan = scanRdb();
  for await (const chunk of createReadStream(path)) scan.add(chunk as Buffer);
  const { notes, counts } = scan.end();
  return {
    ...unknownMark,
    replicationId: notes["repl-id"] ?? null,
    offset: notes["repl-offset"] === undefined ? null : Number(notes["repl-offset"]),
    keys: counts === null ? null : Object.fromEntries(Object.entries(counts).map(([name, { keys }]) => [name, keys])),
  };
};

const markAt = async (context: RedisContext, location: string | null): Promise<PositionMark> => {
  const stable = await dataPathOf(context);
  if (location === null || location === stable) return runningMark(context, await resolveTarget(context));
  if ((await readInstanceRecord(location)) !== null) {
    await startInstance(context, location);
    return runningMark(context, await instanceTarget(context, location));
  }
  if (await pathExists(location)) return stoppedMark(context, location);
  throw new RefloatError("source.failed", `${location} is not there`);
};

type Compared = Pick<WriteReport, "units" | "gaps"> & { readonly logBytes: number | null };

const compareKeys = (then: PositionMark, now: PositionMark): WriteReport["units"] =>
  then.keys === null || now.keys === null
    ? []
    : [...new Set([...Object.keys(then.keys), ...Object.keys(now.keys)])].flatMap((name) => {
        const more = (now.keys?.[name] ?? 0) - (then.keys?.[name] ?? 0);
        return more === 0
          ? []
          : [{ name, added: Math.max(0, more), changed: 0, removed: Math.max(0, -more), counted: "keys" as const }];
      });

const isSameLife = (then: PositionMark, now: PositionMark): boolean => then.runId !== null && then.runId === now.runId;

/** Is it proven that nothing was written? */
const isUntouched = (then: PositionMark, now: PositionMark): boolean => {
  if (then.replicationId !== null && then.replicationId === now.replicationId) return then.offset === now.offset;
  if (then.runId !== null && then.runId === now.continues) return compareKeys(then, now).length === 0;
  return isSameLife(then, now) && then.changes !== null && then.savedAt === now.savedAt && then.changes === now.changes;
};

export const compareMarks = (then: PositionMark, now: PositionMark): Compared => {
  const isOneLog = then.replicationId !== null && then.replicationId === now.replicationId;
  const logBytes = isOneLog ? Math.max(0, (now.offset ?? 0) - (then.offset ?? 0)) : null;
  if (isUntouched(then, now)) return { units: [], gaps: [], logBytes };
  const much =
    logBytes === null
      ? "how much was written is not known, since the server keeps no log of it from then to now"
      : `${formatBytes(logBytes)} of commands were written`;
  const units = compareKeys(then, now);
  const counted =
    then.keys === null || now.keys === null
      ? "keys cannot be counted here"
      : "keys are counted, and which they are, or which values changed, is not told";
  return { units, gaps: [`${counted}; ${much}`], logBytes };
};

const readMark = (position: Position): PositionMark => positionMarkSchema.parse(position.mark);

export const redisWrites: WriteLedger<RedisOptions> = {
  position: async (context, location) => {
    const takenAt = context.clock.now();
    return makePosition(takenAt, await markAt(context, location));
  },

  writesSince: async (context, { location, since }) => {
    const { units, gaps } = compareMarks(readMark(since), await markAt(context, location));
    return { lastWriteAt: null, units, gaps };
  },

  estimateSince: (context, since) =>
    untoldWhenDown(context.signal, async () => {
      const { units, gaps, logBytes } = compareMarks(readMark(since), await markAt(context, null));
      if (gaps.length === 0) return { about: "nothing", lastWriteAt: null };
      const added = units.reduce((sum, unit) => sum + unit.added, 0);
      const removed = units.reduce((sum, unit) => sum + unit.removed, 0);
      const log = logBytes === null ? "" : `, ${formatBytes(logBytes)} of commands`;
      return {
        about: `${added.toLocaleString("en-US")} more and ${removed.toLocaleString("en-US")} fewer keys by database, and changed values that nobody counts${log}`,
        lastWriteAt: null,
      };
    }),
};

export const stoppedPosition = async (context: RedisContext, folder: string): Promise<Position> =>
  makePosition(context.clock.now(), await stoppedMark(context, folder));
