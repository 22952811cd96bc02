/**
 * What is live in a cluster against its physical capture: which databases there are, and, of what is named, rows. A table by a temporary server of only what it
 * needs; a database by one of all of it, table by table.
 */
import { isOfOneTable, unlessUnfit } from "../../../core/assess/unless-unfit.ts";
import { mostUnaskedBytes } from "../../../core/mend/loadable-size.ts";
import type { ComparedPart, PartComparing } from "../../../core/ports/part-comparing.ts";
import type { PointSource } from "../../../core/ports/row-mending.ts";
import { formatBytes } from "../../../core/text/quantity.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { CopiedRowMending, RowSource, SourceRows, TableName } from "../../../platform/postgres/copied-rows.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { capturedDetailSchema } from "../cluster-facts.ts";
import type { ClusterContext, ClusterOptions } from "../cluster-options.ts";
import { formatDatabase, formatPlace, parseExcerptName } from "../excerpt/excerpt-name.ts";
import { databaseNamed, unknownDatabase } from "../excerpt/judge-instance.ts";
import { type ExcerptDatabase, openExcerptRows, withExcerptDatabase } from "./excerpt-rows.ts";
import { type Named, findLive, liveDatabases, namesOf, openDatabase } from "./live-names.ts";
import { excerptRequest, withExcerpts } from "./with-excerpts.ts";

/** COPY writes a line break within a value as two other characters: each one ends a row. */
const rowEnd = 0x0a;

const countRows = async ({ text }: SourceRows): Promise<number> => {
  let count = 0;
  for await (const piece of text) for (const byte of piece) if (byte === rowEnd) count += 1;
  return count;
};

const countNamed = async (context: ClusterContext, source: PointSource, name: string): Promise<number> => {
  const { rows, close } = await openExcerptRows(context, source, excerptRequest(context, name, source.replay));
  try {
    return await countRows(rows);
  } finally {
    await close();
  }
};

const compareNamed = async (
  rows: CopiedRowMending,
  context: ClusterContext,
  source: PointSource,
  named: Named,
): Promise<ComparedPart> => {
  const { database, schema, table } = named;
  const typed = schema === null ? formatPlace(database, "public", table) : formatPlace(database, schema, table);
  const session = await openDatabase(context, database, "source");
  const names = await namesOf(session, rows);
  let live: TableName | null = null;
  try {
    live = findLive(named, names);
  } finally {
    if (live === null) await session.close();
  }
  if (live === null) return { name: typed, state: "gone", pointRows: await countNamed(context, source, typed) };
  const { label } = live;
  const name = formatPlace(database, live.schema, live.name);
  let isMissing = false;
  try {
    return await unlessUnfit(name, () =>
      withExcerpts(context, source, { database, names }, async (from) => {
        const open: RowSource["open"] = async (asked) => {
          const found = await from.open(asked);
          isMissing = found === null;
          return found;
        };
        return { name, state: "compared", rows: await rows.compare(session, { ...from, open }, label) };
      }),
    );
  } catch (error) {
    if (!isMissing) throw error;
    return { name, state: "added" };
  }
};

type PointTable = TableName & { readonly sizeBytes: number };

const sizesSql = `
  select n.nspname as schema, c.relname as name, pg_catalog.pg_table_size(c.oid)::float8 as "sizeBytes"
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r'`;

const pointTables = async (session: Session, { names }: CopiedRowMending): Promise<readonly PointTable[]> => {
  const tables = await names(session);
  const sizes = await session.query<{ schema: string; name: string; sizeBytes: number }>(sizesSql);
  const bySchema = new Map(sizes.map(({ schema, name, sizeBytes }) => [JSON.stringify([schema, name]), sizeBytes]));
  return tables.map((table) => ({
    ...table,
    sizeBytes: bySchema.get(JSON.stringify([table.schema, table.name])) ?? 0,
  }));
};

const withOwnSession = async <Result>(
  open: () => Promise<Session>,
  act: (session: Session) => Promise<Result>,
): Promise<Result> => {
  const session = await open();
  try {
    return await act(session);
  } finally {
    await session.close();
  }
};

/** Rows lie in partitions, which are tables of their own here. */
const byLabel = <Table extends TableName>(tables: readonly Table[]): ReadonlyMap<string, Table> =>
  new Map(tables.filter(({ isPartitioned }) => !isPartitioned).map((table) => [table.label, table]));

const compareDatabase = (
  rows: CopiedRowMending,
  context: ClusterContext,
  source: PointSource,
  database: string,
): AsyncIterable<ComparedPart> => {
  const typed = formatDatabase(database);
  const compareOne = async (excerpt: ExcerptDatabase, was: PointTable): Promise<ComparedPart> => {
    const name = formatPlace(database, was.schema, was.name);
    if (was.sizeBytes > mostUnaskedBytes) {
      const why = `${formatBytes(was.sizeBytes)} are compared only where the table is named: --only ${context.component}:${name}`;
      return { name, state: "unseen", why };
    }
    return unlessUnfit(name, () =>
      withOwnSession(excerpt.connect, async (reading) => {
        const from: RowSource = {
          words: source.words,
          whole: true,
          labels: null,
          open: async (label) => (label === was.label ? excerpt.rows(reading, was.schema, was.name) : null),
          define: async () => null,
        };
        context.log.info("comparing", { table: name });
        const session = await openDatabase(context, database, "source");
        return { name, state: "compared", rows: await rows.compare(session, from, was.label) };
      }),
    );
  };
  const goneOne = async (excerpt: ExcerptDatabase, { schema, name: table }: PointTable): Promise<ComparedPart> => {
    const pointRows = await withOwnSession(excerpt.connect, async (reading) =>
      countRows(await excerpt.rows(reading, schema, table)),
    ).catch((error: unknown) => {
      // It is gone all the same.
      if (isOfOneTable(error)) return null;
      throw error;
    });
    return { name: formatPlace(database, schema, table), state: "gone", pointRows };
  };
  const request = excerptRequest(context, typed, source.replay);
  return withExcerptDatabase(context, source, request, async function* compareAll(excerpt) {
    const before = byLabel(await withOwnSession(excerpt.connect, (session) => pointTables(session, rows)));
    const live = byLabel(await withOwnSession(() => openDatabase(context, database, "source"), rows.names));
    for (const label of [...new Set([...before.keys(), ...live.keys()])].toSorted()) {
      const [was, is] = [before.get(label), live.get(label)];
      if (was === undefined) {
        if (is !== undefined) yield { name: formatPlace(database, is.schema, is.name), state: "added" };
      } else yield await (is === undefined ? goneOne(excerpt, was) : compareOne(excerpt, was));
    }
  });
};

export const clusterParts = (rows: CopiedRowMending): PartComparing<ClusterOptions> => ({
  survey: async (context, { facts }) => {
    const live = await liveDatabases(context);
    const captured = capturedDetailSchema.parse(facts.detail).databases.filter((one) => one.allowsConnections);
    return {
      parts: captured.map(({ name }) => ({
        name: formatDatabase(name),
        sizeBytes: facts.units[name]?.sizeBytes ?? null,
        isLive: live.has(name),
      })),
    };
  },

  cost: ({ facts, name: component }, typed) => {
    const name = parseExcerptName(typed);
    if (name?.kind !== "database") return null;
    const size = facts.units[name.database]?.sizeBytes;
    const amount = size === undefined ? "" : ` (${formatBytes(size)})`;
    return `all of ${typed}${amount} is read out of the point into TMPDIR, and its tables, one after the other, into temporary ones of the live server; --only ${component}:${typed}/TABLE reads one`;
  },

  compare: async function* compare(context, source, typed) {
    const name = parseExcerptName(typed);
    if (name === null || name.kind === "schema") {
      throw new RefloatError("usage", `"${typed}" names no table and no database of a cluster`, {
        hint: "write DATABASE/TABLE, DATABASE/SCHEMA.TABLE, or DATABASE for all of its tables",
      });
    }
    const { database } = name;
    if (!(await liveDatabases(context)).has(database)) {
      const detail = capturedDetailSchema.parse(source.captured.facts.detail);
      if (databaseNamed(detail, database) === undefined) throw unknownDatabase(database, detail);
      yield { name: formatDatabase(database), state: "gone", pointRows: null };
      return;
    }
    if (name.kind === "table") yield await compareNamed(rows, context, source, name);
    else yield* compareDatabase(rows, context, source, database);
  },
});
