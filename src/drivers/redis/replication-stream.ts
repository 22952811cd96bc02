/**
 * The server's data as a replica gets it: one RDB file of one moment, over a connection of its own. Redis' replication protocol (its
 * documentation, "Replication"; src/replication.c): SYNC is answered with lines that are empty while the server prepares, then with
 * `$LENGTH`, or with `$EOF:` and a mark of forty characters which stands behind the data. Nothing is spooled, and nothing that is written later is asked for.
 *
 * Not by `redis-cli --rdb -`: where it writes to a pipe the mark stays behind the data, and a server that takes the file for the base of an
 * append-only file refuses it.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type Socket, createConnection, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ByteStream, SealedStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { limitSilence } from "../../platform/silence-limit.ts";
import { describeSystemError } from "../../platform/system-error.ts";
import { type RedisTarget, describeAddress } from "./connection-target.ts";
import { type RdbFindings, scanRdb } from "./rdb-scan.ts";
import { replyError } from "./redis-session.ts";

export type ReplicationStream = SealedStream & {
  /** Once it was sealed. */
  readonly findings: () => RdbFindings;
  readonly close: () => void;
};

const connectTimeoutMs = 10_000;
/** While it prepares, a server sends an empty line each second. */
const silenceMs = 120_000;
const markLength = 40;
const longestLine = 4_096;

export const openSocket = async (target: RedisTarget, signal: AbortSignal): Promise<Socket> => {
  const { host, port, tls, certificateAuthority } = target;
  const authority = certificateAuthority === null ? {} : { ca: await readFile(certificateAuthority, "utf8") };
  const socket = tls
    ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...authority })
    : createConnection({ host, port });
  socket.setKeepAlive(true, 30_000);
  const limit = AbortSignal.timeout(connectTimeoutMs);
  try {
    await once(socket, tls ? "secureConnect" : "connect", { signal: AbortSignal.any([signal, limit]) });
    return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw new RefloatError(
      "source.unreachable",
      `${describeAddress(target)} does not answer (${limit.aborted ? "timed out" : describeSystemError(error)})`,
      { cause: error },
    );
  }
};

/** As an array of strings, so that no byte of a password means anything. */
const command = (...words: readonly string[]): string =>
  [`*${words.length}`, ...words.flatMap((word) => [`$${Buffer.byteLength(word)}`, word])]
    .map((line) => `${line}\r\n`)
    .join("");

type Reader = {
  /** One line without its end; empty ones are keep-alives and are left out. */
  readonly line: () => Promise<string>;
  /** The next bytes, null at the end. */
  readonly chunk: () => Promise<Buffer | null>;
};

const readerOf = (socket: Socket, target: RedisTarget, signal: AbortSignal): Reader => {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let left: Buffer = Buffer.alloc(0);
  const waiting = limitSilence(socket, silenceMs);
  const chunk = async (): Promise<Buffer | null> => {
    if (left.length > 0) {
      const bytes = left;
      left = Buffer.alloc(0);
      return bytes;
    }
    try {
      const next = await waiting(() => chunks.next());
      signal.throwIfAborted();
      return next.done === true ? null : next.value;
    } catch (error) {
      signal.throwIfAborted();
      throw new RefloatError(
        "source.failed",
        `${describeAddress(target)} broke off its stream: ${describeSystemError(error)}`,
        { cause: error, state: "no point was made" },
      );
    }
  };
  const line = async (): Promise<string> => {
    let text: Buffer = Buffer.alloc(0);
    for (;;) {
      const end = text.indexOf("\n");
      if (end === -1) {
        const bytes = await chunk();
        if (bytes === null || text.length > longestLine)
          throw new RefloatError("source.failed", `${describeAddress(target)} broke off before it sent any data`, {
            state: "no point was made",
            hint: "what the server says stands in its own log",
          });
        text = Buffer.concat([text, bytes]);
        continue;
      }
      const found = text.subarray(0, end).toString("utf8").trimEnd();
      text = text.subarray(end + 1);
      if (found === "") continue;
      left = text;
      return found;
    }
  };
  return { line, chunk };
};

type Frame = { readonly kind: "length"; readonly bytes: number } | { readonly kind: "mark"; readonly mark: Buffer };

/** @throws RefloatError source.denied, source.failed with the server's own words */
const beginSync = async (socket: Socket, reader: Reader, target: RedisTarget): Promise<Frame> => {
  const say = async (what: string, ...words: readonly string[]): Promise<void> => {
    socket.write(command(...words));
    const reply = await reader.line();
    if (reply.startsWith("-")) throw replyError(target, reply.slice(1), what);
  };
  if (target.password !== null)
    await say("the login", "AUTH", ...(target.user === null ? [] : [target.user]), target.password.reveal());
  await say("REPLCONF", "REPLCONF", "capa", "eof");
  // Servers before 7.0 do not know it: what is written meanwhile follows the data there, and is not read.
  socket.write(command("REPLCONF", "rdb-only", "1"));
  await reader.line();
  socket.write(command("SYNC"));
  const answer = await reader.line();
  if (answer.startsWith("-")) throw replyError(target, answer.slice(1), "SYNC");
  const mark = /^\$EOF:(.{40})$/.exec(answer)?.[1];
  if (mark !== undefined) return { kind: "mark", mark: Buffer.from(mark, "latin1") };
  const length = /^\$(\d+)$/.exec(answer)?.[1];
  if (length !== undefined) return { kind: "length", bytes: Number(length) };
  throw new RefloatError(
    "source.failed",
    `${describeAddress(target)} answers SYNC with ${JSON.stringify(answer.slice(0, 80))}`,
  );
};

const torn = (target: RedisTarget): RefloatError =>
  new RefloatError("source.failed", `${describeAddress(target)} ended its stream before its data ended`, {
    state: "no point was made",
    hint: "what the server says stands in its own log",
  });

async function* ofLength(reader: Reader, target: RedisTarget, bytes: number): ByteStream {
  let left = bytes;
  while (left > 0) {
    const chunk = await reader.chunk();
    if (chunk === null) throw torn(target);
    const data = chunk.subarray(0, left);
    left -= data.length;
    yield data;
  }
}

/** The server sends nothing behind the mark before it is answered: so the mark is the end of what has come. */
async function* upToMark(reader: Reader, target: RedisTarget, mark: Buffer): ByteStream {
  let kept: Buffer = Buffer.alloc(0);
  for (;;) {
    const chunk = await reader.chunk();
    if (chunk === null) throw torn(target);
    const all = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    const ready = Math.max(0, all.length - markLength);
    kept = Buffer.from(all.subarray(ready));
    if (ready > 0) yield all.subarray(0, ready);
    if (kept.equals(mark)) return;
  }
}

type StreamRequest = {
  readonly target: RedisTarget;
  readonly signal: AbortSignal;
  /** With the first byte: what is written from then on is not in it. */
  readonly began: () => void;
};

/** Nothing is asked of the server before the first byte is read. */
export const openReplicationStream = ({ target, signal, began }: StreamRequest): ReplicationStream => {
  const scan = scanRdb();
  let socket: Socket | null = null;
  let isWhole = false;
  let findings: RdbFindings | null = null;
  const cut = (): void => void socket?.destroy();
  async function* read(): ByteStream {
    socket = await openSocket(target, signal);
    signal.addEventListener("abort", cut, { once: true });
    const reader = readerOf(socket, target, signal);
    const frame = await beginSync(socket, reader, target);
    began();
    const data = frame.kind === "mark" ? upToMark(reader, target, frame.mark) : ofLength(reader, target, frame.bytes);
    for await (const chunk of data) {
      scan.add(chunk);
      yield chunk;
    }
    isWhole = true;
  }
  return {
    bytes: read(),
    seal: async () => {
      if (!isWhole) throw torn(target);
      findings = scan.end();
      return {};
    },
    findings: () => {
      if (findings === null) throw new RefloatError("bug", "a stream was asked for its findings before its seal");
      return findings;
    },
    close: () => {
      signal.removeEventListener("abort", cut);
      cut();
    },
  };
};
