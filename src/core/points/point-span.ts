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
