/** Says of what a server refuses while rows are compared or put back which rights are lacking for all of it: else each would be asked for in a failure of its own. */
import { RefloatError } from "../../../model/refloat-error.ts";
import { type SqlAccess, runSql, textOf } from "../sql-client.ts";
import { escapePattern, quoteAccount, quoteName } from "../sql-text.ts";
import { type Granted, type MendAct, lackingPrivileges } from "./granted-rights.ts";

/** What is refused of a table whose triggers are not shown. */
export const triggersUnseen = "its triggers cannot be seen";

const isOfRights = ({ code, message }: RefloatError): boolean =>
  code === "source.denied" || (code === "source.unsupported" && message.includes(triggersUnseen));

/** Rights that no database has, and that no other act needs. */
const ofTriggers = "; its triggers need SET USER, and SUPER beside a binary log, both ON *.*";

/** @param account as CURRENT_USER() has it @returns what an administrator can type; null where nothing is known to be lacking */
export const grantOf = (granted: Granted, account: string, acts: readonly MendAct[]): string | null => {
  const lacking = lackingPrivileges(granted, acts);
  return lacking.length === 0
    ? null
    : `as an administrator: GRANT ${lacking.join(", ")} ON ${quoteName(escapePattern(granted.database))}.* TO ${quoteAccount(account)}`;
};

/** @returns the error itself where it is of something else, or nothing is known to be lacking */
export const nameRights = async (error: unknown, access: SqlAccess, acts: readonly MendAct[]): Promise<unknown> => {
  if (!(error instanceof RefloatError) || !isOfRights(error)) return error;
  const { database } = access.target;
  try {
    const [accounts, granted = []] = await runSql(access, "SELECT CURRENT_USER() AS account; SHOW GRANTS;");
    const grants = granted.map((row) => Object.values(row)[0] ?? "");
    const given = grantOf({ grants, database }, textOf(accounts?.[0], "account"), acts);
    const isMade = acts.includes("make");
    if (given === null && !isMade) return error;
    const hint = given === null ? ofTriggers.slice(2) : `${given}${isMade ? ofTriggers : ""}`;
    const { code, message, state = "nothing was changed", context } = error;
    return new RefloatError(code, message, { cause: error, state, context, hint });
  } catch {
    access.signal.throwIfAborted();
    // Who may not even come in any more is told what he was told first.
    return error;
  }
};
