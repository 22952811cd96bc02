/**
 * Makes pieces of what a receiver gets of one line of a log, and has them stored one after the other while it goes on receiving. Holds at most one
 * piece that is being stored and one that is being filled. When a piece may be cut, the receiver knows; how it gets the bytes, too.
 */
import type { LogSpan } from "../../model/log-span.ts";
import type { LogReceiving } from "../ports/logs.ts";
import { LogMoments } from "./log-moments.ts";
import { bytesBefore, positionAfter } from "./log-position.ts";

/** Larger ones are made only of what cannot be cut, and of what came while the one before it was stored. */
const pieceBytes = 16 * 1024 * 1024;
/** So often is said that the source wrote nothing. */
const quietMs = 60_000;

export type PieceWriting = Pick<LogReceiving, "append" | "everyMs" | "report"> & {
  readonly of: Pick<LogSpan, "service" | "component" | "driver">;
  readonly line: string;
  /** Where the first piece begins, and when the log ended there; null where nobody looked. */
  readonly from: string;
  readonly atMs: number | null;
  /** For the first piece of a line. */
  readonly history: string | null;
  readonly monotonicMs: () => number;
  /** How many bytes the source has behind a position. */
  readonly behindBytes: (position: bigint) => number;
  readonly onDurable: (position: bigint) => void;
  /** A piece could not be stored: whoever reads from the source is to stop. The reason is thrown by the next call. */
  readonly onFailure: () => void;
};

export class PieceWriter {
  readonly moments: LogMoments;
  /** By the source's clock, when it last said anything; 0 before. */
  sourceMs = 0;
  readonly #writing: PieceWriting;
  #history: string | null;
  /** Where the piece that is being filled begins, and its bytes. */
  #from: bigint;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** What is known of the piece's begin. */
  #fromMs: number | null;
  #begunMs: number;
  #durable: bigint;
  #storing: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(writing: PieceWriting) {
    this.#writing = writing;
    this.#history = writing.history;
    this.#from = bytesBefore(writing.from);
    this.#durable = this.#from;
    this.#fromMs = writing.atMs;
    this.#begunMs = writing.monotonicMs();
    this.moments = new LogMoments(this.#from, writing.atMs);
  }

  /** Behind the last byte that was added. */
  get received(): bigint {
    return this.#from + BigInt(this.#bytes);
  }

  get durable(): bigint {
    return this.#durable;
  }

  /** A piece is being stored: `cut` waits for it, and ends the next one wherever what was added ends by then. */
  get isStoring(): boolean {
    return this.#storing !== null;
  }

  add(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
  }

  /** Whether it is time for a piece, as far as one can be stored now. @param isCaughtUp all that the source has was received */
  isDue(isCaughtUp: boolean): boolean {
    if (this.#bytes >= pieceBytes) return true;
    // While one is being stored the next one grows: a slow vault gets fewer and larger pieces.
    if (this.#storing !== null) return false;
    if (this.#bytes > 0) return this.#writing.monotonicMs() - this.#begunMs >= this.#writing.everyMs;
    return isCaughtUp && this.sourceMs - (this.#fromMs ?? 0) >= quietMs;
  }

  /** @throws what kept a piece from being stored */
  refuseFailed(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  /** All that was added is durable when it resolves. */
  async flush(): Promise<void> {
    if (this.#bytes > 0) await this.cut();
    await this.#storing;
    this.refuseFailed();
  }

  /** @param next where the next piece begins, when that is not where this one's bytes end */
  async cut(next?: bigint): Promise<void> {
    while (this.#storing !== null) await this.#storing;
    if (this.#failure !== null) return;
    const to = next ?? this.received;
    const [from, content] = [this.#from, Buffer.concat(this.#chunks)];
    if (this.moments.last === null) this.moments.add({ end: this.received, atMs: this.sourceMs });
    const toMs = this.moments.last?.atMs ?? this.sourceMs;
    const moments = this.moments.take(to);
    const fromAt = this.#fromMs === null ? moments[0]?.at : new Date(this.#fromMs).toISOString();
    const toAt = new Date(toMs).toISOString();
    const history = this.#history;
    const piece = {
      ...this.#writing.of,
      line: this.#writing.line,
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
    this.#begunMs = this.#writing.monotonicMs();
    this.#storing = this.#store(piece, content, to, toMs);
  }

  async #store(piece: Parameters<LogReceiving["append"]>[0], content: Buffer, to: bigint, toMs: number): Promise<void> {
    const { append, report, behindBytes, onDurable, onFailure } = this.#writing;
    try {
      await append(piece, content);
      this.#durable = to;
      onDurable(to);
      report({
        type: "durable",
        position: piece.to,
        at: piece.toAt,
        lagMs: Math.max(0, this.sourceMs - toMs),
        behindBytes: behindBytes(to),
      });
    } catch (error) {
      this.#failure = { error };
      onFailure();
    } finally {
      this.#storing = null;
    }
  }
}
