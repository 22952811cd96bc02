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
  const byService = Map.groupBy(points, ({ manifest }) => manifest.service);
  return points.map((point) =>
    isPartial(point) ? compose(point, byService.get(point.manifest.service) ?? []) : point,
  );
};

const compose = (point: RecoveryPoint, all: readonly RecoveryPoint[]): RecoveryPoint => {
  const { manifest } = point;
  // A side that an undo left is for those who name it.
  const before = all
    .filter(
      (other) => other.id === point.id || (takenMs(other) <= takenMs(point) && other.manifest.leftBy === undefined),
    )
    .toSorted((a, b) => takenMs(b) - takenMs(a) || (a.id === point.id ? -1 : 1));
  const members: Record<string, Member> = {};
  const absent: string[] = [];
  for (const component of Object.keys(manifest.declaration.components)) {
    const member = newestMember(component, before);
    if (member === null) absent.push(component);
    else members[component] = member;
  }
  return {
    ...point,
    manifest: { ...manifest, ...composedManifest(manifest, members) },
    missing: Object.entries(members).flatMap(([component, { isLost }]) => (isLost ? [component] : [])),
    composed: compositionOf(members, absent),
  };
};

/** The newest whole one; one whose data is gone only where there is no other. */
const newestMember = (component: string, before: readonly RecoveryPoint[]): Member | null => {
  const found = before.flatMap(({ id, manifest, missing }): readonly Member[] => {
    const captured = manifest.components[component];
    return captured === undefined ? [] : [{ point: id, captured, isLost: missing.includes(component) }];
  });
  return found.find(({ isLost }) => !isLost) ?? found[0] ?? null;
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
