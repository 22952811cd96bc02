/**
 * What is live in a whole server against its physical capture: which databases there are, and, of what is named, rows. A table by a temporary server of only what
 * it needs; a database by one of all of it, table by table.
 */
import { isOfOneTable, unlessUnfit } from "../../../../core/assess/unless-unfit.ts";
import { compareTable } from "../../../../core/mend/propose-rows.ts";
import { mostUnaskedBytes } from "../../../../core/mend/loadable-size.ts";
import type { ComparedPart, PartComparing } from "../../../../core/ports/part-comparing.ts";
import type { PointSource } from "../../../../core/ports/row-mending.ts";
import { formatBytes } from "../../../../core/text/quantity.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { onMariadbStage } from "../../mend/mariadb-stage.ts";
import type { MariadbRowSource } from "../../mend/row-source.ts";
import { type SourceTable, hasRows, listTables } from "../../source-tables.ts";
import { type SqlAccess, askSql, numberOf } from "../../sql-client.ts";
import { inDatabase } from "../../sql-text.ts";
import { capturedServerSchema } from "../captured-server.ts";
import { ownDatabases } from "../excerpt/choose-files.ts";
import { type ExcerptName, formatExcerptName, parseExcerptName } from "../excerpt/excerpt-name.ts";
import type { TemporaryServer } from "../excerpt/serve-files.ts";
import { openTemporary } from "../excerpt/temporary-server.ts";
import { unknownDatabase } from "../excerpt/unknown-name.ts";
import { watchOwnWrites } from "../own-writes.ts";
import { type ServerContext, type ServerOptions, liveAccessOf } from "../server-options.ts";
import { liveDatabase, liveDatabases } from "./live-database.ts";
import { rowsOfTable, withTemporaryRows } from "./temporary-rows.ts";
import { whyUnseen } from "./unseen-tables.ts";

/** It is gone all the same where nobody can count what it had. */
const countRows = async (access: SqlAccess, table: string): Promise<number | null> => {
  try {
    const [row] = await askSql(access, `SELECT COUNT(*) AS found FROM ${inDatabase(access.target.database, table)};`);
    return numberOf(row, "found");
  } catch (error) {
    if (isOfOneTable(error)) return null;
    throw error;
  }
};

const temporaryOf = (context: ServerContext, source: PointSource, name: ExcerptName): Promise<TemporaryServer> =>
  openTemporary(context, source, {
    name,
    replay: source.replay,
    stage: (stage) => context.log.info(stage, { table: formatExcerptName(name) }),
  });

const withTemporary = async <Result>(
  context: ServerContext,
  source: PointSource,
  name: ExcerptName,
  act: (access: SqlAccess) => Promise<Result>,
): Promise<Result> => {
  const server = await temporaryOf(context, source, name);
  try {
    return await act(server.access);
  } finally {
    await server.close();
  }
};

const tablesOf = async (access: SqlAccess): Promise<ReadonlyMap<string, SourceTable>> =>
  new Map((await listTables(access, access.target.database)).filter(hasRows).map((table) => [table.name, table]));

type NamedTable = ExcerptName & { readonly table: string };

const compareNamed = async (context: ServerContext, source: PointSource, named: NamedTable): Promise<ComparedPart> => {
  const { database, table } = named;
  const name = formatExcerptName(named);
  const live = await liveDatabase(context, database, "source");
  if (!(await tablesOf(live)).has(table)) {
    // A server that is restored for it takes longer than a look into the folder.
    const why = await whyUnseen(context, live, named);
    if (why !== null) return { name, state: "unseen", why };
    const pointRows = await withTemporary(context, source, named, (access) => countRows(access, table));
    return { name, state: "gone", pointRows };
  }
  return unlessUnfit(name, () =>
    withTemporaryRows(context, source, database, async (rows): Promise<ComparedPart> => {
      let isMissing = false;
      const open: MariadbRowSource["open"] = async (label) => {
        const found = await rows.open(label);
        isMissing = found === null;
        return found;
      };
      try {
        const compared = await onMariadbStage(live, { ...rows, open }, (stage) => compareTable(stage, table), {
          does: "compare",
          watch: await watchOwnWrites(context),
        });
        return { name, state: "compared", rows: compared };
      } catch (error) {
        if (!isMissing) throw error;
        return { name, state: "added" };
      }
    }),
  );
};

const compareOne = async (
  context: ServerContext,
  { words }: PointSource,
  { was, live, point }: { readonly was: SourceTable; readonly live: SqlAccess; readonly point: SqlAccess },
): Promise<ComparedPart> => {
  const name = formatExcerptName({ database: live.target.database, table: was.name });
  if (was.sizeBytes > mostUnaskedBytes) {
    const why = `${formatBytes(was.sizeBytes)} are compared only where the table is named: --only ${context.component}:${name}`;
    return { name, state: "unseen", why };
  }
  const from: MariadbRowSource = {
    words,
    whole: true,
    labels: null,
    open: (label) => rowsOfTable(context, point, label),
    rowsLeft: async () => null,
    define: async () => null,
    remakeHint: () => "",
  };
  return unlessUnfit(name, async () => {
    context.log.info("comparing", { table: name });
    const rows = await onMariadbStage(live, from, (stage) => compareTable(stage, was.name), {
      does: "compare",
      watch: await watchOwnWrites(context),
    });
    return { name, state: "compared", rows };
  });
};

async function* compareDatabase(
  context: ServerContext,
  source: PointSource,
  database: string,
): AsyncGenerator<ComparedPart> {
  const server = await temporaryOf(context, source, { database, table: null });
  try {
    const live = await liveDatabase(context, database, "source");
    const [before, after] = [await tablesOf(server.access), await tablesOf(live)];
    for (const table of [...new Set([...before.keys(), ...after.keys()])].toSorted()) {
      const was = before.get(table);
      const name = formatExcerptName({ database, table });
      if (was === undefined) yield { name, state: "added" };
      else if (after.has(table)) yield await compareOne(context, source, { was, live, point: server.access });
      else {
        const why = await whyUnseen(context, live, { database, table });
        if (why === null) yield { name, state: "gone", pointRows: await countRows(server.access, table) };
        else yield { name, state: "unseen", why };
      }
    }
  } finally {
    await server.close();
  }
}

export const serverParts: PartComparing<ServerOptions> = {
  survey: async (context, { facts }) => {
    const live = new Set(await liveDatabases(context));
    const access = await liveAccessOf(context, "source");
    const { databases } = capturedServerSchema.parse(facts.detail);
    return {
      parts: await Promise.all(
        databases
          .filter((name) => !ownDatabases.has(name))
          .map(async (database) => ({
            name: formatExcerptName({ database, table: null }),
            sizeBytes: facts.units[database]?.sizeBytes ?? null,
            isLive: live.has(database) || (await whyUnseen(context, access, { database, table: null })) !== null,
          })),
      ),
    };
  },

  cost: ({ facts, name: component }, typed) => {
    const name = parseExcerptName(typed);
    if (name?.table !== null) return null;
    const size = facts.units[name.database]?.sizeBytes;
    const amount = size === undefined ? "" : ` (${formatBytes(size)})`;
    return `all of ${typed}${amount} is read out of the point into TMPDIR, and its tables, one after the other, into temporary ones of the live server; --only ${component}:${typed}/TABLE reads one`;
  },

  compare: async function* compare(context, source, typed) {
    const name = parseExcerptName(typed);
    if (name === null)
      throw new RefloatError("usage", `"${typed}" names no table and no database of a server`, {
        hint: "write DATABASE/TABLE, or DATABASE for all of its tables",
      });
    const { database, table } = name;
    if (!(await liveDatabases(context)).includes(database)) {
      const { databases } = capturedServerSchema.parse(source.captured.facts.detail);
      if (!databases.includes(database)) throw unknownDatabase(database, databases);
      const why = await whyUnseen(context, await liveAccessOf(context, "source"), { database, table: null });
      const part = { name: formatExcerptName({ database, table: null }) };
      yield why === null ? { ...part, state: "gone", pointRows: null } : { ...part, state: "unseen", why };
      return;
    }
    if (table === null) yield* compareDatabase(context, source, database);
    else yield await compareNamed(context, source, { database, table });
  },
};
