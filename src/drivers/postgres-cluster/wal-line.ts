/**
 * Receives one timeline: has the stream stored in pieces while it goes on reading, and tells the server what is durable. Holds what the writer of
 * pieces does, and what the connection has read ahead.
 */
import type { LogReceiving } from "../../core/ports/logs.ts";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import { PieceWriter } from "../../core/logs/piece-writer.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { lineOf } from "./log-line.ts";
import { WalScanner } from "./wal-scanner.ts";
import type { NextTimeline, WalConnection, WalMessage } from "./wal-stream.ts";

/** What is known of the server's time is as old as this. */
const mostBetweenAsksMs = 500;

export type WalPlace = {
  readonly timeline: number;
  readonly from: string;
  /** When the WAL ended at `from`; null where nobody looked. */
  readonly atMs: number | null;
  /** For the first piece of a line. */
  readonly history: string | null;
};

export type LineRequest = Pick<LogReceiving, "append" | "everyMs" | "report"> & {
  readonly of: Pick<LogSpan, "service" | "component" | "driver">;
  readonly slot: string;
  readonly monotonicMs: () => number;
  readonly signal: AbortSignal;
};

export const receiveLine = async (
  connection: WalConnection,
  place: WalPlace,
  request: LineRequest,
): Promise<NextTimeline | null> => {
  const line = new LineReceiver(connection, place, request);
  const ask = setInterval(() => line.ask(), Math.max(50, Math.min(mostBetweenAsksMs, request.everyMs / 2)));
  const stop = (): void => connection.stop();
  request.signal.addEventListener("abort", stop, { once: true });
  if (request.signal.aborted) stop();
  try {
    const stream = connection.stream({ slot: request.slot, from: line.scansFrom, timeline: place.timeline });
    try {
      for (;;) {
        const { done, value } = await stream.next();
        if (done === true) {
          await line.flush();
          return value;
        }
        await line.take(value);
      }
    } catch (error) {
      // What has come is worth keeping, whatever became of the connection.
      await line.flush();
      throw error;
    } finally {
      await stream.return(null);
    }
  } finally {
    clearInterval(ask);
    request.signal.removeEventListener("abort", stop);
  }
};

class LineReceiver {
  readonly #connection: WalConnection;
  readonly #writer: PieceWriter;
  /** Begin of the page that the place lies in: where records begin, only the header of a page says. What lies before the place is held already. */
  readonly scansFrom: string;
  readonly #scanner: WalScanner;
  #serverEnd: bigint;

  constructor(connection: WalConnection, place: WalPlace, request: LineRequest) {
    this.#connection = connection;
    const { append, everyMs, report, of, monotonicMs } = request;
    const from = bytesBefore(place.from);
    this.#serverEnd = from;
    this.#writer = new PieceWriter({
      append,
      everyMs,
      report,
      of,
      monotonicMs,
      line: lineOf(connection.identity.system, place.timeline),
      from: place.from,
      atMs: place.atMs,
      history: place.history,
      behindBytes: (position) => Number(this.#serverEnd - position),
      onDurable: (position) => connection.acknowledge(position, false),
      onFailure: () => connection.stop(),
    });
    const page = from - (from % BigInt(connection.pageBytes));
    this.scansFrom = positionAfter(page);
    this.#scanner = new WalScanner(page, connection.pageBytes, (commit) => {
      if (commit.end > from) this.#writer.moments.add(commit);
    });
  }

  /** The server answers with its end and its time, so that a quiet one is known to be quiet. */
  ask(): void {
    this.#connection.acknowledge(this.#writer.durable, true);
  }

  async take({ from, bytes, end, atMs }: WalMessage): Promise<void> {
    const writer = this.#writer;
    if (bytes.length > 0) {
      this.#scanner.push(bytes);
      const { received } = writer;
      writer.add(bytes.subarray(from < received ? Number(received - from) : 0));
    }
    // One without bytes says how far the server has sent, not how far it has written.
    if (end > this.#serverEnd) this.#serverEnd = end;
    const isCaughtUp = writer.received >= this.#serverEnd;
    // The server looked at its end after it had sent the message before; how long before it sent this one, nobody knows.
    if (isCaughtUp && writer.sourceMs > 0) writer.moments.add({ end: writer.received, atMs: writer.sourceMs });
    writer.sourceMs = atMs;
    if (writer.isDue(isCaughtUp)) await writer.cut();
    writer.refuseFailed();
  }

  /** All that was taken is durable when it resolves. */
  flush(): Promise<void> {
    return this.#writer.flush();
  }
}
