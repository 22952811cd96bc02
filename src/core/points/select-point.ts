/**
 * Chooses the recovery point that a frozen `--at` means, and looks for a later one that would lose less. Reads manifests only;
 * whether the vault still holds their bytes is the vault's to say (`missing`).
 */
import { shortId } from "../../model/identifiers.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { AtExpression } from "../time/at-expression.ts";
import { closerPoint } from "./closer-point.ts";

export type PointSelection = {
  readonly point: RecoveryPoint;
  /** A later point that is as good as the chosen one and would lose less. */
  readonly closer: RecoveryPoint | null;
};

export type SelectionOptions = {
  readonly service: string;
  /** Components that are to be recovered; all that the point has when left out. A damaged point will do if it has these. */
  readonly scope?: readonly string[];
};

/** Newest first; points of one instant by id, so that the order never depends on the order of listing. */
export const newestFirst = (points: readonly RecoveryPoint[]): readonly RecoveryPoint[] =>
  points.toSorted((a, b) => instantOf(b) - instantOf(a) || (a.id < b.id ? -1 : 1));

const instantOf = (point: RecoveryPoint): number => Date.parse(point.manifest.consistentAt);

/** `7f3a91c2 (2026-11-22T13:20:31.000Z)`: for errors, which know no time zone. */
const describe = (point: RecoveryPoint): string => `${shortId(point.id)} (${point.manifest.consistentAt})`;

const withId = (points: readonly RecoveryPoint[], prefix: string, service: string): RecoveryPoint => {
  const [found, ...others] = points.filter((point) => point.id.startsWith(prefix));
  const newest = points[0];
  if (found === undefined) {
    throw new RefloatError("point.unknown", `no point of ${service} has an id that starts with ${prefix}`, {
      ...(newest === undefined ? {} : { hint: `the newest is ${describe(newest)}` }),
      nextCommand: `refloat points ${service}`,
    });
  }
  if (others.length > 0) {
    const fitting = [found, ...others];
    const shown = fitting.slice(0, 4).map(describe).join(", ");
    throw new RefloatError(
      "point.ambiguous",
      `${fitting.length} points of ${service} have an id that starts with ${prefix}: ${shown}${fitting.length > 4 ? ", ..." : ""}`,
      { hint: "give more letters of the id", nextCommand: `refloat points ${service}` },
    );
  }
  return found;
};

const atInstant = (points: readonly RecoveryPoint[], instant: string, service: string): RecoveryPoint => {
  const found = points.find((point) => instantOf(point) <= Date.parse(instant));
  if (found !== undefined) return found;
  const oldest = points.at(-1);
  throw new RefloatError("point.unknown", `${service} has no point at or before ${instant}`, {
    ...(oldest === undefined ? {} : { hint: `the oldest is ${describe(oldest)}` }),
    nextCommand: `refloat points ${service}`,
  });
};

/** Members of the scope whose data is gone from the vault. */
const lostMembers = (point: RecoveryPoint, scope: readonly string[] | undefined): readonly string[] =>
  scope === undefined ? point.missing : point.missing.filter((name) => scope.includes(name));

const refuseIfDamaged = (point: RecoveryPoint, points: readonly RecoveryPoint[], options: SelectionOptions): void => {
  const lost = lostMembers(point, options.scope);
  if (lost.length === 0) return;
  const whole = Object.keys(point.manifest.components).filter((name) => !point.missing.includes(name));
  const earlier = points.find(
    (other) => instantOf(other) < instantOf(point) && lostMembers(other, options.scope).length === 0,
  );
  throw new RefloatError("point.damaged", `point ${describe(point)} has lost its data of ${lost.join(", ")}`, {
    state: "nothing was changed",
    hint: whole.length === 0 ? "nothing of it can be recovered" : `the rest of it is whole: --only ${whole.join(",")}`,
    nextCommand:
      earlier === undefined
        ? `refloat points ${options.service}`
        : `refloat plan ${options.service} --at ${shortId(earlier.id)}`,
  });
};

/**
 * The last point whose `consistentAt` is at or before the instant; the newest for `last`; the one with the id.
 * @param points of one service, in any order
 * @throws RefloatError point.unknown, point.ambiguous, point.damaged; each says what exists and what to type next
 */
export const selectPoint = (
  points: readonly RecoveryPoint[],
  at: AtExpression,
  options: SelectionOptions,
): PointSelection => {
  const ordered = newestFirst(points.filter((point) => point.manifest.service === options.service));
  const [newest] = ordered;
  if (newest === undefined) {
    throw new RefloatError("point.unknown", `${options.service} has no recovery point yet`, {
      nextCommand: `refloat capture ${options.service}`,
    });
  }
  const point =
    at.kind === "last"
      ? newest
      : at.kind === "id"
        ? withId(ordered, at.prefix, options.service)
        : atInstant(ordered, at.instant, options.service);
  refuseIfDamaged(point, ordered, options);
  return { point, closer: closerPoint(ordered, point, options.scope ?? Object.keys(point.manifest.components)) };
};
