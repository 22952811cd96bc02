/**
 * One connection that speaks the protocol itself (Redis' documentation, "RESP"), for values that are too large to be held: what is sent and what a DUMP
 * answers goes by in pieces. Used where order on one connection matters: WATCH, MULTI, EXEC.
 */
import type { Socket } from "node:net";
import { once } from "node:events";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { limitSilence } from "../../platform/silence-limit.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { type RedisTarget, describeAddress } from "./connection-target.ts";
import { replyError } from "./redis-session.ts";
import { openSocket } from "./replication-stream.ts";

export type WireWord = string | Uint8Array | { readonly sizeBytes: number; readonly bytes: ByteStream };

/** An error within an array is an answer, not a failure. */
export class WireError {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type WireReply = string | number | Buffer | null | WireError | readonly WireReply[];

export type RedisWire = {
  /** @throws RefloatError source.denied, source.failed, source.unreachable; the signal's reason when aborted */
  readonly ask: (...words: readonly WireWord[]) => Promise<WireReply>;
  /** Of a command whose answer is one long string: null, or its length and its bytes, which have to be read to their end before anything else is asked. */
  readonly read: (
    ...words: readonly WireWord[]
  ) => Promise<{ readonly sizeBytes: number; readonly bytes: ByteStream } | null>;
};

const silenceMs = 120_000;
const longestLine = 65_536;

type Reader = {
  readonly line: () => Promise<string>;
  readonly exactly: (bytes: number) => ByteStream;
};

const readerOf = (socket: Socket, target: RedisTarget, signal: AbortSignal): Reader => {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const waiting = limitSilence(socket, silenceMs);
  let left: Buffer = Buffer.alloc(0);
  const more = async (): Promise<void> => {
    const broken = (error?: unknown): RefloatError =>
      new RefloatError(
        "source.unreachable",
        `${describeAddress(target)} broke off${error === undefined ? "" : `: ${describeSystemError(error)}`}`,
        { cause: error },
      );
    const next = await waiting(() => chunks.next()).catch((error: unknown) => {
      signal.throwIfAborted();
      throw broken(error);
    });
    signal.throwIfAborted();
    if (next.done === true) throw broken();
    left = left.length === 0 ? next.value : Buffer.concat([left, next.value]);
  };
  return {
    line: async () => {
      let end = left.indexOf("\r\n");
      while (end === -1) {
        if (left.length > longestLine)
          throw new RefloatError("source.failed", `${describeAddress(target)} answers with what is no line`);
        await more();
        end = left.indexOf("\r\n");
      }
      const text = left.subarray(0, end).toString("utf8");
      left = left.subarray(end + 2);
      return text;
    },
    exactly: async function* (bytes) {
      let wanted = bytes;
      while (wanted > 0) {
        if (left.length === 0) await more();
        const piece = left.subarray(0, wanted);
        left = left.subarray(piece.length);
        wanted -= piece.length;
        yield piece;
      }
    },
  };
};

const collect = async (bytes: ByteStream): Promise<Buffer> => {
  const all: Uint8Array[] = [];
  for await (const piece of bytes) all.push(piece);
  return Buffer.concat(all);
};

const readReply = async (reader: Reader): Promise<WireReply> => {
  const line = await reader.line();
  const rest = line.slice(1);
  switch (line[0] ?? "") {
    case "+":
      return rest;
    case "-":
      return new WireError(rest);
    case ":":
      return Number(rest);
    case "$": {
      if (rest === "-1") return null;
      const bytes = await collect(reader.exactly(Number(rest)));
      await collect(reader.exactly(2));
      return bytes;
    }
    case "*": {
      if (rest === "-1") return null;
      const all: WireReply[] = [];
      for (let left = Number(rest); left > 0; left -= 1) all.push(await readReply(reader));
      return all;
    }
    default:
      throw new RefloatError("source.failed", `the server answers with ${JSON.stringify(line.slice(0, 40))}`);
  }
};

/** A command of small words goes in one piece: in several each would wait for the server's acknowledgement of the one before. */
const send = async (socket: Socket, words: readonly WireWord[]): Promise<void> => {
  let ready: Uint8Array[] = [];
  const add = (...parts: readonly (string | Uint8Array)[]): void => {
    for (const part of parts) ready.push(typeof part === "string" ? Buffer.from(part) : part);
  };
  const flush = async (): Promise<void> => {
    const all = Buffer.concat(ready);
    ready = [];
    if (!socket.write(all)) await once(socket, "drain");
  };
  add(`*${words.length}\r\n`);
  for (const word of words) {
    if (typeof word === "string" || word instanceof Uint8Array) {
      add(`$${Buffer.byteLength(word)}\r\n`, word);
    } else {
      add(`$${word.sizeBytes}\r\n`);
      let sent = 0;
      for await (const piece of word.bytes) {
        sent += piece.length;
        add(piece);
        await flush();
      }
      if (sent !== word.sizeBytes) throw new RefloatError("bug", "a value is not as long as it was said to be");
    }
    add("\r\n");
  }
  await flush();
};

/** @throws RefloatError as the wire's `ask`, and whatever `act` throws */
export const withRedisWire = async <Result>(
  { target, signal }: { readonly target: RedisTarget; readonly signal: AbortSignal },
  act: (wire: RedisWire) => Promise<Result>,
): Promise<Result> => {
  const socket = await openSocket(target, signal);
  socket.setNoDelay(true);
  const cut = (): void => void socket.destroy();
  // A server that ends the connection while something is sent is told by what is read.
  socket.on("error", () => undefined);
  signal.addEventListener("abort", cut, { once: true });
  const reader = readerOf(socket, target, signal);
  const say = async (words: readonly WireWord[]): Promise<void> => {
    signal.throwIfAborted();
    await send(socket, words).catch((error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof RefloatError) throw error;
      throw new RefloatError("source.unreachable", `${describeAddress(target)} broke off`, { cause: error });
    });
  };
  const nameOf = ([first]: readonly WireWord[]): string => (typeof first === "string" ? first : "a command");
  const ask: RedisWire["ask"] = async (...words) => {
    await say(words);
    const reply = await readReply(reader);
    if (reply instanceof WireError) throw replyError(target, reply.text, nameOf(words));
    return reply;
  };
  try {
    if (target.password !== null)
      await ask("AUTH", ...(target.user === null ? [] : [target.user]), target.password.reveal());
    return await act({
      ask,
      read: async (...words) => {
        await say(words);
        const line = await reader.line();
        if (line.startsWith("-")) throw replyError(target, line.slice(1), nameOf(words));
        const length = /^\$(-1|\d+)$/.exec(line)?.[1];
        if (length === undefined)
          throw new RefloatError("source.failed", `${describeAddress(target)} answers ${nameOf(words)} with no string`);
        if (length === "-1") return null;
        const bytes = async function* (): ByteStream {
          yield* reader.exactly(Number(length));
          await collect(reader.exactly(2));
        };
        return { sizeBytes: Number(length), bytes: bytes() };
      },
    });
  } finally {
    signal.removeEventListener("abort", cut);
    cut();
  }
};
