/**
 * Rows that were made from a transaction on, by the id in each row. Row headers hold 32 bits of it and keep them when a row is frozen. What matches is a
 * candidate: a row of long ago whose id has come round again matches too.
 */
import type { Session } from "./session.ts";

/** A condition on a table's rows, or null when every row has to be looked at. */
export type WrittenPredicate = string | null;

const epochSize = 4_294_967_296n;

/** `age` counts in 31 bits. */
const longestAge = 2_147_483_647n;

/**
 * Rows whose id lies between the floor and now, for any distance below a whole round of ids: the epoch is that of now, one less for
 * ids that would lie in the future. Three times as slow as `age`, since an id can be compared only as text.
 * @param next the next transaction id of the cluster, 64 bits
 */
export const writtenAfter = (floor: bigint, next: bigint): string => {
  const low = next % epochSize;
  const epoch = next - low;
  const id = "xmin::text::bigint";
  // 0 to 2 are no transactions: such rows were frozen long ago.
  return `(${id} >= 3 and ${id} + case when ${id} > ${low} then ${epoch - epochSize} else ${epoch} end >= ${floor})`;
};

/**
 * The same by the distance from the next id, which the server takes once in a transaction, not before its snapshot. Ids more than
 * half a round away have a negative distance, those that are no transactions the largest.
 */
export const writtenWithin = (distance: bigint): string =>
  // In this order: most rows fail the first half, which then is all that they cost.
  `(age(xmin) <= ${distance} and age(xmin) >= 0)`;

/** Ids of transactions have 64 bits here, and 32 in rows. The oldest one of all has the number 3. */
const nextTransaction = async (session: Session): Promise<bigint> => {
  const [row] = await session.query<{ xmax: string; low: string }>(
    `select pg_snapshot_xmax(pg_current_snapshot())::text as xmax, ((age('3'::xid)::bigint + 3) & 4294967295)::text as low`,
  );
  const xmax = BigInt(row?.xmax ?? "0");
  return xmax + ((BigInt(row?.low ?? "0") - xmax) & (epochSize - 1n));
};

/**
 * The condition is good for this session's present transaction only, which must be read only and see one snapshot. Null for a floor that is still to come (the cluster was set
 * back since), or a whole round of ids away.
 */
export const predicateFrom = async (session: Session, floor: bigint): Promise<WrittenPredicate> => {
  const next = await nextTransaction(session);
  if (floor > next) return null;
  const distance = next - floor;
  if (distance >= epochSize) return null;
  return distance <= longestAge ? writtenWithin(distance) : writtenAfter(floor, next);
};
