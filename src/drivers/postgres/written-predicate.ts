/**
 * Which row versions were made after a position, by the transaction id in each row. Row headers hold 32 bits of it; the epoch is
 * that of now, one less for ids that would lie in the future.
 */
import type { PositionMark } from "./position.ts";
import type { Session } from "./session.ts";

/** A condition on a table's rows, or null when every row has to be looked at. */
export type WrittenPredicate = string | null;

const epochSize = 4_294_967_296n;

/** @param next the next transaction id of the cluster, 64 bits */
export const writtenAfter = (floor: bigint, next: bigint): string => {
  const low = next % epochSize;
  const epoch = next - low;
  const id = "xmin::text::bigint";
  // 0 to 2 are no transactions: such rows were frozen long ago.
  return `(${id} >= 3 and ${id} + case when ${id} > ${low} then ${epoch - epochSize} else ${epoch} end >= ${floor})`;
};

/**
 * Transaction ids say nothing about rows of another cluster; and in another database than the position's (one that was restored
 * meanwhile) every row was written later, by the restore.
 */
export const predicateSince = async (
  session: Session,
  since: PositionMark,
  here: Pick<PositionMark, "systemIdentifier" | "databaseOid">,
): Promise<WrittenPredicate> => {
  const comparable =
    since.systemIdentifier !== null &&
    since.systemIdentifier === here.systemIdentifier &&
    since.databaseOid === here.databaseOid;
  if (!comparable) return null;
  const [row] = await session.query<{ next: string }>("select pg_snapshot_xmax(pg_current_snapshot())::text as next");
  return writtenAfter(BigInt(since.floor), BigInt(row?.next ?? "0"));
};
