/** Of points that are put together from parts of several times, the set whose parts are closest together. Pure. */
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { ClosestSet } from "../../model/plan.ts";

/** When each part was read, ms; null where one is not there or has lost its data. */
const partsOf = (point: RecoveryPoint, scope: readonly string[]): readonly number[] | null => {
  const { components } = point.manifest;
  const ends = scope.flatMap((name) => (point.missing.includes(name) ? [] : (components[name]?.window.beginAt ?? [])));
  return ends.length === scope.length ? ends.map((at) => Date.parse(at)) : null;
};

const skewOf = (parts: readonly number[]): number => Math.max(...parts) - Math.min(...parts);

/**
 * One that is closer together than the chosen one, and newer than the oldest part of that: what it loses is of the newer parts alone. Of several as close the
 * newest.
 * @param points of the service, put together @param scope components that are to be recovered
 */
export const closestSet = (
  chosen: RecoveryPoint,
  points: readonly RecoveryPoint[],
  scope: readonly string[],
): ClosestSet | null => {
  const own = partsOf(chosen, scope);
  if (own === null || scope.length === 0) return null;
  const [from, to] = [Math.min(...own), Date.parse(chosen.manifest.consistentAt)];
  let best: { readonly point: RecoveryPoint; readonly skewMs: number } | null = null;
  for (const point of points) {
    const at = Date.parse(point.manifest.consistentAt);
    const parts = point.manifest.leftBy === undefined && at >= from && at <= to ? partsOf(point, scope) : null;
    if (parts === null || skewOf(parts) >= skewOf(own)) continue;
    const skewMs = skewOf(parts);
    const isNewer = best !== null && at > Date.parse(best.point.manifest.consistentAt);
    if (best === null || skewMs < best.skewMs || (skewMs === best.skewMs && isNewer)) best = { point, skewMs };
  }
  if (best === null) return null;
  const { point, skewMs } = best;
  const earlier = scope.flatMap((component, index) => {
    const ms = (own[index] ?? 0) - (partsOf(point, scope)?.[index] ?? 0);
    return ms > 0 ? [{ component, ms }] : [];
  });
  return { point: point.id, at: point.manifest.consistentAt, skewMs, earlier };
};
