/**
 * Reads what `mariadb-backup --stream=mbstream` writes, as it comes. The stream is a row of chunks, each of one file, and those of several files come
 * among each other (the redo log is copied while the tables are):
 *
 *     "XBSTCK01", flags (1 byte), type (1), length of the path (4), path, and by type
 *     P  length (8), offset in the file (8), CRC-32 (4), bytes of the file
 *     E  nothing: the file is whole
 *     S  offset (8): what lies before it is a hole (of 11 and later)
 *     R  length (4), path: the file is to bear this name; D: it is to go (of 11 and later)
 *
 * Numbers are little-endian. Source: extra/mariabackup/xbstream.h, xbstream_read.cc and xbstream_write.cc of MariaDB.
 */
import { crc32 } from "node:zlib";
import type { ByteStream } from "../../../core/ports/bytes.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { ByteFeed } from "../../../platform/byte-feed.ts";

/** Paths are relative, without `./`. */
export type MbstreamChunk =
  /** `bytes` has to be read to its end, which comes only when they are what their checksum says. */
  | { readonly type: "bytes"; readonly path: string; readonly offset: number; readonly bytes: ByteStream }
  | { readonly type: "hole"; readonly path: string; readonly end: number }
  | { readonly type: "end"; readonly path: string }
  | { readonly type: "rename"; readonly path: string; readonly to: string }
  | { readonly type: "remove"; readonly path: string };

const magic = Buffer.from("XBSTCK01", "latin1");
const headBytes = magic.length + 1 + 1 + 4;
const mayBeIgnored = 1;
/** As long as MariaDB lets a path be. */
const longestPath = 4_096;

const broken = (what: string): RefloatError =>
  new RefloatError("source.failed", `the stream of mariadb-backup cannot be read: ${what}`, {
    state: "no point was made",
  });

/** Whatever wrote it, nothing of it may lie outside of the folder that it is put into. */
const plainPath = (bytes: Buffer): string => {
  const path = bytes.toString("utf8").replace(/^(?:\.\/+)+/, "");
  const parts = path.split("/");
  if (path.includes("\0") || path.includes("\uFFFD") || parts.some((part) => ["", ".", ".."].includes(part)))
    throw broken(`${JSON.stringify(path)} is no path of a file in a data folder`);
  return path;
};

/** @param source ends behind the last chunk. @throws RefloatError source.failed */
export async function* readMbstream(source: AsyncIterator<Uint8Array>): AsyncGenerator<MbstreamChunk> {
  const cut = (): RefloatError => broken("it ends in the middle of a chunk");
  const feed = new ByteFeed(source, cut);
  const exactly = async (length: number): Promise<Buffer> => {
    const found = length === 0 ? Buffer.alloc(0) : await feed.exactly(length);
    if (found === null) throw cut();
    return found;
  };
  const readPath = async (length: number): Promise<string> => {
    if (length > longestPath) throw broken(`a path has ${length} bytes`);
    return plainPath(await exactly(length));
  };
  for (;;) {
    const head = await feed.exactly(headBytes);
    if (head === null) return;
    if (!head.subarray(0, magic.length).equals(magic)) throw broken("a chunk does not begin as chunks do");
    const [flags, type] = [head.readUInt8(magic.length), String.fromCharCode(head.readUInt8(magic.length + 1))];
    const path = await readPath(head.readUInt32LE(magic.length + 2));
    if (type === "P") {
      const payload = await exactly(20);
      const [length, offset] = [Number(payload.readBigUInt64LE(0)), Number(payload.readBigUInt64LE(8))];
      let left = length;
      let sum = 0;
      async function* content(): AsyncGenerator<Uint8Array> {
        while (left > 0) {
          const piece = await feed.piece(left);
          if (piece === null) throw broken(`it ends in the middle of ${path}`);
          left -= piece.length;
          sum = crc32(piece, sum);
          yield piece;
        }
        if (sum !== payload.readUInt32LE(16)) throw broken(`bytes of ${path} are not what their checksum says`);
      }
      yield { type: "bytes", path, offset, bytes: content() };
      if (left > 0) throw new RefloatError("bug", `bytes of ${path} were not read`);
    } else if (type === "E") yield { type: "end", path };
    else if (type === "S") yield { type: "hole", path, end: Number((await exactly(8)).readBigUInt64LE(0)) };
    else if (type === "R") yield { type: "rename", path, to: await readPath((await exactly(4)).readUInt32LE(0)) };
    else if (type === "D") yield { type: "remove", path };
    else if ((flags & mayBeIgnored) === 0)
      throw broken(`it has a chunk of the kind ${JSON.stringify(type)}, which is not known`);
  }
}
