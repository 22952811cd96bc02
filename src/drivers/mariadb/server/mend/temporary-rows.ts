/** Tables of a captured server as a source of rows: a temporary server for each that is asked for; as of a later moment one for all, which has everything. */
import { requireLoadable } from "../../../../core/mend/loadable-size.ts";
import type { PointSource } from "../../../../core/ports/row-mending.ts";
import { shellWord } from "../../../../core/text/shell-word.ts";
import { readShape } from "../../dumped-table.ts";
import { type MariadbRowSource, type SourceRows, insertsOf } from "../../mend/row-source.ts";
import { type SqlAccess, askSql, textOf } from "../../sql-client.ts";
import { inDatabase } from "../../sql-text.ts";
import { formatExcerptName } from "../excerpt/excerpt-name.ts";
import { findTable, readTable } from "../excerpt/read-wanted.ts";
import { type TemporaryServer, openTemporary } from "../excerpt/temporary-server.ts";
import { isNoSuchTable } from "../excerpt/unknown-name.ts";
import type { ServerContext } from "../server-options.ts";

/** Rows of a table of a temporary server. @throws RefloatError point.unknown, source.unsupported */
export const rowsOfTable = async (context: ServerContext, access: SqlAccess, label: string): Promise<SourceRows> => {
  const { sizeBytes } = await findTable(access, label);
  requireLoadable(label, sizeBytes);
  const [row] = await askSql(access, `SHOW CREATE TABLE ${inDatabase(access.target.database, label)};`);
  return {
    shape: readShape(textOf(row, "Create Table")),
    fill: async (session, into) => session.feed(insertsOf(await readTable(context, access, label), into)),
    before: null,
  };
};

/** No server is left of it, however `act` ends. @throws as `openTemporary` */
export const withTemporaryRows = async <Result>(
  context: ServerContext,
  { tree, captured, replay, words }: PointSource,
  database: string,
  act: (source: MariadbRowSource) => Promise<Result>,
): Promise<Result> => {
  const opened: TemporaryServer[] = [];
  const serverWith = async (table: string): Promise<TemporaryServer> => {
    const [whole] = replay === null ? [] : opened;
    if (whole !== undefined) return whole;
    const name = { database, table };
    const stage = (stageWords: string): void => context.log.info(stageWords, { table: formatExcerptName(name) });
    const server = await openTemporary(context, { tree, captured }, { name, replay, stage });
    opened.push(server);
    return server;
  };
  const open: MariadbRowSource["open"] = async (label) => {
    try {
      return await rowsOfTable(context, (await serverWith(label)).access, label);
    } catch (error) {
      if (isNoSuchTable(error)) return null;
      throw error;
    }
  };
  const remakeHint = (label: string): string => {
    const place = shellWord(`POINT:${captured.name}:${formatExcerptName({ database, table: label })}`);
    return `SQL of the point makes it again, with its keys, rows and triggers: refloat extract ${place} --dump --stdout | mariadb ${shellWord(database)}`;
  };
  try {
    return await act({ words, whole: true, labels: null, open, rowsLeft: async () => null, remakeHint });
  } finally {
    for (const server of opened) await server.close();
  }
};
