/**
 * Looks for a point after the chosen one that loses less and is as good: evidence, not hope. It is offered to a person and never taken by itself.
 */
import type { PointManifest, RecoveryPoint } from "../../model/manifest.ts";
import type { Mark } from "../../model/mark.ts";
import type { CloserReason } from "../../model/plan.ts";
import { endedBy } from "./point-span.ts";

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

/** A point that would lose less, and what speaks for it. */
export type CloserPoint = { readonly point: RecoveryPoint; readonly why: CloserReason };

export type CloserQuestion = {
  readonly scope: readonly string[];
  /** Of the service. */
  readonly marks: readonly Mark[];
  /** The moment that was asked for, ISO; null where none was. */
  readonly wanted: string | null;
  /** What was read after this instant is in doubt, ISO. */
  readonly doubtedSince: string | null;
};

/**
 * Of the unbroken run of points after `chosen` that are not known to be bad: the latest that is proven good; else the last one before the
 * first mark after `chosen`, since something was done there; else the next one, if it is nearer to the wanted moment. The run ends at the first
 * point with a failed check or another schema: what comes after it may have been mended by hand, but not to what the chosen point is.
 * @param newestFirst all points of the service
 */
export const closerPoint = (
  newestFirst: readonly RecoveryPoint[],
  chosen: RecoveryPoint,
  { scope, marks, wanted, doubtedSince }: CloserQuestion,
): CloserPoint | null => {
  const index = newestFirst.findIndex(({ id }) => id === chosen.id);
  const later: RecoveryPoint[] = [];
  for (const candidate of newestFirst.slice(0, Math.max(0, index)).toReversed()) {
    const bad =
      !passedAtCapture(candidate.manifest) ||
      schemaDifferences(chosen.manifest, candidate.manifest, scope).length > 0 ||
      (doubtedSince !== null && !endedBy(candidate, doubtedSince, scope));
    if (bad) break;
    if (complete(candidate, scope)) later.push(candidate);
  }
  const markAfter = (point: RecoveryPoint): Mark | undefined =>
    marks
      .filter(({ at }) => endedBy(point, at, scope))
      .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
      .at(0);
  const following = (point: RecoveryPoint): Pick<CloserReason, "mark"> => {
    const mark = markAfter(point);
    const next = newestFirst[newestFirst.findIndex(({ id }) => id === point.id) - 1];
    // Of the mark only its last point before it can be told.
    return mark === undefined || (next !== undefined && endedBy(next, mark.at, scope))
      ? {}
      : { mark: { name: mark.name, at: mark.at } };
  };
  const proven = later.findLast(({ manifest }) => provenGood(manifest));
  if (proven !== undefined) return { point: proven, why: { checked: true, ...following(proven) } };
  const first = markAfter(chosen);
  const beforeMark = first === undefined ? undefined : later.findLast((point) => endedBy(point, first.at, scope));
  if (first !== undefined && beforeMark !== undefined)
    return { point: beforeMark, why: { checked: false, mark: { name: first.name, at: first.at } } };
  const [next] = later;
  if (next === undefined || wanted === null || first !== undefined) return null;
  const afterMs = takenAt(next) - Date.parse(wanted);
  return afterMs < Date.parse(wanted) - takenAt(chosen) ? { point: next, why: { checked: false, afterMs } } : null;
};

const takenAt = ({ manifest }: RecoveryPoint): number => Date.parse(manifest.consistentAt);
