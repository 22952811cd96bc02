/**
 * The checksum at the end of an RDB file: CRC-64 with Jones' polynomial 0xad93d23594c935a9, reflected, without inversion (Redis, src/crc64.c).
 * In two halves of 32 bits, since 64-bit integers are slow here.
 */
const low = new Uint32Array(256);
const high = new Uint32Array(256);
/** The polynomial with its bits in reverse. */
const [polynomialHigh, polynomialLow] = [0x95ac9329, 0xac4bc9b5];

for (let byte = 0; byte < 256; byte += 1) {
  let [lo, hi] = [byte, 0];
  for (let bit = 0; bit < 8; bit += 1) {
    const isOdd = (lo & 1) === 1;
    lo = ((lo >>> 1) | (hi << 31)) >>> 0;
    hi = hi >>> 1;
    if (!isOdd) continue;
    lo = (lo ^ polynomialLow) >>> 0;
    hi = (hi ^ polynomialHigh) >>> 0;
  }
  low[byte] = lo;
  high[byte] = hi;
}

export type Crc64 = {
  readonly add: (bytes: Uint8Array) => void;
  readonly value: () => bigint;
};

export const createCrc64 = (): Crc64 => {
  let [lo, hi] = [0, 0];
  return {
    add: (bytes) => {
      let [l, h] = [lo, hi];
      for (const byte of bytes) {
        const at = (l ^ byte) & 0xff;
        l = ((l >>> 8) | (h << 24)) ^ (low[at] as number);
        h = (h >>> 8) ^ (high[at] as number);
      }
      [lo, hi] = [l, h];
    },
    value: () => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0),
  };
};
