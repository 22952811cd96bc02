/** A session as whoever may do everything, on a server that lets in by its socket whoever reaches that. */
import { RefloatError } from "../../../model/refloat-error.ts";
import { sqlStateOf } from "../../../platform/postgres/server-errors.ts";
import { type Session, type SessionOptions, openSession } from "../../../platform/postgres/session.ts";

const noSuchRole = "28000";

/** @param superusers as `readSuperusers` found them, likeliest first @throws RefloatError source.unsupported when none of them may log in any more; source.* */
export const openAsSuperuser = async (superusers: readonly string[], options: SessionOptions): Promise<Session> => {
  for (const user of superusers) {
    try {
      return await openSession({ ...options, target: { ...options.target, user } });
    } catch (error) {
      // Roles may have been renamed or dropped since they were read.
      if (sqlStateOf(error) !== noSuchRole) throw error;
    }
  }
  throw new RefloatError(
    "source.unsupported",
    "no superuser of the captured cluster is there any more as of that moment",
  );
};
