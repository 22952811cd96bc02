/** Runs what was proposed, or its way back. */
import { explainFailure, type ScriptFailure } from "../../../core/mend/explain-refusal.ts";
import type { MendDirection, MendProposal } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { readScript } from "../../../platform/mend/kept-mends.ts";
import { withoutEnd } from "../../../platform/without-end.ts";
import { errorNumberOf } from "../server-errors.ts";
import type { SqlAccess } from "../sql-client.ts";
import { openSqlSession } from "../sql-session.ts";
import { lastStep } from "./made-script.ts";
import { nameRights } from "./name-rights.ts";
import { dropAbandoned } from "./private-tables.ts";
import { commit, rowsChangedNumber } from "./script-parts.ts";

/** A constraint, a value that does not fit, or a trigger that says no: the rest of the transaction is undone with it. */
const refusals = new Set([1048, 1264, 1292, 1364, 1366, 1406, 1644, 4025]);

/** A name or a key that is taken, a table that is gone, a reference that leads to nothing, or is led to: what would be refused was left out when the rows were compared. */
const overtaken = new Set([1050, 1062, 1146, 1359, 1451, 1452]);

const failureOf = (error: unknown): ScriptFailure => {
  const number = errorNumberOf(error);
  const message = (error instanceof Error ? error.message : String(error)).replace(/^the server at \S+ answered: /, "");
  if (number === rowsChangedNumber) return { kind: "changed", message: message.replace(/^refloat: /, "") };
  if (number !== null && overtaken.has(number)) return { kind: "overtaken", message };
  return number !== null && refusals.has(number) ? { kind: "refused", message } : { kind: "other" };
};

/** Numbers from here on are the client's own: it has lost the server. */
const firstOfClient = 2000;

const isAnswered = (error: unknown): boolean => {
  const number = errorNumberOf(error);
  return number !== null && (number < firstOfClient || number >= firstOfClient + 1000);
};

/** All of it or nothing, in the database of the target. @throws as `RowMending.apply` */
export const applyScript = async (
  access: SqlAccess,
  proposal: MendProposal,
  direction: MendDirection,
): Promise<void> => {
  const isMade = proposal.tables.some(({ made }) => made);
  const last = isMade ? lastStep : commit;
  const script = withoutEnd(
    readScript(proposal, direction),
    Buffer.from(last),
    () => new RefloatError("bug", "the script ends without its last word"),
  );
  await dropAbandoned(access);
  const session = await openSqlSession(access, access.target.database);
  let isSent = false;
  try {
    // The client has all that was sent to it, and goes on when we are killed: so the last word is sent when all else is done.
    await session.feed(script);
    isSent = true;
    await session.run(last);
  } catch (error) {
    const failure = failureOf(error);
    const isUnheard = isSent && failure.kind === "other" && !(isMade && isAnswered(error));
    await session.close();
    // What was filled in vain and has no name yet. Whoever comes next finds it if we cannot.
    if (isMade) await dropAbandoned(access).catch(() => undefined);
    const explained = explainFailure(error, isUnheard ? { kind: "unheard" } : failure, direction);
    throw await nameRights(explained, access, isMade ? ["mend", "make"] : ["mend"]);
  } finally {
    await session.close();
  }
};
