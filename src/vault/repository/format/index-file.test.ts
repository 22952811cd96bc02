import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeIndex } from "./index-file.ts";
import { IndexScanner, MalformedIndex } from "./index-scanner.ts";
import { type PackedBlob, decodePackHeader, encodePackHeader, packHeaderBytes } from "./pack-header.ts";
import { Sealer, keyBytes } from "../seal/seal.ts";

const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const unsigned = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const blob: fc.Arbitrary<PackedBlob> = fc.record({
  id,
  type: fc.constantFrom("data", "tree"),
  offset: unsigned,
  length: unsigned,
  plainLength: unsigned,
});
const packs = fc.array(fc.record({ id, blobs: fc.array(blob, { maxLength: 6 }) }), { maxLength: 5 });

const scan = (text: string) => [...new IndexScanner(Buffer.from(text)).packs()];

describe("indexes", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(packs, (written) => {
        expect([...new IndexScanner(encodeIndex(written)).packs()]).toEqual(written);
      }),
    );
  });

  it("are read with other members, in another order, with white space", () => {
    fc.assert(
      fc.property(packs, fc.json(), fc.constantFrom(undefined, 1, "\t"), (written, other, indent) => {
        const file = {
          supersedes: JSON.parse(other) as unknown,
          packs: written.map(({ id: packId, blobs }) => ({
            unknown: JSON.parse(other) as unknown,
            blobs: blobs.map(({ plainLength, ...rest }) => ({
              note: 'a "quoted" \\ word',
              uncompressed_length: plainLength,
              ...rest,
            })),
            id: packId,
          })),
          later: [1.5e-3, true, null],
        };
        expect(scan(`${JSON.stringify(file, null, indent)}\n`)).toEqual(written);
      }),
    );
  });

  it("may be empty", () => {
    expect(scan('{"packs":null}')).toEqual([]);
    expect(scan("{}")).toEqual([]);
  });

  it("that are none, or end too early, are malformed", () => {
    const whole = encodeIndex([
      { id: "ab".repeat(32), blobs: [{ id: "cd".repeat(32), type: "data", offset: 1, length: 2, plainLength: 3 }] },
    ]).toString();
    for (let length = 0; length < whole.length; length += 1) {
      expect(() => scan(whole.slice(0, length))).toThrow(MalformedIndex);
    }
    for (const [from, to] of [
      ["data", "both"],
      ["cdcd", "CDCD"],
      [":1,", ":-1,"],
      [":2,", ":4294967296,"],
      ['"length":2,', ""],
    ] as const) {
      expect(() => scan(whole.replace(from, to))).toThrow(MalformedIndex);
    }
    expect(() => scan(`${whole}{}`)).toThrow(MalformedIndex);
  });
});

describe("the header of a pack", () => {
  it("says where each blob lies, in as many bytes as was predicted", () => {
    const sealer = new Sealer(Buffer.alloc(keyBytes, 7));
    const lengths = fc.record({
      id,
      type: fc.constantFrom("data", "tree"),
      length: fc.integer({ min: 33, max: 9_000_000 }),
      plainLength: unsigned,
    });
    fc.assert(
      fc.property(fc.array(lengths, { maxLength: 30 }), (parts) => {
        let offset = 0;
        const blobs = parts.map((part) => {
          const placed: PackedBlob = { ...part, offset };
          offset += part.length;
          return placed;
        });
        const header = encodePackHeader(blobs, sealer);
        expect(header).toHaveLength(packHeaderBytes(blobs));
        expect(header.readUInt32LE(header.length - 4)).toBe(header.length - 4);
        const plain = sealer.unseal(header.subarray(0, -4));
        expect(decodePackHeader(plain ?? Buffer.alloc(0))).toEqual(blobs);
      }),
    );
  });

  it("that is cut, or of an unknown kind, is none", () => {
    expect(decodePackHeader(Buffer.alloc(36))).toBeUndefined();
    expect(decodePackHeader(Buffer.alloc(41, 4))).toBeUndefined();
  });
});
