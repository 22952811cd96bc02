/**
 * Restores a captured database beside the live one: an empty database that says whose it is, its tables side by side, then its views, routines,
 * triggers and events, the last of which are disabled; then what the binary log has of it up to a moment. The mark that it is whole comes last.
 */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { InstanceOperations, InstanceTarget } from "../../core/ports/driver.ts";
import type { SnapshotReader } from "../../core/ports/vault-snapshots.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type CapturedDetail, capturedDetailSchema } from "./captured-detail.ts";
import { seriesOf } from "./client-programs.ts";
import { createCode, scheduleOf } from "./code-objects.ts";
import { loadSettings, loadSql } from "./load-table.ts";
import { createDatabaseSql, createFilledMarkerSql, creationComment, instanceId, readKeptCode } from "./marker-table.ts";
import { type MariadbContext, type MariadbOptions, jobsOf } from "./mariadb-options.ts";
import {
  applyReplay,
  describeReplay,
  refuseTriggers,
  rehearseReplay,
  replayRange,
  replayedOf,
} from "./replay-binlog.ts";
import { errorNumberOf } from "./server-errors.ts";
import { readServerFacts } from "./server-facts.ts";
import { type SqlAccess, accessOf, runSql } from "./sql-client.ts";

/** For less than this another session takes longer to begin than it saves. */
const bytesWorthWorker = 1_048_576;

const databaseExists = 1007;
/** Unknown character set, unknown collation, a collation of another character set. */
const unknownText = new Set([1115, 1273, 1253]);

/** @throws RefloatError program.version, target.failed: a server that would read the point as something else */
const refuseSkew = async (access: SqlAccess, detail: CapturedDetail, captured: string | undefined): Promise<void> => {
  const server = await readServerFacts(access);
  if (captured !== undefined && seriesOf(server.version) < seriesOf(captured)) {
    throw new RefloatError("program.version", `the point is of MariaDB ${captured}, the server is ${server.version}`, {
      hint: "an older server may not know what a newer one wrote: restore to one that is not older",
    });
  }
  if ((server.lowerCaseNames === 0) !== (detail.lowerCaseNames === 0)) {
    throw new RefloatError(
      "target.failed",
      "the server tells names of tables apart by case, the point's did not, or the other way",
      {
        hint: `set lower_case_table_names = ${detail.lowerCaseNames}, as it was where the point was taken`,
      },
    );
  }
};

const createDatabase = async (access: SqlAccess, target: InstanceTarget, detail: CapturedDetail): Promise<void> => {
  try {
    await runSql(access, createDatabaseSql(target.name, detail.charset, detail.collation, creationComment(target)));
  } catch (error) {
    const number = errorNumberOf(error);
    if (number === databaseExists)
      throw new RefloatError("instance.exists", `there is a database "${target.name}" already`, { cause: error });
    if (number === null || !unknownText.has(number)) throw error;
    const what = `${detail.collation} of ${detail.charset}`;
    throw new RefloatError("target.failed", `the server knows no collation ${what}`, {
      cause: error,
      hint: "restore to a server of the version that the point was taken from, or a newer one",
    });
  }
};

const loadTables = async (
  context: MariadbContext,
  access: SqlAccess,
  target: InstanceTarget,
  source: SnapshotReader,
  captured: CapturedComponent,
  detail: CapturedDetail,
): Promise<void> => {
  const tables = Object.entries(detail.tables);
  const done = { bytes: 0, items: 0 };
  const report = (bytes: number, items: number): void => {
    done.bytes += bytes;
    done.items += items;
    const bytesTotal = Math.max(captured.facts.sizeBytes, done.bytes);
    context.progress({
      bytesDone: done.bytes,
      bytesTotal,
      itemsDone: done.items,
      itemsTotal: tables.length,
      unit: "tables",
    });
  };
  const sizeOf = (name: string): number => captured.facts.units[name]?.sizeBytes ?? 0;
  const isSequence = ([, { kind }]: (typeof tables)[number]): boolean => kind === "sequence";
  // The largest table first.
  const left = tables.filter((one) => !isSequence(one)).toSorted(([a], [b]) => sizeOf(b) - sizeOf(a));
  async function* statements(some: typeof tables): ByteStream {
    yield Buffer.from(loadSettings);
    for (let next = some.shift(); next !== undefined; next = some.shift()) {
      for await (const chunk of source.stream(`${captured.path}/${next[1].file}`)) {
        report(chunk.length, 0);
        yield chunk;
      }
      report(0, 1);
    }
  }
  // A table's default may ask a sequence.
  const sequences = tables.filter(isSequence);
  if (sequences.length > 0) await loadSql(access, target.name, statements(sequences));
  const stopping = new AbortController();
  const signal = AbortSignal.any([context.signal, stopping.signal]);
  const load = async (): Promise<void> => {
    try {
      await loadSql({ ...access, signal }, target.name, statements(left));
    } catch (error) {
      // The others stop as well, and say so; this is why.
      stopping.abort(error);
    }
  };
  const workers = Math.min(jobsOf(context), left.length, Math.ceil(captured.facts.sizeBytes / bytesWorthWorker));
  await Promise.all(Array.from({ length: workers }, load));
  context.signal.throwIfAborted();
  if (stopping.signal.aborted) throw stopping.signal.reason;
};

export const restoreMariadb: InstanceOperations<MariadbOptions>["restore"] = async (
  context,
  target,
  source,
  captured,
  replay,
) => {
  const access = await accessOf(context, "target");
  const detail = capturedDetailSchema.parse(captured.facts.detail);
  await refuseSkew(access, detail, captured.facts.versions["server"]);
  const range = replay === undefined ? null : replayRange(captured, detail, target.name, replay);
  if (range !== null) {
    await refuseTriggers(access);
    await rehearseReplay(range, context.signal);
  }
  await createDatabase(access, target, detail);
  await loadTables(context, access, target, source, captured, detail);
  const code = readKeptCode(Buffer.from(await source.read(`${captured.path}/code.json`)).toString("utf8"));
  await createCode(access, code, target.name);
  const replayed = range === null ? null : { range, tally: await applyReplay(access, range) };
  const id = instanceId(target);
  const off = detail.armedEvents.map((name) => ({ name, schedule: scheduleOf(code, name) }));
  await runSql(
    access,
    createFilledMarkerSql(target.name, id, target, {
      replayed: replayed === null ? null : replayedOf(replayed.tally),
      off,
    }),
  );
  const { sizeBytes, counts } = captured.facts;
  const disarmed = detail.armedEvents.map(
    (name) => `the event ${name} is off, and stays so after the switch until refloat rearm`,
  );
  return {
    sizeBytes,
    summary: [
      `${formatAmount(counts["tables"] ?? 0, "tables")}, ${formatAmount(counts["rows"] ?? 0, "rows")}`,
      ...(replayed === null ? [] : [describeReplay(replayed.range, replayed.tally)]),
    ].join("; "),
    warnings: [...disarmed, ...(replayed?.tally.warnings ?? [])],
  };
};
