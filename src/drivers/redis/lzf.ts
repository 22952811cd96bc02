/** LZF, as Redis compresses strings (src/lzf_d.c): runs of plain bytes, and references at most 8 KiB back. */
import { RefloatError } from "../../model/refloat-error.ts";

const damaged = (): RefloatError => new RefloatError("point.damaged", "a compressed string does not unpack");

/** @throws RefloatError point.damaged unless it unpacks to exactly so many bytes */
export const unpackLzf = (packed: Uint8Array, unpackedBytes: number): Uint8Array => {
  // A length that no string of so many packed bytes can have would ask for memory that is not there.
  if (unpackedBytes > packed.length * 264) throw damaged();
  const unpacked = Buffer.allocUnsafe(unpackedBytes);
  let [from, to] = [0, 0];
  const next = (): number => {
    const byte = packed[from];
    if (byte === undefined) throw damaged();
    from += 1;
    return byte;
  };
  while (from < packed.length) {
    const control = next();
    if (control < 32) {
      const length = control + 1;
      if (from + length > packed.length || to + length > unpackedBytes) throw damaged();
      unpacked.set(packed.subarray(from, from + length), to);
      from += length;
      to += length;
      continue;
    }
    const length = 2 + (control >> 5) + (control >> 5 === 7 ? next() : 0);
    const back = to - (((control & 0x1f) << 8) | next()) - 1;
    if (back < 0 || to + length > unpackedBytes) throw damaged();
    // Byte by byte: what is copied may be what was just written.
    for (let index = 0; index < length; index += 1) unpacked[to + index] = unpacked[back + index] ?? 0;
    to += length;
  }
  if (to !== unpackedBytes) throw damaged();
  return unpacked;
};
