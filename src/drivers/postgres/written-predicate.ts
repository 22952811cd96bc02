/** Which row versions of a database were made after a position, by the transaction id in each row. */
import { describeOrigin, parseComment, readDatabaseState, type RestoredPosition } from "./instance-mark.ts";
import type { PositionMark } from "./position.ts";
import type { Session } from "../../platform/postgres/session.ts";
import { type WrittenPredicate, predicateFrom } from "../../platform/postgres/written-rows.ts";

/**
 * From where on rows of the session's database are no rows of the position. In a database that was restored from this very position
 * every row was written later, by the restore: there it is the end of the restore.
 */
export const floorSince = async (session: Session, since: PositionMark): Promise<RestoredPosition> => {
  const state = await readDatabaseState(session, session.target.database);
  const { mark } = parseComment(state?.comment ?? null);
  const isDescendant = state?.oid !== since.databaseOid && mark?.origin === describeOrigin(since);
  return isDescendant && mark.restored !== null ? mark.restored : since;
};

/**
 * Transaction ids say nothing about rows of another cluster or of another database. A floor that is still to come is of a cluster that was set back since.
 * The condition is good for this session's present transaction only, which must be read only and see one snapshot.
 */
export const predicateSince = async (
  session: Session,
  since: RestoredPosition,
  here: Pick<PositionMark, "systemIdentifier" | "databaseOid">,
): Promise<WrittenPredicate> => {
  const comparable =
    since.systemIdentifier !== null &&
    since.systemIdentifier === here.systemIdentifier &&
    since.databaseOid === here.databaseOid;
  if (!comparable) return null;
  return predicateFrom(session, BigInt(since.floor));
};
