/** Compares tables of a point with the live ones and writes what puts their rows back. Leaves nothing in the database. */
import { formatCount, formatList } from "../../../core/text/quantity.ts";
import type { MendRequest, MendSource, PointSource } from "../../../core/ports/row-mending.ts";
import { nearestWord } from "../../../core/declaration/nearest-word.ts";
import { type MendedTable, type MendProposal, rowsPutBack } from "../../../model/mend.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { PostgresContext } from "../postgres-context.ts";
import { openLocation } from "../retired-database.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { compareSettings } from "../written-side.ts";
import type { DroppedTable } from "./dropped-table.ts";
import { keepMend } from "./kept-mends.ts";
import { type LiveTable, readLiveTables } from "./live-tables.ts";
import { writeScript } from "./mend-script.ts";
import { loadRows } from "./loaded-rows.ts";
import { parentsFirst, wantReferred } from "./referred-rows.ts";
import { setRefusedAside } from "./set-aside.ts";
import { type RowSource, withRowSource } from "./row-source.ts";
import {
  type RowDifferences,
  type RowWish,
  allGone,
  compareRows,
  describeWanted,
  nothingWanted,
} from "./row-differences.ts";

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

/** Triggers before a row may write something else than what is put back, and the way back then finds rows that it does not know. */
const changing = (tables: readonly MendedTable[]): readonly string[] => {
  const before = tables.flatMap(({ triggers }) => triggers).filter((trigger) => trigger.includes(", before "));
  return before.length === 0
    ? []
    : [`${formatList(before)}: may change what is put back, and then --undo is refused; --no-triggers keeps it quiet`];
};

const describe = async (
  session: Session,
  table: RowDifferences,
  { asked, made }: Pick<MendedTable, "asked" | "made">,
): Promise<MendedTable> => {
  const wanted = await describeWanted(session, table);
  return {
    name: table.live.label,
    asked,
    made,
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
  { wish, number, made }: { readonly wish: RowWish; readonly number: number; readonly made: boolean },
): Promise<RowDifferences> => {
  const rows = await source.open(live.label);
  if (rows === null)
    throw new RefloatError("usage", `${source.words} has no rows of ${live.label} to put back`, {
      state: "nothing was changed",
      hint: source.labels.length === 0 ? "it has none of any table" : `it has some of ${formatList(source.labels, 8)}`,
    });
  const loaded = await loadRows(session, live, rows, { number, made });
  return made ? allGone(session, loaded, number) : compareRows(session, loaded, wish, { number, whole: source.whole });
};

/**
 * Makes tables that were dropped again, without rows, within the transaction that compares: it is rolled back.
 * @throws RefloatError source.unsupported
 */
const makeDropped = async (
  session: Session,
  source: RowSource,
  labels: readonly string[],
  { where, columns }: MendRequest,
): Promise<ReadonlyMap<string, DroppedTable>> => {
  const made = new Map<string, DroppedTable>();
  for (const label of labels) {
    const dropped = await source.define(label);
    if (dropped === null) requireLive(label, new Map());
    else {
      if (where !== null || columns !== null)
        throw new RefloatError(
          "usage",
          `${label} was dropped: it is made again as a whole, without --where and --columns`,
          {
            state: "nothing was changed",
          },
        );
      try {
        await session.query(dropped.before.join("\n"));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new RefloatError("source.unsupported", `${label} was dropped and cannot be made again: ${message}`, {
          cause: error,
          state: "nothing was changed",
          hint: "the whole database can be recovered beside it: refloat recover --no-cutover",
        });
      }
      made.set(label, dropped);
    }
  }
  return made;
};

/** @throws RefloatError source.unsupported for a database whose bytes stand for no characters: they could not be written down */
const requireText = async (session: Session): Promise<void> => {
  const [row] = await session.query<{ encoding: string }>("select current_setting('server_encoding') as encoding");
  if (row?.encoding !== "SQL_ASCII") return;
  throw new RefloatError(
    "source.unsupported",
    "the database has the encoding SQL_ASCII: its texts cannot be written as SQL",
    {
      state: "nothing was changed",
      hint: "the whole database can be recovered: refloat recover",
    },
  );
};

/** Once all names are known qualified: operators of extensions, and what a condition calls, are found as the application finds them. */
const ownSearchPath = "set local search_path to default";

type Compared = {
  readonly tables: readonly RowDifferences[];
  /** By label: those that were dropped. */
  readonly made: ReadonlyMap<string, DroppedTable>;
  readonly warnings: readonly string[];
};

const compareAll = async (session: Session, source: RowSource, request: MendRequest): Promise<Compared> => {
  const before = await readLiveTables(session);
  const missing = request.tables?.filter((label) => !before.has(label)) ?? [];
  const made = await makeDropped(session, source, missing, request);
  const live = made.size === 0 ? before : await readLiveTables(session);
  await session.query(ownSearchPath);
  const wish: RowWish = { rows: request.rows, columns: request.columns, where: request.where };
  const compared = new Map<string, RowDifferences>();
  const compare = async (label: string, wanted: RowWish): Promise<RowDifferences> => {
    const options = { wish: wanted, number: compared.size, made: made.has(label) };
    const found = await compareOne(session, requireLive(label, live), source, options);
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
  await wantReferred(session, {
    compared,
    compare: async (label) =>
      !live.has(label) || !source.labels.includes(label) ? null : compare(label, nothingWanted),
  });
  const aside = await setRefusedAside(session, compared, made);
  const dropped = [...compared.values()].flatMap(({ live: { label }, dropped: columns }) =>
    columns.length === 0 ? [] : [`${label} has no ${columns.join(", ")} any more: those values stay where they are`],
  );
  const lost = [...made.values()].flatMap(({ label, lost: others }) =>
    others.length === 0 ? [] : [`lost with ${label} and not put back: ${formatList(others, 8)}`],
  );
  const tables = parentsFirst([...compared.values()]);
  return { tables, made, warnings: [...unfit, ...dropped, ...lost, ...aside] };
};

/** Read committed would compare one table with what another no longer is. */
const comparing = async <Result>(
  context: PostgresContext,
  act: (session: Session) => Promise<Result>,
): Promise<Result> => {
  const session = await openLocation(context, null);
  try {
    await session.query(compareSettings);
    await requireText(session);
    await session.query("begin isolation level repeatable read");
    const result = await act(session);
    // Whatever was made to compare with goes.
    await session.query("rollback");
    return result;
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
      await session.query(ownSearchPath);
      const wish: RowWish = { rows: ["changed", "gone"], columns: null, where: null };
      const compared = await compareOne(session, live, rows, { wish, number: 0, made: false });
      return describe(session, compared, { asked: true, made: false });
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
  const { tables, made, warnings } = await compareAll(session, source, request);
  const described: MendedTable[] = [];
  for (const table of tables) {
    const asked = request.tables === null || request.tables.includes(table.live.label);
    const one = await describe(session, table, { asked, made: made.has(table.live.label) });
    // Whoever asked for nothing by name is told only of what there is to do.
    if (request.tables !== null || one.puts.changed + one.puts.gone > 0) described.push(one);
  }
  const proposal = (kept: Pick<MendProposal, "digest" | "undoDigest" | "script" | "undo">) => ({
    ...kept,
    source: source.words,
    tables: described,
    fireTriggers: request.fireTriggers,
    warnings: [...warnings, ...(request.fireTriggers ? changing(described) : [])],
    writtenAt: context.clock.now().toISOString(),
  });
  const rows = rowsPutBack({ tables: described });
  if (rows === 0 && made.size === 0) return proposal({ digest: "", undoDigest: "", script: null, undo: null });
  if (rows > mostRows) {
    throw new RefloatError("source.unsupported", `${formatCount(rows)} rows are more than one script puts back`, {
      state: "nothing was changed",
      hint: `at most ${formatCount(mostRows)}: narrow it by tables, --where or --columns, or recover the whole database`,
    });
  }
  const options = { tables, made, fireTriggers: request.fireTriggers, words: words(context, source.words, described) };
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
