/**
 * When points of a service were due and were not taken. Judged only between points of which the chain of points shows that nothing lay between:
 * what expired was taken once. Pure.
 */
import type { RecoveryPoint } from "../../model/manifest.ts";
import { nextDue, overdueSince } from "./overdue.ts";
import type { RootedPoint } from "./root-chain.ts";

export type CoverageGap = {
  /** When the first point that is missed was due, ISO. */
  readonly from: string;
  /** When the next one was taken, ISO; null for a gap that goes on. */
  readonly to: string | null;
  /** How many were due in it. */
  readonly missed: number;
};

export type CoverageInput = {
  readonly service: string;
  /** Of all services, in any order. */
  readonly points: readonly RecoveryPoint[];
  /** As declared now. What was declared earlier is in the points. */
  readonly schedule: string | undefined;
  readonly chain: readonly RootedPoint[];
  readonly now: string;
  readonly timeZone: string;
};

const takenAt = ({ manifest }: RecoveryPoint): string => manifest.consistentAt;

/** So late is missed: a tenth before the next one is due. */
const lateness = 0.1;

const mostCounted = 1000;

export const coverageGaps = (input: CoverageInput): readonly CoverageGap[] => {
  const { service, points, schedule, chain, now, timeZone } = input;
  const ordered = points
    .filter(({ manifest }) => manifest.service === service)
    .toSorted((a, b) => Date.parse(takenAt(a)) - Date.parse(takenAt(b)));
  const follows = chainOf(chain, points);
  const closed = ordered.slice(1).flatMap((next, index): readonly CoverageGap[] => {
    const before = ordered[index];
    const declared = before?.manifest.declaration.schedule;
    if (before === undefined || declared === undefined || !follows(next, before)) return [];
    const missed = missedBetween(declared, takenAt(before), takenAt(next), timeZone);
    return missed === null ? [] : [{ ...missed, to: takenAt(next) }];
  });
  const last = ordered.at(-1);
  const overdue = overdueSince(schedule, last === undefined ? null : takenAt(last), now, timeZone);
  if (overdue === null || schedule === undefined) return closed;
  return [...closed, { from: overdue, to: null, missed: dueWithin(schedule, overdue, Date.parse(now), timeZone) }];
};

const missedBetween = (
  schedule: string,
  before: string,
  next: string,
  timeZone: string,
): Pick<CoverageGap, "from" | "missed"> | null => {
  const due = nextDue(schedule, before, timeZone);
  const after = due === null ? null : nextDue(schedule, due.toISOString(), timeZone);
  if (due === null || after === null) return null;
  const spare = (after.getTime() - due.getTime()) * lateness;
  const end = Date.parse(next) + spare;
  if (end < after.getTime()) return null;
  // The last one that was due is the one that was taken.
  return { from: due.toISOString(), missed: Math.max(1, dueWithin(schedule, due.toISOString(), end, timeZone) - 1) };
};

/** How many are due from `first` on, which is one, until the end. */
const dueWithin = (schedule: string, first: string, endMs: number, timeZone: string): number => {
  let [count, at]: [number, Date | null] = [0, new Date(first)];
  while (at !== null && at.getTime() <= endMs && count < mostCounted) {
    count += 1;
    at = nextDue(schedule, at.toISOString(), timeZone);
  }
  return count;
};

/** Whether the later point came right after the earlier one, by what it names, and what points of other services between them name. */
const chainOf = (chain: readonly RootedPoint[], points: readonly RecoveryPoint[]) => {
  const finishedAt = new Map<string, number>(points.map(({ id, manifest }) => [id, Date.parse(manifest.finishedAt)]));
  const rooted = new Map<string, RootedPoint>(chain.map((one) => [one.point, one]));
  return (later: RecoveryPoint, before: RecoveryPoint): boolean => {
    const waiting: string[] = [later.id];
    const seen = new Set<string>();
    let found = false;
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (seen.has(id)) continue;
      seen.add(id);
      // All that it names is older still.
      if (id !== later.id && (finishedAt.get(id) ?? Infinity) <= Date.parse(before.manifest.finishedAt)) continue;
      const verdict = rooted.get(id)?.verdict;
      // What is gone, or proves nothing, may have stood after a point of this service that is gone too.
      if (verdict?.status !== "proven") return false;
      for (const link of verdict.root.after) {
        if (link.service !== before.manifest.service) waiting.push(link.point);
        else if (link.point === before.id) found = true;
        else if (!rooted.has(link.point)) return false;
      }
    }
    return found;
  };
};
