/** Reads components in their order. Where they may overlap, the next one is begun as soon as nothing can change any more what is read of the one before. */

export type ReadOptions = {
  readonly overlap: boolean;
  readonly signal: AbortSignal;
  /** All is read, or its view is fixed. Waited for beside what is still being read. */
  readonly onSteady: () => Promise<void>;
};

/**
 * @param read calls `pinned` once its view is fixed, if it ever is before its end
 * @throws the first error, when all others have ended; they are aborted
 */
export const readInOrder = async <Read>(
  names: readonly string[],
  read: (name: string, pinned: () => void, signal: AbortSignal) => Promise<Read>,
  { overlap, signal: outer, onSteady }: ReadOptions,
): Promise<readonly Read[]> => {
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  const reads: Promise<Read>[] = [];
  const begin = (name: string): Promise<unknown> => {
    const steady = Promise.withResolvers<void>();
    const reading = read(name, overlap ? steady.resolve : () => undefined, signal);
    reading.catch((error: unknown) => failed.abort(error));
    reads.push(reading);
    return Promise.race([steady.promise, reading]);
  };
  try {
    for (const name of names) {
      await begin(name);
      signal.throwIfAborted();
    }
    const [done] = await Promise.all([Promise.all(reads), onSteady()]);
    return done;
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(reads);
    // Those that were aborted throw the reason, which is what happened first.
    throw failed.signal.reason;
  }
};
