/** Databases of the server behind the stable name, as Refloat's user sees them. */
import { suggestWord } from "../../../../core/declaration/nearest-word.ts";
import { formatList } from "../../../../core/text/quantity.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import type { ServerRole } from "../../server-errors.ts";
import { type SqlAccess, askSql, textOf } from "../../sql-client.ts";
import { type ServerContext, liveAccessOf } from "../server-options.ts";

const mostShown = 12;

const namesAt = async (access: SqlAccess): Promise<readonly string[]> => {
  const rows = await askSql(access, "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA;");
  return rows.map((row) => textOf(row, "name"));
};

export const liveDatabases = async (context: ServerContext): Promise<readonly string[]> =>
  namesAt(await liveAccessOf(context, "source"));

/** @throws RefloatError source.unsupported where it is not there */
export const liveDatabase = async (context: ServerContext, database: string, role: ServerRole): Promise<SqlAccess> => {
  const access = await liveAccessOf(context, role);
  const names = await namesAt(access);
  if (names.includes(database)) return { ...access, target: { ...access.target, database } };
  throw new RefloatError(
    "source.unsupported",
    `Refloat's user sees no database ${database} on the live server to put rows back into`,
    {
      state: "nothing was changed",
      hint: suggestWord(database, names, `it sees ${formatList(names, mostShown)}`),
    },
  );
};
