/**
 * Gives the memory of a buffer back at once. Ciphers and compressors return a new one for every blob, and the garbage collector lets
 * each thread gather some 80 MB of them before it looks; then it marks the whole heap for the sake of what lies outside of it.
 */

/** Below this the act costs more than the collector does. */
const leastBytes = 4 * 1024;

/** @param bytes owned by the caller alone; empty afterwards, like every view of the same memory */
export const releaseMemory = ({ buffer, byteLength }: Uint8Array): void => {
  // What is only a part of its memory may lie in Node's pool beside others.
  if (byteLength < leastBytes || buffer.byteLength !== byteLength || !(buffer instanceof ArrayBuffer)) return;
  buffer.transfer(0);
};
