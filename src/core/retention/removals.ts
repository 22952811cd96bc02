/**
 * Which snapshots go with points that expire: the manifests, and members that nothing else uses. Also members that never became part of a
 * point, or whose point went while its removal was killed; but not while anybody captures or copies into the vault. Pure.
 */
import type { SnapshotInfo, Unreadable } from "../ports/vault-snapshots.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import type { RecoveryPoint } from "../../model/manifest.ts";

/** Members are committed just before their point, under the time at which their capture began, or that of the vault that they were copied from. */
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
  /** As listed before it was asked who is at work, and before the points were. */
  readonly snapshots: readonly SnapshotInfo[];
  /** A member whose point is not there may be one whose point is about to come. */
  readonly isCapturedInto: boolean;
  readonly now: string;
};

const membersOf = ({ manifest }: RecoveryPoint): readonly SnapshotId[] =>
  Object.values(manifest.components).map(({ snapshot }) => snapshot);

const isMember = ({ tags }: SnapshotInfo): boolean =>
  tags.includes("refloat") && tags.some((tag) => tag.startsWith("component="));

export const removalsOf = ({
  expiring,
  points,
  unreadable,
  snapshots,
  isCapturedInto,
  now,
}: RemovalInput): Removals => {
  const going = new Set<string>(expiring.map(({ id }) => id));
  const manifests = expiring.map(({ id }) => id as string as SnapshotId);
  if (unreadable.length > 0) return { manifests, members: [] };
  const used = new Set(points.filter(({ id }) => !going.has(id)).flatMap(membersOf));
  const own = new Set(expiring.flatMap(membersOf));
  const isStray = (info: SnapshotInfo): boolean =>
    !isCapturedInto && isMember(info) && Date.parse(now) - Date.parse(info.time) > strayAfterMs;
  const members = snapshots.filter((info) => !used.has(info.id) && (own.has(info.id) || isStray(info)));
  return { manifests, members: members.map(({ id }) => id) };
};
