/**
 * A command whose answer is a COPY stream of many messages, each with a kind of its own in its first byte, with results before and after
 * it: BASE_BACKUP. Stands between the socket and pg: what is no copied data is passed on to pg as it is, so that errors, notices and rows
 * are read by it; copied data is handed out without being copied. The socket is paused while nobody takes it.
 *
 * Source of the format: PostgreSQL's documentation, "Streaming Replication Protocol", BASE_BACKUP, and "Message Formats".
 */
import type { Socket } from "node:net";
import type { Connection, Submittable } from "pg";
import { releaseMemory } from "../release-memory.ts";

/**
 * A message of the streamed kind comes in pieces, as they arrive, valid until the next frame is asked for: a server sends gigabytes, and what
 * the socket has read into is given back at once. Every other message comes whole.
 */
export type CopyFrame = { readonly kind: string; readonly bytes: Buffer };

/** Rows of one result, as text. */
export type CopyResult = readonly (readonly (string | null)[])[];

const copyData = 0x64;
const readyForQuery = 0x5a;
const headBytes = 5;
/** What may wait here for its taker before the socket is paused. */
const waitingBytes = 4 * 1_048_576;

/** `done`: what was read from the socket, of which this is the last frame. */
type Queued = { readonly frame: CopyFrame; done: Buffer | null };

type DataRow = { readonly fields: readonly (string | null)[] };

/** @param streamed the kind whose messages are handed out in pieces */
export class CopyOutFrames implements Submittable {
  readonly #text: string;
  readonly #streamed: string;
  readonly #results: (string | null)[][][] = [];
  readonly #head = Buffer.alloc(headBytes);
  #headFilled = 0;
  /** Bytes of the present message that have not come yet. */
  #left = 0;
  #type = 0;
  /** Kind of the present copied message; null while its first byte has not come. */
  #kind: string | null = null;
  #gathered: Buffer[] = [];
  #socket: Socket | null = null;
  #pass: (bytes: Buffer) => void = () => undefined;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #ended = false;
  #failure: unknown = null;
  #wake: () => void = () => undefined;

  constructor(text: string, streamed: string) {
    this.#text = text;
    this.#streamed = streamed;
  }

  /** Those that came so far, in order. Complete when `frames` has ended. */
  get results(): readonly CopyResult[] {
    return this.#results;
  }

  /** Ends when the server has ended the command well. @throws what pg says of a failure */
  async *frames(): AsyncGenerator<CopyFrame> {
    for (;;) {
      const queue = this.#queue;
      this.#queue = [];
      this.#queuedBytes = 0;
      if (this.#socket?.isPaused() === true) this.#socket.resume();
      for (const { frame, done } of queue) {
        if (this.#failure !== null) break;
        yield frame;
        if (done !== null) releaseMemory(done);
      }
      if (this.#failure !== null) throw this.#failure;
      if (this.#queue.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  submit(connection: Connection): void {
    const socket = connection.stream as Socket;
    const [pass] = socket.listeners("data") as ((bytes: Buffer) => void)[];
    if (pass === undefined) throw new Error("the connection has no reader");
    socket.removeListener("data", pass);
    socket.on("data", this.#take);
    this.#socket = socket;
    this.#pass = pass;
    connection.query(this.#text);
  }

  handleRowDescription(): void {
    this.#results.push([]);
  }

  handleDataRow({ fields }: DataRow): void {
    this.#results.at(-1)?.push([...fields]);
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.#end();
  }

  handleError(error: unknown): void {
    this.#failure ??= error;
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    // Nobody takes any more, and pg has to read on to the end of the command.
    if (this.#failure !== null) this.#socket?.resume();
    this.#wake();
  }

  readonly #take = (chunk: Buffer): void => {
    let at = 0;
    let isKept = false;
    while (at < chunk.length) {
      if (this.#left === 0) {
        const part = chunk.subarray(at, at + headBytes - this.#headFilled);
        part.copy(this.#head, this.#headFilled);
        this.#headFilled += part.length;
        at += part.length;
        if (this.#headFilled < headBytes) break;
        this.#beginMessage();
        continue;
      }
      const part = chunk.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      if (this.#type === copyData) isKept = this.#takeCopied(part) || isKept;
      else {
        isKept = true;
        this.#pass(part);
      }
      if (this.#left === 0 && this.#type === readyForQuery) {
        this.#detach(chunk.subarray(at));
        return;
      }
    }
    const last = this.#queue.at(-1);
    if (!isKept && last?.frame.bytes.buffer === chunk.buffer) last.done = chunk;
    if (this.#queuedBytes > waitingBytes && this.#failure === null) this.#socket?.pause();
  };

  #beginMessage(): void {
    this.#headFilled = 0;
    this.#type = this.#head[0] ?? 0;
    this.#left = this.#head.readInt32BE(1) - 4;
    this.#kind = null;
    // pg keeps what it is given until the message is whole.
    if (this.#type !== copyData) this.#pass(Buffer.from(this.#head));
  }

  /** @returns true when the part itself is held for longer than its frame */
  #takeCopied(part: Buffer): boolean {
    let bytes = part;
    if (this.#kind === null) {
      this.#kind = String.fromCodePoint(part[0] ?? 0);
      bytes = part.subarray(1);
    }
    if (this.#kind === this.#streamed) {
      if (bytes.length > 0) this.#put({ kind: this.#kind, bytes });
      return false;
    }
    this.#gathered.push(bytes);
    if (this.#left === 0) {
      this.#put({ kind: this.#kind, bytes: Buffer.concat(this.#gathered) });
      this.#gathered = [];
    }
    return true;
  }

  #put(frame: CopyFrame): void {
    if (this.#failure !== null) return;
    this.#queue.push({ frame, done: null });
    this.#queuedBytes += frame.bytes.length;
    this.#wake();
  }

  #detach(rest: Buffer): void {
    this.#socket?.removeListener("data", this.#take);
    this.#socket?.on("data", this.#pass);
    if (rest.length > 0) this.#pass(rest);
    this.#socket?.resume();
  }
}
