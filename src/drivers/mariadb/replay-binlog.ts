/**
 * Brings a restored database forward by the binary log: what is for it goes through the stock `mariadb-binlog`, which writes it as SQL, into the stock
 * client. Rows are applied as a replica applies them: no trigger fires for them.
 */
import { execa } from "execa";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { Replay } from "../../core/ports/driver.ts";
import { formatAmount } from "../../core/text/quantity.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { drained } from "../../platform/drained.ts";
import { childEnvironment } from "../../platform/subprocess.ts";
import { binlogStartOf, placeWords } from "./binlog-line.ts";
import type { CapturedDetail } from "./captured-detail.ts";
import { findProgram } from "./client-programs.ts";
import { loadSql } from "./load-table.ts";
import type { Replayed } from "./marker-table.ts";
import { programEnvironment } from "./option-file.ts";
import { type BinlogRange, type ReplayTally, emptyTally, sealCheck } from "./binlog-walk.ts";
import { type ReplayRange, replayEvents } from "./replay-events.ts";
import { serverError } from "./server-errors.ts";
import { type SqlAccess, runSql, textOf } from "./sql-client.ts";

/** @throws RefloatError source.unsupported for a point that cannot be rolled forward */
export const replayRange = (
  captured: CapturedComponent,
  detail: CapturedDetail,
  target: string,
  { logs, line, to }: Replay,
): ReplayRange => {
  const start = binlogStartOf(captured, [line]);
  if (start === null || detail.binlog === null)
    throw new RefloatError("source.unsupported", `the point of ${captured.name} has no place in a binary log`);
  return {
    logs,
    line,
    from: start.from,
    to,
    source: detail.database,
    target,
    ignoresCase: detail.lowerCaseNames !== 0,
    gtid: detail.binlog.gtid,
  };
};

/** Goes through all of it and applies nothing. @throws RefloatError source.unsupported, log.diverged, log.gap, vault.damaged */
export const rehearseReplay = async (range: ReplayRange, signal: AbortSignal): Promise<ReplayTally> => {
  const tally = emptyTally();
  for await (const _bytes of replayEvents(range, tally)) signal.throwIfAborted();
  return tally;
};

/** @throws RefloatError target.failed */
export const refuseTriggers = async (access: SqlAccess): Promise<void> => {
  const [rows = []] = await runSql(access, "SELECT @@slave_run_triggers_for_rbr AS run;");
  const run = textOf(rows[0], "run");
  if (run === "NO") return;
  throw new RefloatError(
    "target.failed",
    `the server fires triggers for rows that are replayed: they would act twice`,
    {
      hint: `slave_run_triggers_for_rbr is ${run}: SET GLOBAL slave_run_triggers_for_rbr = 'NO'; while it is recovered`,
    },
  );
};

/** @throws RefloatError target.failed with the server's words; then the database is not whole */
export const applyReplay = async (access: SqlAccess, range: ReplayRange): Promise<ReplayTally> => {
  const tally = emptyTally();
  await applyBinlog(access, range.target, replayEvents(range, tally));
  return tally;
};

/**
 * @param database that the client begins in; null for none
 * @param events a binary log as `BinlogWalk` makes it
 * @throws RefloatError target.failed with the server's words; what `events` throws
 */
export const applyBinlog = async (access: SqlAccess, database: string | null, events: ByteStream): Promise<void> => {
  const { marker, signal, target, role } = access;
  const program = await findProgram("mariadb-binlog");
  const stopping = new AbortController();
  const child = execa(program, ["--no-defaults", "-"], {
    cancelSignal: AbortSignal.any([signal, stopping.signal]),
    env: childEnvironment({ environment: programEnvironment(), cleanEnvironment: true, marker }),
    extendEnv: false,
    stdin: "pipe",
    buffer: { stdout: false, stderr: true },
  });
  // Node lets flow, into nothing, what nobody has asked for when a child ends: so somebody asks from the first.
  child.stdout.on("readable", () => undefined);
  const ended = child.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  // EPIPE: it has ended, and says why itself.
  child.stdin.on("error", () => undefined);
  const feed = async (): Promise<void> => {
    try {
      for await (const bytes of events) {
        signal.throwIfAborted();
        if (child.stdin.destroyed) break;
        if (!child.stdin.write(bytes)) await drained(child.stdin);
      }
      child.stdin.end();
    } catch (error) {
      // The end of its input would be taken for the end of the log.
      stopping.abort(error);
      throw error;
    }
  };
  const feeding = feed();
  feeding.catch(() => undefined);
  async function* statements() {
    yield* child.stdout as AsyncIterable<Buffer>;
    await feeding;
    const failure = await ended;
    if (failure !== null) throw serverError("mariadb-binlog", failure.error, target, role);
    yield Buffer.from(sealCheck);
  }
  try {
    await loadSql(access, database, statements());
  } catch (error) {
    stopping.abort(error);
    // Where the client did not come to read of it, its output is waited for else, for ever.
    child.stdout.destroy();
    await ended;
    // What the vault said is why the client was given no more.
    await feeding;
    throw error;
  }
};

export const replayedOf = ({ tables, statements }: ReplayTally): Replayed => ({
  tables: [...tables].toSorted(),
  statements,
});

export const describeReplay = (
  { line, to }: Pick<BinlogRange, "line" | "to">,
  { transactions, statements, gtid }: ReplayTally,
): string =>
  [
    `then its log to ${placeWords(line, to)}${gtid === null ? "" : ` (${gtid})`}: ${formatAmount(transactions, "transactions")}`,
    ...(statements === 0 ? [] : [formatAmount(statements, "changes of definitions")]),
  ].join(", ");
