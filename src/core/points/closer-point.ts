/**
 * Looks for a point after the chosen one that loses less and is as good: evidence, not hope. It is offered to a person and never taken by itself.
 */
import type { PointManifest, RecoveryPoint } from "../../model/manifest.ts";

const outcomes = (manifest: PointManifest) => [...manifest.checks, ...manifest.invariants];

/** Nothing that was asked at capture failed. */
export const passedAtCapture = (manifest: PointManifest): boolean =>
  outcomes(manifest).every(({ status }) => status !== "failed");

/** At least one check or invariant was asked of the source at capture and all passed. */
const provenGood = (manifest: PointManifest): boolean =>
  passedAtCapture(manifest) && outcomes(manifest).some(({ status }) => status === "passed");

/** Components of the scope whose schema in `other` is not that in `chosen`; a schema that is not known on both sides is no difference. */
export const schemaDifferences = (
  chosen: PointManifest,
  other: PointManifest,
  scope: readonly string[],
): readonly string[] =>
  scope.filter((name) => {
    const before = chosen.components[name]?.facts.schemaHash;
    const after = other.components[name]?.facts.schemaHash;
    return before !== undefined && after !== undefined && before !== after;
  });

const complete = (point: RecoveryPoint, scope: readonly string[]): boolean =>
  scope.every((name) => point.manifest.components[name] !== undefined && !point.missing.includes(name));

/**
 * The latest point in the unbroken run of good points after `chosen`. The run ends at the first point with a failed check or another schema:
 * what comes after it may have been mended by hand, but not to what the chosen point is.
 * @param newestFirst all points of the service
 */
export const closerPoint = (
  newestFirst: readonly RecoveryPoint[],
  chosen: RecoveryPoint,
  scope: readonly string[],
): RecoveryPoint | null => {
  const later = newestFirst
    .slice(
      0,
      newestFirst.findIndex(({ id }) => id === chosen.id),
    )
    .toReversed();
  let closer: RecoveryPoint | null = null;
  for (const candidate of later) {
    const bad =
      !passedAtCapture(candidate.manifest) || schemaDifferences(chosen.manifest, candidate.manifest, scope).length > 0;
    if (bad) break;
    if (provenGood(candidate.manifest) && complete(candidate, scope)) closer = candidate;
  }
  return closer;
};
