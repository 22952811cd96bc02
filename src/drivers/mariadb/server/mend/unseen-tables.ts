/** Databases and tables that are in the live server's folder although its user is not shown them: to be seen takes a right, and who has none is not told so. */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type SqlAccess, askSql, textOf } from "../../sql-client.ts";
import { quoteAccount, quoteName } from "../../sql-text.ts";
import { mayBeNamed } from "../file-names.ts";
import { type ServerContext, dataPathOf } from "../server-options.ts";

const exactly = { ignoresCase: false };
const tableFile = /\.frm$/;

/** Empty where we may not look: then what the server says is all that is known. */
const entriesOf = (folder: string): Promise<readonly Dirent[]> =>
  readdir(folder, { withFileTypes: true }).catch(() => []);

/** @param table null asks for the database */
const isInFolder = async (context: ServerContext, database: string, table: string | null): Promise<boolean> => {
  const data = await dataPathOf(context);
  const folders = (await entriesOf(data)).filter(
    (entry) => !entry.isFile() && mayBeNamed(entry.name, database, exactly),
  );
  if (table === null) return folders.length > 0;
  const files = await Promise.all(folders.map(({ name }) => entriesOf(join(data, name))));
  return files
    .flat()
    .some(({ name }) => tableFile.test(name) && mayBeNamed(name.replace(tableFile, ""), table, exactly));
};

/** @returns why it is not seen, with the right that is wanting; null for what is not there */
export const whyUnseen = async (
  context: ServerContext,
  access: SqlAccess,
  { database, table }: { readonly database: string; readonly table: string | null },
): Promise<string | null> => {
  if (!(await isInFolder(context, database, table))) return null;
  const [row] = await askSql(access, "SELECT CURRENT_USER() AS account;");
  const account = textOf(row, "account");
  return `it is in the server's folder, and ${account} may not see it: GRANT SELECT ON ${quoteName(database)}.* TO ${quoteAccount(account)};`;
};
