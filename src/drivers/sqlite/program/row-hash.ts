/**
 * SHA-256 over the rows of a table in the order in which they lie. Each value is a tag and its bytes: `n`; `i` and 8 bytes; `f` and 8
 * bytes; `t` or `b`, 4 bytes of length, the bytes. Numbers are little-endian. Two tables have the same hash only if all values are the same, of the same kind.
 */
import { createHash } from "node:crypto";
import type { ReadRow } from "./read-rows.ts";

const bufferBytes = 262_144;
/** The letters n, i, f, t and b. */
const tags = { null: 0x6e, integer: 0x69, real: 0x66, text: 0x74, blob: 0x62 } as const;

export class RowHash {
  readonly #hash = createHash("sha256");
  readonly #buffer = Buffer.allocUnsafe(bufferBytes);
  #at = 0;
  #rows = 0;
  #sizeBytes = 0;

  add({ values, isText }: ReadRow): void {
    this.#rows += 1;
    for (const [column, value] of values.entries()) {
      if (value === null) this.#room(1).writeUInt8(tags.null, this.#advance(1));
      else if (typeof value === "bigint") {
        this.#room(9).writeUInt8(tags.integer, this.#advance(1));
        this.#buffer.writeBigInt64LE(value, this.#advance(8));
      } else if (typeof value === "number") {
        this.#room(9).writeUInt8(tags.real, this.#advance(1));
        this.#buffer.writeDoubleLE(value, this.#advance(8));
      } else this.#bytes(isText(column) ? tags.text : tags.blob, value);
    }
  }

  end(): { readonly rows: number; readonly sizeBytes: number; readonly sha256: string } {
    this.#flush();
    return { rows: this.#rows, sizeBytes: this.#sizeBytes, sha256: this.#hash.digest("hex") };
  }

  #bytes(tag: number, value: Uint8Array): void {
    this.#room(5).writeUInt8(tag, this.#advance(1));
    this.#buffer.writeUInt32LE(value.length, this.#advance(4));
    if (value.length > bufferBytes) {
      this.#flush();
      this.#hash.update(value);
      this.#sizeBytes += value.length;
      return;
    }
    this.#room(value.length).set(value, this.#advance(value.length));
  }

  #room(bytes: number): Buffer {
    if (this.#at + bytes > bufferBytes) this.#flush();
    return this.#buffer;
  }

  #advance(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  #flush(): void {
    this.#hash.update(this.#buffer.subarray(0, this.#at));
    this.#sizeBytes += this.#at;
    this.#at = 0;
  }
}
