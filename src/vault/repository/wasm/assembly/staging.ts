/** Where the caller puts the bytes of one call. */
export const STAGING_BYTES: i32 = 128 * 1024;
export const staging: usize = memory.data(128 * 1024, 16);
