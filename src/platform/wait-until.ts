/** Waits for what nobody tells of: it is asked for again and again. */
import type { Clock } from "../core/ports/environment.ts";

const usualMs = 20;

/**
 * Asks until it is true, at least once.
 * @param timeoutMs by a monotonic clock
 * @returns false when the time is over; throws the signal's reason when aborted
 */
export const waitUntil = async (
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  timeoutMs: number,
  isTrue: () => boolean | Promise<boolean>,
): Promise<boolean> => {
  const deadline = clock.monotonicMs() + timeoutMs;
  while (!(await isTrue())) {
    if (clock.monotonicMs() > deadline) return false;
    await clock.sleep(usualMs, signal);
  }
  return true;
};
