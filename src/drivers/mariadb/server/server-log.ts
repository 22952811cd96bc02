/** What a received binary log has of a whole server: everything, as the server wrote it. What cannot be applied with certainty ends it. */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { LogReceiving } from "../../../core/ports/logs.ts";
import type { Replay } from "../../../core/ports/driver.ts";
import type { CapturedComponent } from "../../../model/manifest.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import {
  type BinlogEvent,
  type BinlogFormat,
  endsTransaction,
  eventType,
  isQuery,
  plainQuery,
  readGtid,
  readQuery,
} from "../binlog-events.ts";
import { binlogStartOf } from "../binlog-line.ts";
import { encryptedReason, incidentReason } from "../binlog-obstacles.ts";
import { receiveBinlog } from "../binlog-receiver.ts";
import { type BinlogRange, BinlogWalk, type ReplayTally, emptyTally } from "../binlog-walk.ts";
import { preparedReason } from "../binlog-xa.ts";
import { type ServerContext, liveAccessOf } from "./server-options.ts";

/** @returns null for an event that a point can go on beyond */
const obstacleOf = (event: BinlogEvent): string | null => {
  if (event.type === eventType.xaPrepare) return preparedReason;
  if (event.type === eventType.incident) return incidentReason;
  return event.type === eventType.startEncryption ? encryptedReason : null;
};

const obstacleIn = (event: BinlogEvent, format: BinlogFormat): string | null =>
  isQuery(event) && /^\s*XA\b/i.test(readQuery(event, format).sql) ? preparedReason : obstacleOf(event);

/** What a file of a log says of itself, and of the files beside it. The stock client would hold it against what it has been given. */
const ofFiles: ReadonlySet<number> = new Set([
  eventType.stop,
  eventType.rotate,
  eventType.checkpoint,
  eventType.gtidList,
]);

class ServerLog extends BinlogWalk<BinlogRange> {
  /** The transaction that is gone through: whether it is one statement without a commit. Null between two. */
  #open: { readonly isAlone: boolean } | null = null;

  protected override *event(event: BinlogEvent): Generator<Uint8Array> {
    if (ofFiles.has(event.type)) return;
    const reason = obstacleIn(event, this.format);
    if (reason !== null) throw this.refused(reason);
    if (event.type === eventType.gtid) {
      yield* this.abandon();
      const gtid = readGtid(event, this.format);
      this.follow(gtid);
      this.#open = { isAlone: gtid.isAlone };
    }
    yield event.bytes;
    if (this.#open === null) return;
    const query = isQuery(event) ? readQuery(event, this.format) : null;
    if (!endsTransaction(event, query, this.#open.isAlone)) return;
    if (this.#open.isAlone) this.tally.statements += 1;
    else this.tally.transactions += 1;
    this.#open = null;
  }

  /** A server that went down within a transaction has not committed it; nor has a place in the middle of one. */
  protected override *abandon(): Generator<Uint8Array> {
    if (this.#open !== null && !this.#open.isAlone && this.last !== null)
      yield plainQuery(this.last, this.format, "ROLLBACK");
    this.#open = null;
  }
}

/** A binary log of its own, for the stock client. @throws RefloatError source.unsupported, log.diverged, log.gap, vault.damaged */
export const serverLogEvents = (range: BinlogRange, tally: ReplayTally): ByteStream =>
  new ServerLog(range, tally).events();

/** Goes through all of it before anything is made that could not go on. @throws as `serverLogEvents` */
export const rehearseServerLog = async (range: BinlogRange, signal: AbortSignal): Promise<void> => {
  for await (const _bytes of serverLogEvents(range, emptyTally())) signal.throwIfAborted();
};

/** @throws RefloatError source.unsupported for a point that cannot be rolled forward */
export const serverRange = (
  captured: CapturedComponent,
  binlog: { readonly gtid: string } | null,
  { logs, line, to }: Replay,
): BinlogRange => {
  const start = binlogStartOf(captured, [line]);
  if (start === null || binlog === null)
    throw new RefloatError("source.unsupported", `the point of ${captured.name} has no place in a binary log`);
  return { logs, line, from: start.from, to, gtid: binlog.gtid };
};

export const receiveServerLog = (context: ServerContext, request: LogReceiving): Promise<void> =>
  receiveBinlog(context, request, {
    driver: "mariadb-server",
    access: () => liveAccessOf(context, "source"),
    obstacles: () => ({ reasonOf: obstacleIn }),
  });
