/** Runs what was proposed, or its way back. */
import { explainFailure, type ScriptFailure } from "../../../core/mend/explain-refusal.ts";
import type { MendDirection, MendProposal } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { readScript } from "../../../platform/mend/kept-mends.ts";
import { withoutEnd } from "../../../platform/without-end.ts";
import { errorNumberOf } from "../server-errors.ts";
import type { SqlAccess } from "../sql-client.ts";
import { openSqlSession } from "../sql-session.ts";
import { commit, rowsChangedNumber } from "./script-parts.ts";

/** A constraint, a value that does not fit, or a trigger that says no: the rest of the transaction is undone with it. */
const refusals = new Set([1048, 1264, 1292, 1364, 1366, 1406, 1644, 4025]);

/** A key that is taken, a reference that leads to nothing, or is led to: what would be refused was left out when the rows were compared. */
const overtaken = new Set([1062, 1451, 1452]);

const failureOf = (error: unknown): ScriptFailure => {
  const number = errorNumberOf(error);
  const message = (error instanceof Error ? error.message : String(error)).replace(/^the server at \S+ answered: /, "");
  if (number === rowsChangedNumber) return { kind: "changed", message: message.replace(/^refloat: /, "") };
  if (number !== null && overtaken.has(number)) return { kind: "overtaken", message };
  return number !== null && refusals.has(number) ? { kind: "refused", message } : { kind: "other" };
};

/** All of it or nothing, in the database of the target. @throws as `RowMending.apply` */
export const applyScript = async (
  access: SqlAccess,
  proposal: MendProposal,
  direction: MendDirection,
): Promise<void> => {
  const script = withoutEnd(
    readScript(proposal, direction),
    Buffer.from(commit),
    () => new RefloatError("bug", "the script ends without its last word"),
  );
  const session = await openSqlSession(access, access.target.database);
  let isSent = false;
  try {
    // The client has all that was sent to it, and goes on when we are killed: so the last word is sent when all else is done.
    await session.feed(script);
    isSent = true;
    await session.run(commit);
  } catch (error) {
    const failure = failureOf(error);
    throw explainFailure(error, isSent && failure.kind === "other" ? { kind: "unheard" } : failure, direction);
  } finally {
    await session.close();
  }
};
