/** The stream of mariadb-backup, chunk by chunk: what its published source says, and what a cut, a changed byte or a hostile path comes to. */
import { describe, expect, it } from "vitest";
import { crc32 } from "node:zlib";
import type { CaptureSink } from "../../../core/ports/vault-snapshots.ts";
import { type MbstreamChunk, readMbstream } from "./mbstream.ts";
import { storeFiles } from "./store-files.ts";

const number = (value: number, bytes: 4 | 8): Buffer => {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 4) buffer.writeUInt32LE(value);
  else buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
};
const text = (value: string): Buffer => Buffer.concat([number(Buffer.byteLength(value), 4), Buffer.from(value)]);
const chunk = (type: string, path: string, rest: readonly Buffer[] = [], flags = 0): Buffer =>
  Buffer.concat([Buffer.from("XBSTCK01"), Buffer.from([flags]), Buffer.from(type), text(path), ...rest]);
const payload = (path: string, offset: number, content: string | Buffer): Buffer => {
  const bytes = Buffer.from(content as string);
  return chunk("P", path, [number(bytes.length, 8), number(offset, 8), number(crc32(bytes), 4), bytes]);
};

/** In pieces of a size, since a pipe keeps none. */
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const readAll = async (bytes: Buffer, size = 7): Promise<readonly string[]> => {
  const found: string[] = [];
  for await (const one of readMbstream(inPieces(bytes, size))) {
    if (one.type !== "bytes") {
      found.push(Object.values(one).join(" "));
      continue;
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of one.bytes) pieces.push(piece);
    found.push(`${one.path}@${one.offset}=${Buffer.concat(pieces).toString()}`);
  }
  return found;
};

const stored = async (bytes: Buffer) => {
  const files = new Map<string, Buffer>();
  const keep = (path: string, content: Buffer) => {
    files.set(path, content);
    return { path, sizeBytes: content.length, newBytes: content.length, sha256: "" };
  };
  const sink: CaptureSink = {
    bytes: async (path, content) => keep(path, Buffer.from(content)),
    stream: async (path, source) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of source.bytes) pieces.push(Buffer.from(piece));
      await source.seal();
      return keep(path, Buffer.concat(pieces));
    },
    tree: () => Promise.reject(new Error("nothing of it is a tree")),
  };
  const { signal } = new AbortController();
  const chunks: AsyncIterable<MbstreamChunk> = readMbstream(inPieces(bytes, 65_536));
  const found = await storeFiles(chunks, { sink, root: "/db/data", signal, progress: () => undefined });
  return { ...found, content: files };
};

describe("the stream of mariadb-backup", () => {
  it("is read in pieces of any size, with files among each other", async () => {
    const bytes = Buffer.concat([
      payload("./shop/a.ibd", 0, "one"),
      payload("ib_logfile0", 0, "log"),
      payload("./shop/a.ibd", 3, "two"),
      chunk("E", "./shop/a.ibd"),
      chunk("S", "ib_logfile0", [number(10, 8)]),
      chunk("x", "whatever", [], 1),
      chunk("R", "shop/a.ibd", [text("shop/b.ibd")]),
      chunk("D", "./shop/c.ibd"),
    ]);
    for (const size of [1, 5, 4_096]) {
      expect(await readAll(bytes, size)).toEqual([
        "shop/a.ibd@0=one",
        "ib_logfile0@0=log",
        "shop/a.ibd@3=two",
        "end shop/a.ibd",
        "hole ib_logfile0 10",
        "rename shop/a.ibd shop/b.ibd",
        "remove shop/c.ibd",
      ]);
    }
  });

  it.each([
    ["cut", payload("a", 0, "content").subarray(0, -3), "ends in the middle of a"],
    ["cut in a header", payload("a", 0, "content").subarray(0, 12), "ends in the middle of a chunk"],
    ["another format", Buffer.from("XBSTCK02 and something"), "does not begin as chunks do"],
    ["a kind that nobody knows", chunk("Q", "a"), 'of the kind "Q"'],
    ["a path that leads out", payload("../etc/passwd", 0, "x"), "no path of a file"],
    ["an absolute path", payload("/etc/passwd", 0, "x"), "no path of a file"],
    ["a changed byte", Buffer.concat([payload("a", 0, "content").subarray(0, -1), Buffer.from("x")]), "checksum"],
  ])("is refused: %s", async (_name, bytes, message) => {
    await expect(readAll(bytes)).rejects.toMatchObject({
      code: "source.failed",
      message: expect.stringContaining(message),
    });
  });

  it("becomes files, large ones as they come, with holes filled, and what is to be done to them later", async () => {
    const large = Buffer.alloc(2_500_000, "abcdefg");
    const { content, notes, changes } = await stored(
      Buffer.concat([
        payload("ibdata1", 0, large.subarray(0, 1_500_000)),
        payload("xtrabackup_info", 0, "uuid = 1"),
        payload("ibdata1", 1_500_000, large.subarray(1_500_000)),
        chunk("E", "xtrabackup_info"),
        chunk("S", "holes", [number(5, 8)]),
        payload("holes", 5, "end"),
        chunk("E", "holes"),
        chunk("E", "empty"),
        chunk("R", "holes", [text("filled")]),
        chunk("D", "empty"),
        chunk("E", "ibdata1"),
      ]),
    );
    expect(content.get("/db/data/ibdata1")?.equals(large)).toBe(true);
    expect(content.get("/db/data/holes")?.toString()).toBe("\0\0\0\0\0end");
    expect(content.get("/db/data/empty")?.length).toBe(0);
    expect(notes.get("xtrabackup_info")).toBe("uuid = 1");
    expect(changes).toEqual([
      { path: "holes", to: "filled" },
      { path: "empty", to: null },
    ]);
  });

  it.each([
    [
      "a file without an end",
      payload("ibdata1", 0, Buffer.alloc(2_000_000)),
      "source.failed",
      "in the middle of ibdata1",
    ],
    ["bytes in another order", payload("a", 5, "x"), "source.failed", "in their order"],
    ["a file that comes twice", Buffer.concat([chunk("E", "a"), chunk("E", "a")]), "source.failed", "twice"],
    ["a table elsewhere", payload("shop/a.isl", 0, "/mnt/a.ibd"), "source.unsupported", "outside of the data folder"],
  ])("makes no files of %s", async (_name, bytes, code, message) => {
    await expect(stored(bytes)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });
});
