/**
 * Chooses the recovery point that a frozen `--at` means, and looks for a later one that would lose less. Reads manifests and what it is told
 * of marks, runs and verifications; whether the vault still holds their bytes is the vault's to say (`missing`).
 */
import { shortId } from "../../model/identifiers.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { Mark } from "../../model/mark.ts";
import type { PointChoice } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { RunMoment } from "../run/run-moment.ts";
import type { AtExpression } from "../time/at-expression.ts";
import { type CloserPoint, closerPoint } from "./closer-point.ts";
import { markedMoment, runMomentOf } from "./named-moment.ts";
import { earlier, isSuspect } from "./open-incident.ts";
import { endedBy } from "./point-span.ts";

export type PointSelection = {
  readonly point: RecoveryPoint;
  /** Why it is this one. */
  readonly chosen: PointChoice;
  /** A later point that would lose less. */
  readonly closer: CloserPoint | null;
};

export type SelectionOptions = {
  readonly service: string;
  /** Components that are to be recovered; all that the point has when left out. A damaged point will do if it has these. */
  readonly scope?: readonly string[];
  /** What `before MARK` may mean. Of the service, in any order. */
  readonly marks?: readonly Mark[];
  /** What `before run 42` may mean, of any service. */
  readonly runs?: readonly RunMoment[];
  /** By id of the point, ISO: all that it needs was read at this instant or later, and was sound. */
  readonly verified?: Readonly<Record<string, string>>;
  /** Since when an open incident doubts what was read, ISO: `last` is then the last from before it. */
  readonly incidentSince?: string | null;
  /** Ids of points that go beyond the moment that is asked for. */
  readonly passedOver?: ReadonlySet<string>;
};

/** Newest first; points of one instant by id, so that the order never depends on the order of listing. */
export const newestFirst = (points: readonly RecoveryPoint[]): readonly RecoveryPoint[] =>
  points.toSorted((a, b) => instantOf(b) - instantOf(a) || (a.id < b.id ? -1 : 1));

const instantOf = (point: RecoveryPoint): number => Date.parse(point.manifest.consistentAt);

/** Points of a side that an undo left are for those who name them: it was left for a reason. They will do where there is nothing else. */
export const withoutLeft = (points: readonly RecoveryPoint[]): readonly RecoveryPoint[] => {
  const others = points.filter(({ manifest }) => manifest.leftBy === undefined);
  return others.length === 0 ? points : others;
};

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

/** The last one of which all that is asked for had been read before something happened. */
const beforeMoment = (
  points: readonly RecoveryPoint[],
  { at }: Extract<PointChoice, { readonly kind: "mark" | "run" }>,
  what: string,
  { service, scope }: SelectionOptions,
): RecoveryPoint => {
  const found = points.find((point) => endedBy(point, at, scope));
  if (found !== undefined) return found;
  const oldest = points.at(-1);
  throw new RefloatError("point.unknown", `${service} has no point from before ${what} (${at})`, {
    ...(oldest === undefined ? {} : { hint: `the oldest is ${describe(oldest)}` }),
    nextCommand: `refloat points ${service}`,
  });
};

const last = (
  points: readonly [RecoveryPoint, ...(readonly RecoveryPoint[])],
  { service, scope, incidentSince = null }: SelectionOptions,
): Omit<PointSelection, "closer"> => {
  if (incidentSince === null) return { point: points[0], chosen: { kind: "last" } };
  const point = points.find((candidate) => !isSuspect(candidate, incidentSince, scope));
  if (point !== undefined) return { point, chosen: { kind: "incident", at: incidentSince } };
  throw new RefloatError("point.unknown", `${service} has no point from before its incident (${incidentSince})`, {
    hint: `all points are in doubt; to recover one all the same, name it: --at ${shortId(points[0].id)}`,
    nextCommand: `refloat points ${service}`,
  });
};

const lastVerified = (
  points: readonly RecoveryPoint[],
  { service, scope, verified = {}, incidentSince = null }: SelectionOptions,
): { readonly point: RecoveryPoint; readonly at: string } => {
  for (const point of points) {
    const at = verified[point.id];
    if (at !== undefined && lostMembers(point, scope).length === 0 && !isSuspect(point, incidentSince, scope))
      return { point, at };
  }
  throw new RefloatError(
    "point.unknown",
    `this machine has verified no point of ${service} that is whole${incidentSince === null ? "" : " and from before its incident"}`,
    {
      hint: "verify reads the bytes of all points, and remembers on this machine which ones were sound",
      nextCommand: "refloat verify --read-data",
    },
  );
};

const choose = (
  points: readonly [RecoveryPoint, ...(readonly RecoveryPoint[])],
  at: AtExpression,
  options: SelectionOptions,
): Omit<PointSelection, "closer"> => {
  const { service, marks = [], runs = [] } = options;
  switch (at.kind) {
    case "last":
      return last(points, options);
    case "id":
      return { point: withId(points, at.prefix, service), chosen: { kind: "id" } };
    case "instant":
      return { point: atInstant(points, at.instant, service), chosen: { kind: "instant", at: at.instant } };
    case "last-verified": {
      const { point, at: verifiedAt } = lastVerified(points, options);
      return { point, chosen: { kind: "verified", at: verifiedAt } };
    }
    case "before-mark": {
      const chosen = markedMoment(at, marks, service);
      return { point: beforeMoment(points, chosen, `mark "${chosen.name}"`, options), chosen };
    }
    case "before-run": {
      const chosen = runMomentOf(at, runs, service);
      return { point: beforeMoment(points, chosen, `run ${chosen.run}`, options), chosen };
    }
    case "log-target": {
      const { text: _text, ...target } = at;
      return { point: atInstant(points, at.at, service), chosen: target };
    }
    default:
      return at satisfies never;
  }
};

/** Of what was asked to come before something, or to end exactly with it, nothing after it is closer. */
const boundOf = (chosen: PointChoice): string | null =>
  chosen.kind === "mark" || chosen.kind === "run" || chosen.kind === "log-target" ? chosen.at : null;

/**
 * The last point whose `consistentAt` is at or before the instant; for `last` the newest, or the newest from before an open incident; the one with the id; the last one that had been read whole
 * when a mark was made or a run changed what is live.
 * @param points of one service, in any order
 * @throws RefloatError point.unknown, point.ambiguous, point.damaged, mark.unknown, run.unknown; each says what exists and what to type next
 */
export const selectPoint = (
  points: readonly RecoveryPoint[],
  at: AtExpression,
  options: SelectionOptions,
): PointSelection => {
  const own = points.filter(
    ({ id, manifest }) => manifest.service === options.service && options.passedOver?.has(id) !== true,
  );
  const [newest, ...others] = newestFirst(at.kind === "id" ? own : withoutLeft(own));
  if (newest === undefined) {
    throw new RefloatError("point.unknown", `${options.service} has no recovery point yet`, {
      nextCommand: `refloat capture ${options.service}`,
    });
  }
  const ordered = [newest, ...others] as const;
  const { point, chosen } = choose(ordered, at, options);
  refuseIfDamaged(point, ordered, options);
  const closer = closerPoint(ordered, point, {
    scope: options.scope ?? Object.keys(point.manifest.components),
    marks: options.marks ?? [],
    wanted: at.kind === "instant" ? at.instant : null,
    doubtedSince: earlier(boundOf(chosen), options.incidentSince ?? null),
  });
  return { point, chosen, closer };
};
