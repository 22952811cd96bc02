/**
 * Where things lie. The tables come first, at addresses that are constants: then a look-up needs no addition. The compiler's own data
 * begins behind all of this (`--memoryBase` in scripts/build-wasm.ts).
 */
export const REDUCE: usize = 0;
export const LEAVE: usize = 2048;
/** Where the caller puts the bytes of one call. */
export const STAGING: usize = 4096;
export const STAGING_BYTES: i32 = 128 * 1024;
