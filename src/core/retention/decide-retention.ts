/**
 * Decides which recovery points of a service may expire, and why each stays. Pure: whether the store lets go of a point, and what else
 * uses its data, is for the vault to say.
 *
 * A lock wins over everything. Nothing expires without a `keep:`, or while an incident is open; the newest point and the last good one never
 * do, nor what a person holds or a run may still go back to.
 */
import type { Keep } from "../../model/declaration.ts";
import type { PointId } from "../../model/identifiers.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import { passedAtCapture } from "../points/closer-point.ts";
import { composePoints } from "../points/compose-points.ts";
import { declaredLock } from "../points/point-locks.ts";
import { newestFirst } from "../points/select-point.ts";
import { type ClockDoubt, clockDoubt, isFuture } from "./clock-doubts.ts";
import { type BucketPlace, keepPlaces } from "./keep-buckets.ts";

export type KeepReason =
  | ({ readonly kind: "bucket" } & BucketPlace)
  | { readonly kind: "newest" }
  | { readonly kind: "last-good" }
  | { readonly kind: "locked"; readonly until: string }
  | { readonly kind: "held"; readonly reason: string }
  | { readonly kind: "tagged"; readonly tag: string }
  | { readonly kind: "needed"; readonly run: number }
  /** The log of the component goes on from it: without it the window of `pitr:` would be shorter. */
  | { readonly kind: "window"; readonly component: string }
  /** Parts of it stand in for what a point that stays was captured without. */
  | { readonly kind: "member"; readonly point: PointId; readonly components: readonly string[] }
  /** Nothing of a service expires while it is open: how far back the harm goes is known when it is over. */
  | { readonly kind: "incident"; readonly since: string }
  | { readonly kind: "future" }
  | { readonly kind: "no-policy" };

export type PointDecision = {
  readonly point: RecoveryPoint;
  readonly verdict: "keep" | "expire";
  /** Why it stays, the strongest reason first; empty for one that may expire. */
  readonly reasons: readonly KeepReason[];
};

export type RetentionDecision = {
  /** Newest first. */
  readonly points: readonly PointDecision[];
  /** Why nothing expires although some would; null when the clock is believed. */
  readonly doubt: ClockDoubt | null;
};

export type RetentionInput = {
  /** Of one service, in any order. */
  readonly points: readonly RecoveryPoint[];
  /** Null when the service declares none, or is declared no more. */
  readonly keep: Keep | null;
  readonly holds: readonly { readonly point: string; readonly reason: string }[];
  /** Locks that the store has confirmed, by point: they may be longer than what was declared. */
  readonly lockedUntil: ReadonlyMap<string, string>;
  /** Points that runs may still go back to. */
  readonly needed: readonly { readonly point: string; readonly run: number }[];
  /** Points that windows of `pitr:` begin with. */
  readonly windows?: readonly { readonly point: string; readonly component: string }[];
  /** Since when the service is known to be wrong, ISO; null while no incident is open. */
  readonly incidentSince: string | null;
  /** ISO. */
  readonly now: string;
  readonly timeZone: string;
  /** A person has looked at the clock. */
  readonly trustClock: boolean;
};

const takenAt = ({ manifest }: RecoveryPoint): string => manifest.consistentAt;

const isWhole = ({ missing }: RecoveryPoint): boolean => missing.length === 0;

/** Places by point. Damaged points may take places of their own, but never one of a whole point. */
const placesOf = (points: readonly RecoveryPoint[], keep: Keep, timeZone: string) => {
  const places = new Map<string, readonly BucketPlace[]>();
  for (const group of [points, points.filter(isWhole)]) {
    const taken = keepPlaces(group.map(takenAt), keep, timeZone);
    for (const [index, point] of group.entries()) if (taken[index]?.length) places.set(point.id, taken[index]);
  }
  return places;
};

/** The later one of what was declared and what the store has confirmed. */
const lockEnd = (point: RecoveryPoint, lockedUntil: RetentionInput["lockedUntil"]): string | null =>
  [declaredLock(point.manifest)?.until.toISOString() ?? null, lockedUntil.get(point.id) ?? null]
    .filter((end) => end !== null)
    .sort()
    .at(-1) ?? null;

/** What was captured alone is worth nothing without the parts of others: they stay as long as it does. */
const withMembers = (decided: readonly PointDecision[]): readonly PointDecision[] => {
  const kept = new Set(decided.flatMap(({ point, verdict }) => (verdict === "keep" ? [point.id] : [])));
  const composed = composePoints(decided.map(({ point }) => point)).filter(({ id }) => kept.has(id));
  return decided.map((decision) => {
    const { id } = decision.point;
    const reasons = composed.flatMap((other): readonly KeepReason[] => {
      const parts = (other.composed?.members ?? []).filter(({ point }) => point === id && other.id !== id);
      if (parts.length === 0) return [];
      return [{ kind: "member", point: other.id, components: parts.map(({ component }) => component) }];
    });
    if (reasons.length === 0) return decision;
    return { ...decision, verdict: "keep", reasons: [...decision.reasons, ...reasons.slice(0, 1)] };
  });
};

export const decideRetention = (input: RetentionInput): RetentionDecision => {
  const { holds, lockedUntil, needed, incidentSince, now, timeZone } = input;
  // `keep: {}` says nothing, and nothing is not "keep none".
  const keep = input.keep === null || Object.keys(input.keep).length === 0 ? null : input.keep;
  const ordered = newestFirst(input.points);
  const past = ordered.filter((point) => !isFuture(takenAt(point), now));
  const places = keep === null ? new Map<string, readonly BucketPlace[]>() : placesOf(past, keep, timeZone);
  const newest = past[0];
  const lastGood = past.find((point) => isWhole(point) && passedAtCapture(point.manifest));

  const reasonsOf = (point: RecoveryPoint): readonly KeepReason[] => {
    const until = lockEnd(point, lockedUntil);
    return [
      ...(until !== null && Date.parse(until) > Date.parse(now) ? [{ kind: "locked" as const, until }] : []),
      ...holds.filter((hold) => hold.point === point.id).map(({ reason }) => ({ kind: "held" as const, reason })),
      ...needed.filter((need) => need.point === point.id).map(({ run }) => ({ kind: "needed" as const, run })),
      ...(input.windows ?? [])
        .filter((window) => window.point === point.id)
        .map(({ component }) => ({ kind: "window" as const, component })),
      ...(incidentSince === null ? [] : [{ kind: "incident" as const, since: incidentSince }]),
      ...(isFuture(takenAt(point), now) ? [{ kind: "future" as const }] : []),
      ...(point === newest ? [{ kind: "newest" as const }] : []),
      ...(point === lastGood ? [{ kind: "last-good" as const }] : []),
      ...(point.manifest.tags ?? [])
        .filter((tag) => keep?.tags?.includes(tag))
        .map((tag) => ({ kind: "tagged" as const, tag })),
      ...(places.get(point.id) ?? []).map((place) => ({ kind: "bucket" as const, ...place })),
      ...(keep === null ? [{ kind: "no-policy" as const }] : []),
    ];
  };

  const decided = withMembers(
    ordered.map((point): PointDecision => {
      const reasons = reasonsOf(point);
      return { point, verdict: reasons.length === 0 ? "expire" : "keep", reasons };
    }),
  );
  const expiring = decided.filter(({ verdict }) => verdict === "expire");
  const doubt =
    input.trustClock || expiring.length === 0
      ? null
      : clockDoubt(
          decided.map(({ point, verdict }) => ({
            at: takenAt(point),
            expires: verdict === "expire",
            lockEnd: lockEnd(point, lockedUntil),
          })),
          now,
        );
  return {
    points: doubt === null ? decided : decided.map((decision) => ({ ...decision, verdict: "keep" as const })),
    doubt,
  };
};
