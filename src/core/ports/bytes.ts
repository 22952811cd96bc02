/** A stream of bytes with back-pressure: the consumer pulls. Chunks are not reused after they were yielded. */
export type ByteStream = AsyncIterable<Uint8Array>;

/**
 * A stream that ends by a seal. The end of `bytes` alone proves nothing: a producer that was killed at a row boundary looks
 * the same as one that finished. The consumer reads `bytes` to the end and then awaits `seal`, which resolves only if the
 * producer ended well (exit status 0, its own count of rows) and throws otherwise.
 */
export type SealedStream = {
  readonly bytes: ByteStream;
  readonly seal: () => Promise<{ readonly rows?: number }>;
};
