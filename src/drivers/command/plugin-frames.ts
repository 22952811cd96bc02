/**
 * Data between Refloat and a plugin, on descriptor 3: a line of JSON, and after it as many bytes as it says. A stream is whole by its
 * end, all of them by the seal; the end of the descriptor alone says nothing.
 */
import { createHash } from "node:crypto";
import type { Duplex, Readable } from "node:stream";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { drained } from "../../platform/drained.ts";
import { type PluginFrame, pluginFrameSchema } from "../../model/plugin-protocol.ts";

const headerBytes = 4_096;
const newline = 0x0a;

/** The data is not whole, or is none; who asked knows whose it is. */
export class TornData extends Error {}

const torn = (why: string): TornData => new TornData(`its data is torn: ${why}`);

export type FrameReader = {
  /** @returns null at the end of the descriptor */
  readonly next: () => Promise<PluginFrame | null>;
  /** The bytes that follow a header. */
  readonly payload: (bytes: number) => ByteStream;
};

/** @param waiting told when the other side is waited for, and when it is not */
export const createFrameReader = (source: Readable, waiting: (isWaiting: boolean) => void): FrameReader => {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held: Buffer = Buffer.alloc(0);
  const more = async (): Promise<boolean> => {
    waiting(true);
    const { done, value } = await chunks.next();
    waiting(false);
    if (done === true) return false;
    held = held.length === 0 ? value : Buffer.concat([held, value]);
    return true;
  };
  return {
    next: async () => {
      for (;;) {
        const at = held.indexOf(newline);
        if (at > headerBytes || (at < 0 && held.length > headerBytes))
          throw torn(`a header is longer than ${headerBytes} bytes`);
        if (at >= 0) {
          const line = held.subarray(0, at).toString("utf8");
          held = held.subarray(at + 1);
          return readFrame(line);
        }
        if (await more()) continue;
        if (held.length > 0) throw torn("it ends within a header");
        return null;
      }
    },
    payload: async function* payload(bytes) {
      let left = bytes;
      while (left > 0) {
        if (held.length === 0 && !(await more())) throw torn(`it ends ${left} bytes before the end of a frame`);
        const taken = held.subarray(0, left);
        held = held.subarray(taken.length);
        left -= taken.length;
        yield taken;
      }
    },
  };
};

const readFrame = (line: string): PluginFrame => {
  try {
    return pluginFrameSchema.parse(JSON.parse(line));
  } catch (error) {
    throw new TornData(`its data has a header that is none: ${JSON.stringify(line.slice(0, 100))}`, { cause: error });
  }
};

/**
 * The rest of a stream whose first frame has been read. Ends without an error only by the stream's own end, held against what came.
 */
export async function* readStream(reader: FrameReader, name: string, first: PluginFrame): ByteStream {
  const hash = createHash("sha256");
  let total = 0;
  let frame: PluginFrame | null = first;
  for (;;) {
    if (frame === null) throw torn(`the stream ${name} has no end`);
    if ("end" in frame && frame.end === name) {
      const { bytes, sha256 } = frame;
      if (bytes !== total) throw torn(`the stream ${name} had ${total} bytes and says that it had ${bytes}`);
      if (sha256 !== undefined && sha256 !== hash.digest("hex"))
        throw torn(`the stream ${name} has another SHA-256 than it says`);
      return;
    }
    if (!("stream" in frame) || frame.stream !== name)
      throw torn(`the stream ${name} is not ended before something else begins`);
    for await (const chunk of reader.payload(frame.bytes)) {
      hash.update(chunk);
      total += chunk.length;
      yield chunk;
    }
    frame = await reader.next();
  }
}

export type OutgoingStream = { readonly name: string; readonly bytes: ByteStream };

/** Writes streams and the seal. @returns false when the other side stopped reading */
export const writeStreams = async (
  target: Duplex,
  streams: readonly OutgoingStream[],
  waiting: (isWaiting: boolean) => void,
): Promise<boolean> => {
  const write = async (bytes: Uint8Array | string): Promise<void> => {
    if (target.destroyed || target.write(bytes)) return;
    waiting(true);
    await drained(target);
    waiting(false);
  };
  for (const { name, bytes } of streams) {
    let total = 0;
    const hash = createHash("sha256");
    for await (const chunk of bytes) {
      if (target.destroyed) return false;
      if (chunk.length === 0) continue;
      total += chunk.length;
      hash.update(chunk);
      await write(`${JSON.stringify({ stream: name, bytes: chunk.length } satisfies PluginFrame)}\n`);
      await write(chunk);
    }
    await write(`${JSON.stringify({ end: name, bytes: total, sha256: hash.digest("hex") } satisfies PluginFrame)}\n`);
  }
  await write(`${JSON.stringify({ seal: streams.length } satisfies PluginFrame)}\n`);
  if (target.destroyed) return false;
  target.end();
  return true;
};
