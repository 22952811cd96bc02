/** Between which instants a point, or a part of it, was read. */
import type { RecoveryPoint } from "../../model/manifest.ts";

/**
 * Whether all of it had been read by then: a point whose capture an instant falls into is of both sides.
 * @param scope components that count; all when left out
 */
export const endedBy = ({ manifest }: RecoveryPoint, instant: string, scope?: readonly string[]): boolean => {
  const parts = Object.values(manifest.components).filter(({ name }) => scope?.includes(name) !== false);
  const ends = parts.map(({ window }) => Date.parse(window.endAt));
  return Math.max(Date.parse(manifest.consistentAt), ...ends) <= Date.parse(instant);
};

/** One that is nearest to a moment by its begin, and the components of it that were read later than that moment. */
export type PassedPoint = { readonly point: RecoveryPoint; readonly tooLate: readonly string[] };

/** When the last of those components had been read. */
export const readBy = ({ point: { manifest }, tooLate }: PassedPoint): string =>
  tooLate
    .map((name) => manifest.components[name]?.window.endAt ?? manifest.finishedAt)
    .reduce((a, b) => (Date.parse(a) > Date.parse(b) ? a : b));
