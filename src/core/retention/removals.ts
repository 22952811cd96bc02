/**
 * Which snapshots go with points that expire: the manifests, and members that nothing else uses. Also members that never became part of a
 * point, or whose point went while its removal was killed. Pure.
 */
import type { SnapshotInfo, Unreadable } from "../ports/vault.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";

/** Members are committed just before their point, under the time at which their capture began; none takes as long as this. */
const strayAfterMs = 7 * 86_400_000;

export type Removals = {
  /** First: with its manifest a point is gone. */
  readonly manifests: readonly SnapshotId[];
  readonly members: readonly SnapshotId[];
};

export type RemovalInput = {
  readonly expiring: readonly RecoveryPoint[];
  /** Of all services. */
  readonly points: readonly RecoveryPoint[];
  /** Points whose manifest cannot be read may use any member: then all members stay. */
  readonly unreadable: readonly Unreadable[];
  readonly snapshots: readonly SnapshotInfo[];
  readonly now: string;
};

const membersOf = ({ manifest }: RecoveryPoint): readonly SnapshotId[] =>
  Object.values(manifest.components).map(({ snapshot }) => snapshot);

const isMember = ({ tags }: SnapshotInfo): boolean =>
  tags.includes("refloat") && tags.some((tag) => tag.startsWith("component="));

export const removalsOf = ({ expiring, points, unreadable, snapshots, now }: RemovalInput): Removals => {
  const going = new Set<string>(expiring.map(({ id }) => id));
  const manifests = expiring.map(({ id }) => id as string as SnapshotId);
  if (unreadable.length > 0) return { manifests, members: [] };
  const used = new Set(points.filter(({ id }) => !going.has(id)).flatMap(membersOf));
  const own = new Set(expiring.flatMap(membersOf));
  const isStray = (info: SnapshotInfo): boolean =>
    isMember(info) && Date.parse(now) - Date.parse(info.time) > strayAfterMs;
  const members = snapshots.filter((info) => !used.has(info.id) && (own.has(info.id) || isStray(info)));
  return { manifests, members: members.map(({ id }) => id) };
};
