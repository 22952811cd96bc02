/** What stands against a composed point, and what would make it better. */
import type { Composition, RecoveryPoint } from "../../model/manifest.ts";
import { shortId } from "../../model/identifiers.ts";
import { type PointDecision, type RetentionInput, decideRetention } from "../retention/decide-retention.ts";
import { formatAmount, formatList } from "../text/quantity.ts";
import { formatDuration } from "../time/duration.ts";
import { declaredLock } from "./point-locks.ts";

/** To the second, from a minute on. */
export const formatSkew = (skewMs: number): string =>
  formatDuration(skewMs < 60_000 ? skewMs : Math.round(skewMs / 1000) * 1000);

export type RetentionFacts = Pick<RetentionInput, "keep" | "holds" | "incidentSince" | "now" | "timeZone">;

/** Parts that do not last as long as the others, and those that somebody holds. @param points of the service, as the vault has them */
export const memberConflicts = (
  point: RecoveryPoint,
  { members }: Composition,
  points: readonly RecoveryPoint[],
  facts: RetentionFacts,
): readonly string[] => {
  const decided = decideRetention({ ...facts, points, lockedUntil: new Map(), needed: [], trustClock: true });
  const decisions = new Map(decided.points.map((decision) => [decision.point.id, decision]));
  const ids = [...new Set([point.id, ...members.map((member) => member.point)])];
  const expiring = ids.filter((id) => decisions.get(id)?.verdict === "expire");
  return [
    ...(expiring.length === 0
      ? []
      : [`${formatList(expiring.map((id) => partsOf(id, members)))} will expire with the next prune`]),
    ...lockConflicts(ids, members, points, facts.now),
    ...ids.flatMap((id) => heldWords(decisions.get(id), id, members)),
  ];
};

const partsOf = (id: string, members: Composition["members"]): string => {
  const names = members.filter(({ point }) => point === id).map(({ component }) => component);
  return `${formatList(names)} (${shortId(id)})`;
};

const heldWords = (
  decision: PointDecision | undefined,
  id: string,
  members: Composition["members"],
): readonly string[] =>
  (decision?.reasons ?? []).flatMap((reason) =>
    reason.kind === "held" ? [`${partsOf(id, members)} is held: ${reason.reason}`] : [],
  );

/** A part whose lock ends first can be deleted while the others cannot. */
const lockConflicts = (
  ids: readonly string[],
  members: Composition["members"],
  points: readonly RecoveryPoint[],
  now: string,
): readonly string[] => {
  const ends = ids.flatMap((id) => {
    const point = points.find((other) => other.id === id);
    return point === undefined ? [] : [{ id, until: declaredLock(point.manifest)?.until.toISOString() ?? null }];
  });
  const locked = ends.filter(({ until }) => until !== null && Date.parse(until) > Date.parse(now));
  const last = locked.reduce((latest, { until }) => Math.max(latest, Date.parse(until ?? now)), 0);
  if (locked.length === 0) return [];
  return ends
    .filter(({ until }) => until === null || Date.parse(until) < last)
    .map(({ id, until }) =>
      until === null || Date.parse(until) <= Date.parse(now)
        ? `${partsOf(id, members)} is not locked, and others are until ${new Date(last).toISOString()}`
        : `${partsOf(id, members)} is locked until ${until}, and others until ${new Date(last).toISOString()}`,
    );
};

/** The one sentence; null where all is of one moment. */
export const composedBetter = (service: string, { members, absent }: Composition): string | null => {
  if (absent.length > 0)
    return `nothing was ever captured of ${formatList(absent)}: refloat capture ${service} --only ${absent.join(",")}`;
  const oldest = members.reduce<Composition["members"][number] | null>(
    (found, member) => (found === null || member.skewMs > found.skewMs ? member : found),
    null,
  );
  if (oldest === null || oldest.skewMs === 0) return null;
  const count = new Set(members.map(({ point }) => point)).size;
  return `${oldest.component} is ${formatSkew(oldest.skewMs)} older than the newest of ${formatAmount(count, "points")}: take all at once (refloat capture ${service}), or ${oldest.component} more often`;
};
