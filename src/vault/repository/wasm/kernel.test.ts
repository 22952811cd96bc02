import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateKernelModule } from "../../../../scripts/build-wasm.ts";
import { Kernel } from "./kernel.ts";

/** RFC 8439, 2.5.1, word by word. */
const referenceTag = (key: Uint8Array, message: Uint8Array): string => {
  const little = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) + BigInt(byte), 0n);
  const r = little(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  const prime = (1n << 130n) - 5n;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    sum = ((sum + little(Uint8Array.of(...message.subarray(at, at + 16), 1))) * r) % prime;
  }
  const tag = (sum + little(key.subarray(16, 32))) & ((1n << 128n) - 1n);
  return Buffer.from(tag.toString(16).padStart(32, "0"), "hex").reverse().toString("hex");
};

const tagOf = (kernel: Kernel, key: Uint8Array, message: Uint8Array): string =>
  Buffer.from(kernel.poly1305(key, message)).toString("hex");

describe("kernel module", () => {
  it("is what the assembly sources make", async () => {
    const committed = await readFile(new URL("kernel-module.ts", import.meta.url), "utf8");
    expect(committed, "run: node scripts/build-wasm.ts").toBe(await generateKernelModule());
  });
});

describe("Poly1305", () => {
  const kernel = new Kernel();

  it("agrees with the example of RFC 8439", () => {
    const key = Buffer.from("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b", "hex");
    const tag = tagOf(kernel, key, Buffer.from("Cryptographic Forum Research Group"));
    expect(tag).toBe("a8061dc1305136c6c22b8baf0c0127a9");
  });

  it.each([
    // RFC 8439, A.3: carries and reductions at the edges of 2^130 - 5 and 2^128.
    [
      "0200000000000000000000000000000000000000000000000000000000000000",
      "ff".repeat(16),
      "03000000000000000000000000000000",
    ],
    [
      "02000000000000000000000000000000ffffffffffffffffffffffffffffffff",
      `02${"00".repeat(15)}`,
      "03000000000000000000000000000000",
    ],
    [
      "0100000000000000000000000000000000000000000000000000000000000000",
      `${"ff".repeat(16)}f0${"ff".repeat(15)}11${"00".repeat(15)}`,
      "05000000000000000000000000000000",
    ],
    [
      "0100000000000000000000000000000000000000000000000000000000000000",
      `${"ff".repeat(16)}fb${"fe".repeat(15)}${"01".repeat(16)}`,
      "00000000000000000000000000000000",
    ],
    [
      "0200000000000000000000000000000000000000000000000000000000000000",
      `fd${"ff".repeat(15)}`,
      "faffffffffffffffffffffffffffffff",
    ],
    [
      "0100000000000000040000000000000000000000000000000000000000000000",
      "e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000000000000000000001000000000000000000000000000000",
      "14000000000000005500000000000000",
    ],
    [
      "0100000000000000040000000000000000000000000000000000000000000000",
      "e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000000000000000",
      "13000000000000000000000000000000",
    ],
  ])("meets the edges: key %s", (key, message, tag) => {
    expect(tagOf(kernel, Buffer.from(key, "hex"), Buffer.from(message, "hex"))).toBe(tag);
  });

  it("agrees with the plain algorithm for any key and message", () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const saturated = fc
      .array(fc.constantFrom(0, 1, 0xfb, 0xff), { maxLength: 100 })
      .map((part) => Uint8Array.from(part));
    fc.assert(
      fc.property(
        fc.oneof(
          bytes(32),
          bytes(32).map((key) => key.fill(0xff, 0, 16)),
        ),
        fc.oneof(fc.uint8Array({ maxLength: 300 }), saturated),
        (key, message) => {
          expect(tagOf(kernel, key, message)).toBe(referenceTag(key, message));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("takes messages longer than its staging area", () => {
    const key = Buffer.alloc(32, 0xa7);
    for (const length of [128 * 1024 - 1, 128 * 1024, 128 * 1024 + 1, 300_000]) {
      const message = Buffer.alloc(length, "a message that is long");
      expect(tagOf(kernel, key, message)).toBe(referenceTag(key, message));
    }
  });
});
