/** What the roots of a vault's points say together: which points were there and are gone. Pure. */
import type { PointId } from "../../model/identifiers.ts";
import type { PointRoot } from "../../model/point-root.ts";

export type RootVerdict =
  | { readonly status: "proven"; readonly root: PointRoot }
  /** Made by a version that gave points no root. */
  | { readonly status: "none" }
  /** Made in another vault, whose key is not known here. */
  | { readonly status: "foreign"; readonly vault: string }
  | { readonly status: "broken"; readonly reason: string };

export type RootedPoint = {
  readonly point: PointId;
  readonly service: string;
  readonly verdict: RootVerdict;
  /** Points that a copy names and that were not in its vault when it came there: nobody took them away from it. */
  readonly without?: readonly PointId[];
};

/** A point that a later one names, and that is no longer in the vault. */
export type GonePoint = { readonly point: PointId; readonly service: string; readonly namedBy: PointId };

/** Each gone point once, however many name it. */
export const gonePoints = (
  points: readonly RootedPoint[],
  isPresent: (point: PointId) => boolean,
): readonly GonePoint[] => {
  const gone = new Map<PointId, GonePoint>();
  for (const { point: namedBy, verdict, without = [] } of points) {
    if (verdict.status !== "proven") continue;
    for (const { point, service } of verdict.root.after) {
      if (!isPresent(point) && !gone.has(point) && !without.includes(point))
        gone.set(point, { point, service, namedBy });
    }
  }
  return [...gone.values()];
};

/** A point whose content is sound and that another one remembers otherwise: one of the two was replaced by somebody with the key. */
export const contradictedPoints = (points: readonly RootedPoint[]): ReadonlyMap<PointId, PointId> => {
  const roots = new Map(
    points.map(({ point, verdict }) => [point, verdict.status === "proven" ? verdict.root.root : null] as const),
  );
  const contradicted = new Map<PointId, PointId>();
  for (const { point: namedBy, verdict } of points) {
    if (verdict.status !== "proven") continue;
    for (const { point, root } of verdict.root.after) {
      const found = roots.get(point) ?? null;
      if (root !== null && found !== null && found !== root) contradicted.set(point, namedBy);
    }
  }
  return contradicted;
};

/** Of the points given, those that no other of them names. */
export const chainHeads = (points: readonly RootedPoint[]): readonly RootedPoint[] => {
  const named = new Set(
    points.flatMap(({ verdict }) => (verdict.status === "proven" ? verdict.root.after.map(({ point }) => point) : [])),
  );
  return points.filter(({ point }) => !named.has(point));
};
