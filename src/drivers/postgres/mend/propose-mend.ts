/** Compares tables of a point with the live ones and writes what puts their rows back. Leaves nothing in the database. */
import { formatCount } from "../../../core/text/quantity.ts";
import type { MendRequest, MendSource, PointSource } from "../../../core/ports/row-mending.ts";
import { nearestWord } from "../../../core/declaration/nearest-word.ts";
import { type MendedTable, type MendProposal, rowsPutBack } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { PostgresContext } from "../postgres-context.ts";
import { openLocation } from "../retired-database.ts";
import { inTransaction, type Session } from "../../../platform/postgres/session.ts";
import { compareSettings } from "../written-side.ts";
import { keepMend } from "./kept-mends.ts";
import { type LiveTable, readLiveTables } from "./live-tables.ts";
import { writeScript } from "./mend-script.ts";
import { loadRows } from "./loaded-rows.ts";
import { parentsFirst, wantReferred } from "./referred-rows.ts";
import { type RowSource, withRowSource } from "./row-source.ts";
import { type RowDifferences, type RowWish, compareRows, describeWanted, nothingWanted } from "./row-differences.ts";

/** Above this a script is nothing that anybody reviews, and one transaction holds too much. */
const mostRows = 500_000;

const requireLive = (label: string, live: ReadonlyMap<string, LiveTable>): LiveTable => {
  const table = live.get(label);
  if (table !== undefined) return table;
  throw new RefloatError("source.unsupported", `there is no table ${label} any more to put rows back into`, {
    state: "nothing was changed",
    hint: "a table that was dropped comes back with its database, beside the live one: refloat recover --no-cutover",
  });
};

const requireColumns = (columns: readonly string[], compared: readonly RowDifferences[]): void => {
  const known = [...new Set(compared.flatMap(({ shared }) => shared.map(({ name }) => name)))];
  const unknown = columns.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearestWord(unknown, known);
  throw new RefloatError("usage", `no column "${unknown}" is both in the point and live`, {
    state: "nothing was changed",
    hint: near === undefined ? `there are ${known.join(", ")}` : `did you mean "${near}"?`,
  });
};

const firing = ({ live }: RowDifferences, puts: MendedTable["puts"]): readonly string[] => {
  const isMade = (event: string): boolean =>
    (event === "insert" && puts.gone > 0) || (event === "update" && puts.changed > 0);
  return live.triggers.flatMap((trigger) => {
    const fires = trigger.events.filter(isMade);
    return fires.length === 0 ? [] : [`${trigger.name} on ${live.label}, ${trigger.when} ${fires.join(" or ")}`];
  });
};

const describe = async (session: Session, table: RowDifferences, asked: boolean): Promise<MendedTable> => {
  const wanted = await describeWanted(session, table);
  return {
    name: table.live.label,
    asked,
    key: [...table.live.key],
    ...table.counts,
    ...wanted,
    triggers: [...firing(table, wanted.puts)],
  };
};

const words = (context: PostgresContext, source: string, tables: readonly MendedTable[]): readonly string[] => [
  `Refloat: rows of ${context.service}/${context.component} as ${source} has them.`,
  ...tables.map(
    ({ name, puts }) => `${name}: ${formatCount(puts.changed)} rows differ, ${formatCount(puts.gone)} are gone`,
  ),
  "All or nothing: a row that is no longer as it was compared ends it with an error. For psql: psql -X -v ON_ERROR_STOP=1 -f FILE",
];

const compareOne = async (
  session: Session,
  live: LiveTable,
  source: RowSource,
  wish: RowWish,
  number: number,
): Promise<RowDifferences> => {
  const rows = await source.open(live.label);
  if (rows === null) throw new RefloatError("bug", `${source.words} has no table ${live.label}`);
  return compareRows(session, await loadRows(session, live, rows, number), wish, number);
};

const compareAll = async (
  session: Session,
  source: RowSource,
  request: MendRequest,
): Promise<{ readonly tables: readonly RowDifferences[]; readonly warnings: readonly string[] }> => {
  const live = await readLiveTables(session);
  const wish: RowWish = { rows: request.rows, columns: request.columns, where: request.where };
  const compared = new Map<string, RowDifferences>();
  const compare = async (label: string, wanted: RowWish): Promise<RowDifferences> => {
    const found = await compareOne(session, requireLive(label, live), source, wanted, compared.size);
    compared.set(label, found);
    return found;
  };
  const unfit: string[] = [];
  if (request.tables === null) {
    // Of everything that there is, one table that cannot be compared does not keep the others from it.
    for (const label of source.labels) {
      await session.query("savepoint refloat_table");
      try {
        await compare(label, wish);
      } catch (error) {
        if (!(error instanceof RefloatError) || error.code !== "source.unsupported") throw error;
        await session.query("rollback to savepoint refloat_table");
        unfit.push(error.message);
      }
    }
  } else for (const label of request.tables) await compare(label, wish);
  if (request.columns !== null) requireColumns(request.columns, [...compared.values()]);
  const warnings = await wantReferred(session, {
    compared,
    compare: async (label) =>
      !live.has(label) || !source.labels.includes(label) ? null : compare(label, nothingWanted),
  });
  const dropped = [...compared.values()].flatMap(({ live: { label }, dropped: columns }) =>
    columns.length === 0 ? [] : [`${label} has no ${columns.join(", ")} any more: those values stay where they are`],
  );
  return { tables: parentsFirst([...compared.values()]), warnings: [...unfit, ...dropped, ...warnings] };
};

/** Read committed would compare one table with what another no longer is. */
const comparing = async <Result>(
  context: PostgresContext,
  act: (session: Session) => Promise<Result>,
): Promise<Result> => {
  const session = await openLocation(context, null);
  try {
    await session.query(compareSettings);
    return await inTransaction(session, "isolation level repeatable read", () => act(session));
  } finally {
    await session.close();
  }
};

export const compareTableWithLive = async (
  context: PostgresContext,
  source: PointSource,
  table: string,
): Promise<MendedTable> =>
  withRowSource(context, source, (rows) =>
    comparing(context, async (session) => {
      const live = requireLive(table, await readLiveTables(session));
      const wish: RowWish = { rows: ["changed", "gone"], columns: null, where: null };
      return describe(session, await compareOne(session, live, rows, wish, 0), true);
    }),
  );

export const proposeMend = async (
  context: PostgresContext,
  source: MendSource,
  request: MendRequest,
): Promise<MendProposal> =>
  withRowSource(context, source, (rows) =>
    comparing(context, (session) => proposeFrom(context, session, rows, request)),
  );

const proposeFrom = async (
  context: PostgresContext,
  session: Session,
  source: RowSource,
  request: MendRequest,
): Promise<MendProposal> => {
  const { tables, warnings } = await compareAll(session, source, request);
  const described: MendedTable[] = [];
  for (const table of tables) {
    const asked = request.tables === null || request.tables.includes(table.live.label);
    const one = await describe(session, table, asked);
    // Whoever asked for nothing by name is told only of what there is to do.
    if (request.tables !== null || one.puts.changed + one.puts.gone > 0) described.push(one);
  }
  const proposal = (digest: string, paths: { readonly script: string | null; readonly undo: string | null }) => ({
    digest,
    source: source.words,
    tables: described,
    fireTriggers: request.fireTriggers,
    warnings: [...warnings],
    ...paths,
    writtenAt: context.clock.now().toISOString(),
  });
  const rows = rowsPutBack({ tables: described });
  if (rows === 0) return proposal("", { script: null, undo: null });
  if (rows > mostRows) {
    throw new RefloatError("source.unsupported", `${formatCount(rows)} rows are more than one script puts back`, {
      state: "nothing was changed",
      hint: `at most ${formatCount(mostRows)}: narrow it by tables, --where or --columns, or recover the whole database`,
    });
  }
  const options = { tables, fireTriggers: request.fireTriggers, words: words(context, source.words, described) };
  return keepMend(context.stateDirectory, {
    mend: writeScript(session, { ...options, direction: "mend" }),
    undo: writeScript(session, {
      ...options,
      direction: "undo",
      words: ["The other way round, of what follows:", ...options.words],
    }),
    describe: proposal,
  });
};
