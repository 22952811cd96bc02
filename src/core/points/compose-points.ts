/**
 * Points of components that were captured on their own. Such a point stands for the service as it can be put together at its moment: of each other component
 * the newest whole part that was there by then. A view: what the vault holds is not changed by it, and each part stays with the point that it came with.
 */
import type { PointId } from "../../model/identifiers.ts";
import type { CapturedComponent, Composition, PointManifest, RecoveryPoint } from "../../model/manifest.ts";

const takenMs = ({ manifest }: RecoveryPoint): number => Date.parse(manifest.consistentAt);

/** Was it captured without the rest of its service? */
export const isPartial = ({ manifest }: RecoveryPoint): boolean => manifest.only !== undefined;

type Member = {
  readonly point: PointId;
  readonly captured: CapturedComponent;
  readonly isLost: boolean;
};

/**
 * @param points of one service or of several, in any order
 * @returns the same points in the same order; a partial one with the parts of others, and with what it is made of
 */
export const composePoints = (points: readonly RecoveryPoint[]): readonly RecoveryPoint[] => {
  if (!points.some(isPartial)) return points;
  const composed = new Map<PointId, RecoveryPoint>();
  for (const own of Map.groupBy(points, ({ manifest }) => manifest.service).values()) {
    for (const point of composeService(own)) composed.set(point.id, point);
  }
  return points.map((point) => composed.get(point.id) ?? point);
};

/** Goes through the points in the order of their moments, with the newest part of each component at hand. */
const composeService = function* (points: readonly RecoveryPoint[]): Iterable<RecoveryPoint> {
  const newest = new Map<string, Member>();
  for (const point of points.toSorted((a, b) => takenMs(a) - takenMs(b) || (a.id < b.id ? -1 : 1))) {
    const { id, manifest, missing } = point;
    // A side that an undo left is for those who name it.
    if (manifest.leftBy !== undefined) continue;
    for (const captured of Object.values(manifest.components)) {
      const isLost = missing.includes(captured.name);
      // One whose data is gone will do only where there is no other.
      if (!isLost || newest.get(captured.name)?.isLost !== false)
        newest.set(captured.name, { point: id, captured, isLost });
    }
    if (isPartial(point)) yield compose(point, newest);
  }
};

const compose = (point: RecoveryPoint, newest: ReadonlyMap<string, Member>): RecoveryPoint => {
  const { manifest } = point;
  const members: Record<string, Member> = {};
  const absent: string[] = [];
  for (const component of Object.keys(manifest.declaration.components)) {
    const member = newest.get(component);
    if (member === undefined) absent.push(component);
    else members[component] = member;
  }
  return {
    ...point,
    manifest: { ...manifest, ...composedManifest(manifest, members) },
    missing: Object.entries(members).flatMap(([component, { isLost }]) => (isLost ? [component] : [])),
    composed: compositionOf(members, absent),
  };
};

const composedManifest = (
  { consistency }: PointManifest,
  members: Readonly<Record<string, Member>>,
): Pick<PointManifest, "components" | "consistency"> => {
  const captured = Object.values(members).map((member) => member.captured);
  const isOfOne = new Set(Object.values(members).map(({ point }) => point)).size < 2;
  return {
    components: Object.fromEntries(captured.map((one) => [one.name, one])),
    consistency: isOfOne
      ? consistency
      : {
          mode: "composed",
          windowMs:
            Math.max(...captured.map(({ window }) => Date.parse(window.endAt))) -
            Math.min(...captured.map(({ window }) => Date.parse(window.beginAt))),
          proven: false,
        },
  };
};

const compositionOf = (members: Readonly<Record<string, Member>>, absent: readonly string[]): Composition => {
  const newestMs = Math.max(...Object.values(members).map(({ captured }) => Date.parse(captured.window.beginAt)));
  return {
    members: Object.entries(members)
      .map(([component, { point, captured }]) => ({
        component,
        point,
        at: captured.window.beginAt,
        skewMs: newestMs - Date.parse(captured.window.beginAt),
      }))
      .toSorted((a, b) => a.skewMs - b.skewMs),
    absent: [...absent],
  };
};

/** As of when all of it is: a composed point is as old as its oldest part. */
export const asOf = ({ manifest, composed }: RecoveryPoint): string =>
  composed === undefined
    ? manifest.consistentAt
    : [manifest.consistentAt, ...composed.members.map(({ at }) => at)].reduce((a, b) =>
        Date.parse(a) < Date.parse(b) ? a : b,
      );
