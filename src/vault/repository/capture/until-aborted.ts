/** Passes a stream on until the signal aborts, also while its source is silent. */
import type { ByteStream } from "../../../core/ports/bytes.ts";

/** @throws the signal's reason */
export async function* untilAborted(source: ByteStream, signal: AbortSignal): ByteStream {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => undefined);
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const iterator = source[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    if (!ended) {
      // Not awaited when aborted: a generator that waits for a silent source answers only after it.
      const closed = Promise.resolve(iterator.return?.()).catch(() => undefined);
      if (!signal.aborted) await closed;
    }
  }
}
