import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Sealer, ivBytes, keyBytes, sealBytes } from "./seal.ts";

describe("sealing", () => {
  const sealer = new Sealer(randomBytes(keyBytes));
  const anyBytes = fc.uint8Array({ maxLength: 5000 });

  it("gives back what was sealed, 32 bytes longer", () => {
    fc.assert(
      fc.property(anyBytes, (plain) => {
        const sealed = sealer.seal(plain);
        expect(sealed).toHaveLength(plain.length + sealBytes);
        expect(sealer.unseal(sealed)).toEqual(Buffer.from(plain));
      }),
    );
  });

  it("gives back what is longer than the pieces that it works in", () => {
    const plain = randomBytes(300_001);
    expect(sealer.unseal(sealer.seal(plain))?.equals(plain)).toBe(true);
  });

  it("notices a flip of any bit", () => {
    fc.assert(
      fc.property(anyBytes, fc.nat(), fc.integer({ min: 0, max: 7 }), (plain, at, bit) => {
        const sealed = sealer.seal(plain);
        const byte = at % sealed.length;
        sealed[byte] = (sealed[byte] ?? 0) ^ (1 << bit);
        expect(sealer.unseal(sealed)).toBeUndefined();
      }),
    );
  });

  it("notices a cut at any place", () => {
    const sealed = sealer.seal(Buffer.from("some text that was sealed"));
    for (let length = 0; length < sealed.length; length += 1) {
      expect(sealer.unseal(sealed.subarray(0, length))).toBeUndefined();
    }
  });

  it("does not open with another key", () => {
    expect(new Sealer(randomBytes(keyBytes)).unseal(sealer.seal(Buffer.from("text")))).toBeUndefined();
  });

  it("never uses an IV twice, also beyond its pool of random bytes", () => {
    const ivs = new Set<string>();
    for (let i = 0; i < 2000; i += 1) ivs.add(sealer.seal(Buffer.of(0)).toString("hex", 0, ivBytes));
    expect(ivs.size).toBe(2000);
    expect(ivs.has("00".repeat(ivBytes))).toBe(false);
  });
});
