/** Tables of a captured server as a source of rows: a temporary server for each that is asked for; as of a later moment one for all, which has everything. */
import { requireLoadable } from "../../../../core/mend/loadable-size.ts";
import type { PointSource } from "../../../../core/ports/row-mending.ts";
import { readTriggers } from "../../code-objects.ts";
import { insertsInto, readShape, requireDefinition } from "../../dumped-table.ts";
import type { MariadbRowSource, SourceRows } from "../../mend/row-source.ts";
import { type SqlAccess, askSql, textOf } from "../../sql-client.ts";
import { inDatabase } from "../../sql-text.ts";
import { formatExcerptName } from "../excerpt/excerpt-name.ts";
import { findTable, readTable } from "../excerpt/read-wanted.ts";
import type { TemporaryServer } from "../excerpt/serve-files.ts";
import { openTemporary } from "../excerpt/temporary-server.ts";
import { isNoSuchTable } from "../excerpt/unknown-name.ts";
import type { ServerContext } from "../server-options.ts";

const statementOf = async (access: SqlAccess, label: string): Promise<string> => {
  const [row] = await askSql(access, `SHOW CREATE TABLE ${inDatabase(access.target.database, label)};`);
  return textOf(row, "Create Table");
};

/** Rows of a table of a temporary server. @throws RefloatError point.unknown, source.unsupported */
export const rowsOfTable = async (context: ServerContext, access: SqlAccess, label: string): Promise<SourceRows> => {
  const { sizeBytes } = await findTable(access, label);
  requireLoadable(label, sizeBytes);
  return {
    shape: readShape(await statementOf(access, label)),
    fill: async (session, into) => session.feed(insertsInto(await readTable(context, access, label), into)),
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
  const orNull = async <Found>(
    label: string,
    ask: (server: TemporaryServer) => Promise<Found>,
  ): Promise<Found | null> => {
    try {
      return await ask(await serverWith(label));
    } catch (error) {
      if (isNoSuchTable(error)) return null;
      throw error;
    }
  };
  // A transaction may take rows of many tables: of a server for each, only the one lives that is being read.
  const endingAfter = (rows: SourceRows, server: TemporaryServer): SourceRows => ({
    ...rows,
    fill: async (session, into) => {
      await rows.fill(session, into);
      await server.close();
    },
  });
  const open: MariadbRowSource["open"] = (label) =>
    orNull(label, async (server) => {
      const rows = await rowsOfTable(context, server.access, label);
      return replay === null ? endingAfter(rows, server) : rows;
    });
  // Of a name that neither side knows the server's own names are told, rather than that a table was dropped.
  const define: MariadbRowSource["define"] = async (label) => {
    const { access } = await serverWith(label);
    const { sizeBytes, type } = await findTable(access, label);
    requireLoadable(label, sizeBytes);
    return {
      label,
      typed: (name) => `${captured.name}:${formatExcerptName({ database, table: name })}`,
      definition: requireDefinition(await statementOf(access, label)),
      code: await readTriggers(access, database, label),
      // The files of other tables are not there.
      referring: [],
      hadHistory: type === "versioned",
      open: () => readTable(context, access, label),
    };
  };
  const remakeHint = (): string => "refloat mend makes it again from a point that has it";
  try {
    return await act({ words, whole: true, labels: null, open, rowsLeft: async () => null, define, remakeHint });
  } finally {
    for (const server of opened) await server.close();
  }
};
