/**
 * Receives one timeline: cuts the stream into pieces, has them stored one after the other while it goes on reading, and tells the server what is
 * durable. Holds at most one piece that is being stored, one that is being filled, and what the connection has read ahead.
 */
import type { LogReceiving } from "../../core/ports/driver.ts";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { LogMoments } from "./log-moments.ts";
import { WalScanner } from "./wal-scanner.ts";
import type { NextTimeline, WalConnection, WalMessage } from "./wal-stream.ts";

/** As large as a segment. */
const pieceBytes = 16 * 1024 * 1024;
/** What is known of the server's time is as old as this. */
const mostBetweenAsksMs = 500;
/** So often is said that the source wrote nothing. */
const quietMs = 60_000;

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
  readonly #request: LineRequest;
  readonly #line: string;
  /** Begin of the page that the place lies in: where records begin, only the header of a page says. What lies before the place is held already. */
  readonly scansFrom: string;
  readonly #scanner: WalScanner;
  readonly #moments: LogMoments;
  #history: string | null;
  /** Where the piece that is being filled begins, and its bytes. */
  #from: bigint;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** What is known of the piece's begin. */
  #fromMs: number | null;
  #begunMs: number;
  #durable: bigint;
  #serverEnd: bigint;
  #serverMs = 0;
  #storing: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(connection: WalConnection, place: WalPlace, request: LineRequest) {
    this.#connection = connection;
    this.#request = request;
    this.#line = `${connection.identity.system}/${place.timeline}`;
    this.#from = bytesBefore(place.from);
    this.#durable = this.#from;
    this.#serverEnd = this.#from;
    this.#fromMs = place.atMs;
    this.#history = place.history;
    this.#begunMs = request.monotonicMs();
    this.#moments = new LogMoments(place.atMs === null ? null : { end: this.#from, atMs: place.atMs });
    const page = this.#from - (this.#from % BigInt(connection.pageBytes));
    this.scansFrom = positionAfter(page);
    this.#scanner = new WalScanner(page, connection.pageBytes, (commit) => {
      if (commit.end > bytesBefore(place.from)) this.#moments.add(commit);
    });
  }

  /** The server answers with its end and its time, so that a quiet one is known to be quiet. */
  ask(): void {
    this.#connection.acknowledge(this.#durable, true);
  }

  async take({ from, bytes, end, atMs }: WalMessage): Promise<void> {
    if (bytes.length > 0) {
      this.#scanner.push(bytes);
      const held = from < this.#received ? Number(this.#received - from) : 0;
      const added = bytes.subarray(held);
      this.#chunks.push(added);
      this.#bytes += added.length;
    }
    // One without bytes says how far the server has sent, not how far it has written.
    if (end > this.#serverEnd) this.#serverEnd = end;
    const isCaughtUp = this.#received >= this.#serverEnd;
    // The server looked at its end after it had sent the message before; how long before it sent this one, nobody knows.
    if (isCaughtUp && this.#serverMs > 0) this.#moments.add({ end: this.#received, atMs: this.#serverMs });
    this.#serverMs = atMs;
    const isDue = this.#request.monotonicMs() - this.#begunMs >= this.#request.everyMs;
    const isQuiet = this.#bytes === 0 && isCaughtUp && atMs - (this.#fromMs ?? 0) >= quietMs;
    // While one is being stored the next one grows: a slow vault gets fewer and larger pieces.
    const isCut = this.#storing === null && ((this.#bytes > 0 && isDue) || isQuiet);
    if (isCut || this.#bytes >= pieceBytes) await this.#cut();
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** All that was taken is durable when it resolves. */
  async flush(): Promise<void> {
    if (this.#bytes > 0) await this.#cut();
    await this.#storing;
    if (this.#failure !== null) throw this.#failure.error;
  }

  get #received(): bigint {
    return this.#from + BigInt(this.#bytes);
  }

  async #cut(): Promise<void> {
    await this.#storing;
    if (this.#failure !== null) return;
    const [from, to, content] = [this.#from, this.#received, Buffer.concat(this.#chunks)];
    if (this.#moments.last === null) this.#moments.add({ end: to, atMs: this.#serverMs });
    const toMs = this.#moments.last?.atMs ?? this.#serverMs;
    const moments = this.#moments.take(to);
    const fromAt = this.#fromMs === null ? moments[0]?.at : new Date(this.#fromMs).toISOString();
    const toAt = new Date(toMs).toISOString();
    const history = this.#history;
    const piece = {
      ...this.#request.of,
      line: this.#line,
      from: positionAfter(from),
      to: positionAfter(to),
      fromAt: fromAt ?? toAt,
      toAt,
      moments,
      ...(history === null ? {} : { history }),
    };
    this.#from = to;
    this.#fromMs = toMs;
    this.#chunks = [];
    this.#bytes = 0;
    this.#history = null;
    this.#begunMs = this.#request.monotonicMs();
    this.#storing = this.#store(piece, content, to, toMs);
  }

  async #store(piece: Parameters<LogReceiving["append"]>[0], content: Buffer, to: bigint, toMs: number): Promise<void> {
    try {
      await this.#request.append(piece, content);
      this.#durable = to;
      this.#connection.acknowledge(to, false);
      this.#request.report({
        type: "durable",
        position: positionAfter(to),
        at: piece.toAt,
        lagMs: Math.max(0, this.#serverMs - toMs),
        behindBytes: Number(this.#serverEnd - to),
      });
    } catch (error) {
      this.#failure = { error };
      this.#connection.stop();
    } finally {
      this.#storing = null;
    }
  }
}
