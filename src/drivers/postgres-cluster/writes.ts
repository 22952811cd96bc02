/**
 * What was written to a cluster since a position. No table is compared with another: the server's own statistics tell how many rows were
 * written in which database, and the log how much. Which rows they are is not told here.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { nullWhenDown } from "../../core/components/null-when-down.ts";
import type { WriteLedger, WriteReport } from "../../core/ports/driver.ts";
import { formatBytes } from "../../core/text/quantity.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import type { ClusterContext, ClusterOptions } from "./cluster-options.ts";
import { readControlData } from "./control-data.ts";
import { placeOf, withCluster } from "./locations.ts";
import { findPostmaster } from "./postmaster.ts";
import { bytesBefore } from "../../core/logs/log-position.ts";
import { type PositionMark, makePosition, readMark, takeMark } from "./position.ts";

/** Of a cluster that was shut down the end of its log is known, and no count. Of one that crashed only a position before its end is. */
export const stoppedMark = async (context: ClusterContext, folder: string): Promise<PositionMark> => {
  const { systemIdentifier, timeline, position, state } = await readControlData(context, folder);
  return {
    systemIdentifier,
    timeline,
    lsn: position,
    counters: null,
    definitions: null,
    countedSince: null,
    nextTransaction: null,
    firstAfter: null,
    isLogEnd: state === "shut down",
  };
};

type Look = {
  /** Null where neither a server nor the files tell where it stands. */
  readonly mark: PositionMark | null;
  /** What a person is to know of it. */
  readonly gaps: readonly string[];
};

const isLogFile = /^[0-9A-F]{24}$/;

/** When a server that died wrote to its log last, by the times of the files. */
const lastWritten = async (folder: string): Promise<readonly string[]> => {
  const log = join(folder, "pg_wal");
  let newestMs = 0;
  for (const name of await readdir(log).catch(() => [])) {
    const seen = isLogFile.test(name) ? await stat(join(log, name)).catch(() => null) : null;
    newestMs = Math.max(newestMs, seen?.mtimeMs ?? 0);
  }
  return newestMs === 0 ? [] : [`by its files it wrote to its log last at ${new Date(newestMs).toISOString()}`];
};

/** Files that tell nothing are no reason to keep what is whole from taking their place. */
const lookAtFiles = async (context: ClusterContext, folder: string): Promise<Look> => {
  try {
    const mark = await stoppedMark(context, folder);
    return { mark, gaps: mark.isLogEnd ? [] : await lastWritten(folder) };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return {
      mark: null,
      gaps: [...(await lastWritten(folder)), `what was written its files do not tell: ${error.message}`],
    };
  }
};

/** A server that hangs is not one that is down: it may still acknowledge what it has taken. */
const isDown = async (error: unknown, folder: string): Promise<boolean> =>
  error instanceof RefloatError &&
  error.code === "source.unreachable" &&
  sqlStateOf(error) === undefined &&
  (await findPostmaster(folder)) === null;

/** Of a server that has died only its files are left. */
const lookAt = async (context: ClusterContext, location: string | null): Promise<Look> => {
  const place = await placeOf(context, location);
  if (place.kind === "stopped") return lookAtFiles(context, place.folder);
  try {
    return { mark: await withCluster(context, place.target, "source", takeMark), gaps: [] };
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof Error) || !(await isDown(error, place.folder))) throw error;
    const { mark, gaps } = await lookAtFiles(context, place.folder);
    return { mark, gaps: [error.message, ...gaps] };
  }
};

const markAt = async (context: ClusterContext, location: string | null): Promise<PositionMark> => {
  const { mark, gaps } = await lookAt(context, location);
  if (mark === null)
    throw new RefloatError("source.failed", `where the cluster stands cannot be told: ${gaps.join("; ")}`);
  return mark;
};

type Compared = Pick<WriteReport, "units" | "gaps"> & { readonly rows: number | null; readonly logBytes: number };

const compareDefinitions = (then: PositionMark, now: PositionMark): readonly string[] =>
  Object.entries(now.definitions ?? {}).flatMap(([name, changes]) => {
    const before = then.definitions?.[name];
    return before !== undefined && before !== changes ? [`definitions, roles or rights of ${name} were changed`] : [];
  });

const isCountedAnew = (then: PositionMark, now: PositionMark): boolean =>
  Object.entries(now.countedSince ?? {}).some(([name, since]) => {
    const before = then.countedSince?.[name];
    return before !== undefined && before !== since;
  });

/** @returns null when the statistics were begun anew in between */
const compareCounters = (then: PositionMark, now: PositionMark): Omit<Compared, "logBytes"> | null => {
  if (then.counters === null || now.counters === null || isCountedAnew(then, now)) return null;
  const units: WriteReport["units"][number][] = [];
  const gaps: string[] = [];
  for (const [name, counts] of Object.entries(now.counters)) {
    const before = then.counters[name] ?? (name in then.counters ? null : ([0, 0, 0] as const));
    if (counts === null || before === null)
      gaps.push(`how many rows were written in ${name} cannot be told: it could not be asked`);
    else {
      const [added, changed, removed] = counts.map((count, at) => count - (before[at] ?? 0)) as [
        number,
        number,
        number,
      ];
      if (added < 0 || changed < 0 || removed < 0) return null;
      if (added + changed + removed > 0) units.push({ name, added, changed, removed, counted: "rows" });
    }
  }
  for (const name of Object.keys(then.counters)) if (!(name in now.counters)) gaps.push(`the database ${name} is gone`);
  for (const name of Object.keys(now.counters)) if (!(name in then.counters)) gaps.push(`the database ${name} is new`);
  return { units, gaps, rows: units.reduce((sum, unit) => sum + unit.added + unit.changed + unit.removed, 0) };
};

/** Open sessions report their counts late, and some changes are no rows: no count is no proof that nothing was written. */
const compareTransactions = (then: PositionMark, now: PositionMark): readonly string[] => {
  if (then.nextTransaction === null || now.nextTransaction === null)
    return ["whether anything was written beside the rows that were counted is not known"];
  return then.nextTransaction === now.nextTransaction
    ? []
    : ["transactions were made that wrote something of which no rows are counted"];
};

export const compareMarks = (then: PositionMark, now: PositionMark): Compared => {
  const logBytes = Math.max(0, Number(bytesBefore(now.lsn) - bytesBefore(then.lsn)));
  const isLogKnown = then.isLogEnd && now.isLogEnd;
  const written = isLogKnown
    ? `${formatBytes(logBytes)} of log were written`
    : `${logBytes === 0 ? "" : `at least ${formatBytes(logBytes)} of log were written; `}how much log was written is not known, since it was not shut down`;
  if (then.systemIdentifier !== now.systemIdentifier)
    return { units: [], gaps: ["it is another cluster than the one of the position"], rows: null, logBytes };
  const counted = compareCounters(then, now);
  if (counted === null)
    return { units: [], gaps: [`rows cannot be counted for a whole cluster here; ${written}`], rows: null, logBytes };
  const gaps = [...counted.gaps, ...compareDefinitions(then, now)];
  const said =
    counted.units.length > 0
      ? [`which rows they are is not told for a whole cluster; ${written}`]
      : compareTransactions(then, now);
  return { ...counted, gaps: [...gaps, ...said], logBytes };
};

const databasesShown = 3;

export const clusterWrites: WriteLedger<ClusterOptions> = {
  blindOncePutAway: true,
  position: async (context, location) => {
    const takenAt = context.clock.now();
    return makePosition(takenAt, await markAt(context, location));
  },

  writesSince: async (context, { location, since }) => {
    const seen = await lookAt(context, location);
    if (seen.mark === null) return { lastWriteAt: null, units: [], gaps: seen.gaps };
    const { units, gaps } = compareMarks(readMark(since), seen.mark);
    // A log has the times of its transactions; who asks the server alone does not learn them.
    return { lastWriteAt: null, units, gaps: [...seen.gaps, ...gaps] };
  },

  estimateSince: async (context, since) => {
    const now = await nullWhenDown(context.signal, () => lookAt(context, null));
    if (now === null) return null;
    const untold = now.gaps.length === 0 ? {} : { untold: now.gaps.join("; ") };
    if (now.mark === null) return { about: "nobody can tell what", lastWriteAt: null, ...untold };
    const { units, rows, logBytes } = compareMarks(readMark(since), now.mark);
    const log = `${formatBytes(logBytes)} of log`;
    if (!now.mark.isLogEnd)
      return { about: logBytes === 0 ? "nobody can tell what" : `at least ${log}`, lastWriteAt: null, ...untold };
    if (rows === null) return { about: log, lastWriteAt: null };
    if (rows === 0) return { about: `no rows by the server's counts, ${log}`, lastWriteAt: null };
    const named = units
      .toSorted((a, b) => b.added + b.changed + b.removed - (a.added + a.changed + a.removed))
      .slice(0, databasesShown)
      .map(({ name }) => name);
    return {
      about: `about ${rows.toLocaleString("en-US")} rows written in ${named.join(", ")}, ${log}`,
      lastWriteAt: null,
    };
  },
};
