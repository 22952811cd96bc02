/** What happened to a service since a moment, as lanes and events: its points, marks, incidents, runs and what was missed. Pure. */
import type { ServiceDeclaration } from "../../model/declaration.ts";
import type { PointId } from "../../model/identifiers.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { logGaps } from "../logs/log-spans.ts";
import type { ReachableRange } from "../logs/reachable-ranges.ts";
import type { TimelineChange } from "./log-changes.ts";
import type { Incident } from "../../model/incident.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";
import type { Mark } from "../../model/mark.ts";
import { passedAtCapture } from "../points/closer-point.ts";
import { type CoverageGap, coverageGaps } from "../points/coverage-gaps.ts";
import { isSuspect, openIncident } from "../points/open-incident.ts";
import { declaredLock } from "../points/point-locks.ts";
import type { RootedPoint } from "../points/root-chain.ts";
import type { RunMoment } from "../run/run-moment.ts";

export type TimelinePoint = {
  readonly id: PointId;
  /** When its data was consistent, ISO. */
  readonly at: string;
  /** `failed`: a check at its capture. `suspect`: read after the begin of an open incident. */
  readonly state: "good" | "failed" | "damaged" | "suspect";
  /** Its bytes were read at this instant or later and were sound, ISO. */
  readonly verifiedAt: string | null;
  /** Why persons hold it. */
  readonly held: readonly string[];
  /** What was declared for it, ISO; null without a lock and when that is over. */
  readonly lockedUntil: string | null;
};

/** A component whose data does not follow the points of the service. */
export type ComponentLane = {
  readonly component: string;
  readonly points: readonly { readonly id: PointId; readonly at: string; readonly lost: boolean }[];
};

export type Timeline = {
  readonly service: string;
  /** ISO. */
  readonly since: string;
  readonly now: string;
  readonly schedule: string | null;
  /** All lists: oldest first. */
  readonly points: readonly TimelinePoint[];
  readonly components: readonly ComponentLane[];
  readonly marks: readonly Mark[];
  readonly incidents: readonly Incident[];
  readonly runs: readonly RunMoment[];
  readonly gaps: readonly CoverageGap[];
  /** What the vault has of logs of components. */
  readonly logs: readonly LogSpan[];
  /** Between which moments they lead to any second. */
  readonly reachable: readonly ReachableRange[];
  /** Stretches of logs that nobody has. */
  readonly logGaps: readonly { readonly component: string; readonly from: string; readonly to: string }[];
  /** What the logs tell of the largest transactions, and of those that changed definitions. Absent where nobody asked. */
  readonly changes?: readonly TimelineChange[];
};

export type TimelineInput = {
  readonly service: ServiceDeclaration;
  /** Of all services, in any order. */
  readonly points: readonly RecoveryPoint[];
  readonly chain: readonly RootedPoint[];
  readonly verified: Readonly<Record<string, string>>;
  readonly holds: readonly { readonly point: string; readonly reason: string }[];
  /** Of the service. */
  readonly marks: readonly Mark[];
  readonly incidents: readonly Incident[];
  readonly runs: readonly RunMoment[];
  /** Of the service. */
  readonly logs?: readonly LogSpan[];
  readonly reachable?: readonly ReachableRange[];
  /** ISO; null for the last week, and further back to the newest point where that is older. */
  readonly since: string | null;
  readonly now: string;
  readonly timeZone: string;
};

const weekMs = 7 * 86_400_000;

/** A component that was read so much later than the point began stands on a lane of its own. */
const apartMs = 60_000;

const takenAt = ({ manifest }: RecoveryPoint): string => manifest.consistentAt;

const byTime = (a: string, b: string): number => Date.parse(a) - Date.parse(b);

export const buildTimeline = (input: TimelineInput): Timeline => {
  const { service, now, incidents } = input;
  const all = input.points
    .filter(({ manifest }) => manifest.service === service.name)
    .toSorted((a, b) => byTime(takenAt(a), takenAt(b)));
  const since = input.since ?? usualBegin(all, now);
  const shown = all.filter((point) => byTime(takenAt(point), since) >= 0);
  const doubted = openIncident(incidents)?.since ?? null;
  return {
    service: service.name,
    since,
    now,
    schedule: service.schedule ?? null,
    points: shown.map((point) => describe(point, doubted, input)),
    components: componentLanes(shown),
    marks: input.marks.filter(({ at }) => byTime(at, since) >= 0).toSorted((a, b) => byTime(a.at, b.at)),
    incidents: incidents
      .filter(({ closedAt }) => closedAt === null || byTime(closedAt, since) >= 0)
      .toSorted((a, b) => byTime(a.since, b.since)),
    runs: input.runs
      .filter(({ endedAt }) => endedAt === null || byTime(endedAt, since) >= 0)
      .toSorted((a, b) => byTime(a.beganAt, b.beganAt)),
    gaps: coverageGaps({ ...input, service: service.name, schedule: service.schedule }).filter(
      ({ to }) => to === null || byTime(to, since) >= 0,
    ),
    logs: (input.logs ?? []).filter(({ toAt }) => byTime(toAt, since) >= 0),
    reachable: (input.reachable ?? []).filter(({ toAt }) => byTime(toAt, since) >= 0),
    logGaps: logGaps(input.logs ?? [])
      .map(({ component, before, after }) => ({
        component,
        from: before.toAt,
        to: byTime(after.fromAt, before.toAt) < 0 ? before.toAt : after.fromAt,
      }))
      .filter(({ to }) => byTime(to, since) >= 0),
  };
};

const usualBegin = (points: readonly RecoveryPoint[], now: string): string => {
  const weekAgo = new Date(Date.parse(now) - weekMs).toISOString();
  const [oldest, newest] = [points[0], points.at(-1)];
  if (oldest === undefined || newest === undefined) return weekAgo;
  if (byTime(takenAt(newest), weekAgo) < 0) return takenAt(newest);
  return byTime(takenAt(oldest), weekAgo) > 0 ? takenAt(oldest) : weekAgo;
};

const describe = (
  point: RecoveryPoint,
  doubted: string | null,
  { verified, holds, now }: TimelineInput,
): TimelinePoint => {
  const lock = declaredLock(point.manifest);
  return {
    id: point.id,
    at: takenAt(point),
    state:
      point.missing.length > 0
        ? "damaged"
        : isSuspect(point, doubted)
          ? "suspect"
          : passedAtCapture(point.manifest)
            ? "good"
            : "failed",
    verifiedAt: verified[point.id] ?? null,
    held: holds.filter((hold) => hold.point === point.id).map(({ reason }) => reason),
    lockedUntil: lock !== null && lock.until.getTime() > Date.parse(now) ? lock.until.toISOString() : null,
  };
};

const componentLanes = (points: readonly RecoveryPoint[]): readonly ComponentLane[] => {
  const names = [...new Set(points.flatMap(({ manifest }) => Object.keys(manifest.components)))];
  return names.flatMap((component): readonly ComponentLane[] => {
    const own = points.flatMap((point) => {
      const captured = point.manifest.components[component];
      if (captured === undefined) return [];
      return [{ id: point.id, at: captured.window.beginAt, lost: point.missing.includes(component) }];
    });
    const follows =
      own.length === points.length &&
      own.every(({ at, lost }, index) => {
        const point = points[index];
        return !lost && point !== undefined && byTime(at, takenAt(point)) < apartMs;
      });
    return follows ? [] : [{ component, points: own }];
  });
};
