/**
 * Does the clock look right? Retention trusts it with what cannot be brought back, and a machine that starts with an empty battery, or a
 * time server that lies, would end every lock and push every point out of its bucket.
 */

const toleranceMs = 10 * 60_000;
const suspiciousGapMs = 30 * 86_400_000;
/** A gap is suspicious only where it is unlike the rhythm of the points. */
const timesTheRhythm = 10;

export type ClockDoubt =
  /** A point was taken later than it is now: this clock is slow, or the one of that capture was fast. */
  | { readonly kind: "future"; readonly at: string }
  /** Nothing was taken for very long, and all from before would go, or a lock would have ended in it: the clock may have jumped. */
  | { readonly kind: "gap"; readonly from: string; readonly to: string };

export const isFuture = (instant: string, now: string): boolean => Date.parse(instant) > Date.parse(now) + toleranceMs;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/**
 * The longest time without a point, if it is out of proportion; between the newest and now counts as well.
 * @param newestFirst at least one, none in the future
 */
const longestGap = (newestFirst: readonly string[], now: string) => {
  const instants = [now, ...newestFirst].map((instant) => Date.parse(instant));
  const gaps = instants.slice(1).map((instant, index) => (instants[index] ?? instant) - instant);
  const longest = Math.max(...gaps);
  const rhythm = median(gaps.filter((_gap, index) => index !== gaps.indexOf(longest)));
  return longest > suspiciousGapMs && longest > rhythm * timesTheRhythm ? gaps.indexOf(longest) : null;
};

/**
 * @param points newest first; `lockEnd` of a lock that has ended by this clock, null without one
 * @returns why nothing should expire now; null when the clock is believed
 */
export const clockDoubt = (
  points: readonly { readonly at: string; readonly expires: boolean; readonly lockEnd: string | null }[],
  now: string,
): ClockDoubt | null => {
  const future = points.find(({ at }) => isFuture(at, now));
  if (future !== undefined) return { kind: "future", at: future.at };
  const gap =
    points.length === 0
      ? null
      : longestGap(
          points.map(({ at }) => at),
          now,
        );
  if (gap === null) return null;
  const before = points.slice(gap);
  const from = before[0]?.at ?? now;
  const to = points[gap - 1]?.at ?? now;
  const allGo = before.every(({ expires }) => expires);
  const lockEndedWithin = before.some(({ expires, lockEnd }) => expires && lockEnd !== null && lockEnd > from);
  return allGo || lockEndedWithin ? { kind: "gap", from, to } : null;
};
