/**
 * Gives the memory of a large buffer back at once. Ciphers and compressors return a new one for every blob, and the garbage collector
 * lets each thread gather some 80 MB of them before it looks.
 */

const leastBytes = 64 * 1024;

/** @param bytes owned by the caller alone; empty afterwards, like every view of the same memory */
export const releaseMemory = ({ buffer, byteLength }: Uint8Array): void => {
  // Small ones may lie in Node's pool beside others.
  if (byteLength >= leastBytes && buffer instanceof ArrayBuffer) buffer.transfer(0);
};
