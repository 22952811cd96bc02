import { randomBytes } from "node:crypto";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { compressInto, compressedBound, decompressInto } from "./zstd-frames.ts";

type Codec = { readonly compressInto: typeof compressInto; readonly decompressInto: typeof decompressInto };

const text = (bytes: number): Buffer =>
  Buffer.from("a row, and another row; ".repeat(Math.ceil(bytes / 24)).slice(0, bytes));
const contents = [text(1), text(20_000), randomBytes(1), randomBytes(70_000), text(3_000_000), randomBytes(1_200_000)];

const packed = (plain: Uint8Array, codec: Codec = { compressInto, decompressInto }): Buffer => {
  const target = Buffer.alloc(compressedBound(plain.length));
  return target.subarray(0, codec.compressInto(plain, target));
};
const unpacked = (frame: Uint8Array, bytes: number, codec: Codec = { compressInto, decompressInto }): Buffer => {
  const target = Buffer.alloc(bytes);
  return target.subarray(0, codec.decompressInto(frame, target));
};

/** @returns the lengths of contents that do not come back, from us or from anybody else */
const lostBy = (codec: Codec): readonly number[] =>
  [...contents, ...contents.toReversed()]
    .filter((plain) => {
      const frame = packed(plain, codec);
      return ![
        zstdDecompressSync(frame),
        unpacked(frame, plain.length, codec),
        unpacked(zstdCompressSync(plain), plain.length, codec),
      ].every((back) => back.equals(plain));
    })
    .map(({ length }) => length);

describe("frames", () => {
  it("are what everybody else writes and reads", () => {
    expect(lostBy({ compressInto, decompressInto })).toEqual([]);
  });

  it("leave no memory to the garbage collector, which would look at the whole heap for it", () => {
    const plain = text(3_000_000);
    const [frame, target] = [packed(plain), Buffer.alloc(plain.length)];
    const room = Buffer.alloc(compressedBound(plain.length));
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let round = 0; round < 10; round += 1) {
      compressInto(plain, room);
      decompressInto(frame, target);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(most).toBeLessThan(plain.length);
  });

  it("say how long they are, as restic's readers like it", () => {
    const plain = text(1000);
    // Single segment (bit 5) or a content size field (bits 6 and 7) in the frame header's descriptor.
    expect((packed(plain)[4] ?? 0) & 0b1110_0000).not.toBe(0);
  });

  it("do not suffer from one that was damaged, cut, or longer than was said", () => {
    const plain = text(20_000);
    const frame = packed(plain);
    for (let cut = 1; cut < frame.length; cut += 7) {
      expect(() => unpacked(frame.subarray(0, cut), plain.length)).toThrow(/unexpected end/);
      expect(unpacked(frame, plain.length).equals(plain)).toBe(true);
    }
    expect(() => unpacked(frame, plain.length - 1)).toThrow(/larger/);
    expect(unpacked(frame, plain.length).equals(plain)).toBe(true);
    expect(() => unpacked(Buffer.alloc(100, 1), plain.length)).toThrow(/frame/);
    expect(unpacked(frame, plain.length).equals(plain)).toBe(true);
    expect(() => unpacked(Buffer.concat([frame, frame]), plain.length)).toThrow(/larger/);
  });
});
