/** Passes a stream on until the signal aborts, also while its source is silent. */
import type { ByteStream } from "../../../core/ports/bytes.ts";

/** @throws the signal's reason */
export async function* untilAborted(source: ByteStream, signal: AbortSignal): ByteStream {
  signal.throwIfAborted();
  const iterator = source[Symbol.asyncIterator]();
  // Of the piece that is waited for. One promise for all of them, raced with each, would hold on to every piece until the end of the stream.
  let giveUp: (reason: unknown) => void = () => undefined;
  const abort = (): void => giveUp(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  let ended = false;
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        giveUp = reject;
        iterator.next().then(resolve, reject);
        if (signal.aborted) abort();
      });
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
