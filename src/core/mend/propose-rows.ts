/**
 * Compares tables of a source with the live ones and has the stage write what puts their rows back. The one way that this goes, whatever the technology;
 * what it is asked of stands in ports/row-stage.
 */
import type { MendRequest } from "../ports/row-mending.ts";
import type { RowStage, RowWish, ScriptPiece, StageRows, StageTable } from "../ports/row-stage.ts";
import { nearestWord } from "../declaration/nearest-word.ts";
import { formatCount, formatList } from "../text/quantity.ts";
import { type LeftOut, type MendedTable, type MendProposal, rowsPutBack } from "../../model/mend.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { type KeepLeftRows, rowsLeftOut } from "./left-rows.ts";
import { parentsFirst, setRefusedAside, wantReferred } from "./referred-rows.ts";

/** Above this a script is nothing that anybody reviews. A table that is made again is one thing to review, however many rows it has. */
const mostRows = 500_000;

/** A table that only comes along: nothing of it is wanted until a row refers to it. */
const nothingWanted: RowWish = { rows: [], columns: null, where: null };

const nothingChanged = "nothing was changed";

const requireLive = <Table>(
  label: string,
  live: ReadonlyMap<string, Table>,
  { remakeHint }: Pick<RowStage, "remakeHint">,
): Table => {
  const table = live.get(label);
  if (table !== undefined) return table;
  throw new RefloatError("source.unsupported", `there is no table ${label} any more to put rows back into`, {
    state: nothingChanged,
    hint: remakeHint(label),
  });
};

const requireColumns = (columns: readonly string[], compared: readonly StageRows[]): void => {
  const known = [...new Set(compared.flatMap(({ shared }) => shared.map(({ name }) => name)))];
  const unknown = columns.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearestWord(unknown, known);
  throw new RefloatError("usage", `no column "${unknown}" is both in the point and live`, {
    state: nothingChanged,
    hint: near === undefined ? `there are ${known.join(", ")}` : `did you mean "${near}"?`,
  });
};

const firing = ({ label, triggers }: StageTable, puts: MendedTable["puts"]): readonly string[] => {
  const isMade = (event: string): boolean =>
    (event === "insert" && puts.gone > 0) || (event === "update" && puts.changed > 0);
  return triggers.flatMap((trigger) => {
    const fires = trigger.events.filter(isMade);
    return fires.length === 0 ? [] : [`${trigger.name} on ${label}, ${trigger.when} ${fires.join(" or ")}`];
  });
};

/** Triggers before a row may write something else than what is put back, and the way back then finds rows that it does not know. */
const changing = (tables: readonly MendedTable[], quietsTriggers: boolean): readonly string[] => {
  const before = tables.flatMap(({ triggers }) => triggers).filter((trigger) => trigger.includes(", before "));
  const quiet = quietsTriggers ? "; --no-triggers keeps it quiet" : "";
  return before.length === 0
    ? []
    : [`${formatList(before)}: may change what is put back, and then --undo is refused${quiet}`];
};

type Purpose = Pick<MendedTable, "asked" | "made">;

const describe = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  rows: Rows,
  { asked, made }: Purpose,
): Promise<MendedTable> => {
  const wanted = await stage.describe(rows);
  return {
    name: rows.live.label,
    asked,
    made,
    key: [...rows.live.key],
    ...rows.counts,
    ...wanted,
    triggers: [...firing(rows.live, wanted.puts)],
  };
};

const compareOne = async <Table extends StageTable, Rows extends StageRows<Table>>(
  { compare, source }: RowStage<Table, Rows>,
  live: Table,
  wish: RowWish,
): Promise<Rows> => {
  const rows = await compare(live, wish);
  if (rows !== null) return rows;
  const { words, labels } = source;
  throw new RefloatError("usage", `${words} has no rows of ${live.label} to put back`, {
    state: nothingChanged,
    ...(labels === null
      ? {}
      : { hint: labels.length === 0 ? "it has none of any table" : `it has some of ${formatList(labels, 8)}` }),
  });
};

/** What differs in one table, as `RowMending.compare` answers. */
export const compareTable = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  label: string,
): Promise<MendedTable> => {
  const live = requireLive(label, await stage.tables(), stage);
  await stage.prepare();
  const compared = await compareOne(stage, live, { rows: ["changed", "gone"], columns: null, where: null });
  return describe(stage, compared, { asked: true, made: false });
};

type Made = ReadonlyMap<string, { readonly lost: readonly string[] }>;

/** Makes tables that were dropped again, without rows, for the stage alone. @throws RefloatError source.unsupported, usage */
const makeDropped = async (
  stage: Pick<RowStage, "makeDropped" | "remakeHint">,
  labels: readonly string[],
  { where, columns }: MendRequest,
): Promise<Made> => {
  const made = new Map<string, { readonly lost: readonly string[] }>();
  for (const label of labels) {
    if (where !== null || columns !== null) {
      const why = `${label} was dropped: it is made again as a whole, without --where and --columns`;
      throw new RefloatError("usage", why, { state: nothingChanged });
    }
    made.set(label, (await stage.makeDropped(label)) ?? requireLive(label, new Map(), stage));
  }
  return made;
};

type Compared<Rows> = {
  readonly tables: readonly Rows[];
  readonly made: Made;
  readonly warnings: readonly string[];
  readonly leftOut: readonly LeftOut[];
};

/** Whoever commits before it is done loses the rows with the side that is kept. */
const withRemedy = (why: string, remedy: string | undefined, { again }: MendRequest): string =>
  remedy === undefined ? why : `${why}; ${remedy}${again === undefined ? "" : `; then again: ${again}`}`;

const isUnfit = (error: unknown): error is RefloatError =>
  error instanceof RefloatError && error.code === "source.unsupported";

const compareAll = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  request: MendRequest,
  keepLeft: KeepLeftRows | null,
): Promise<Compared<Rows>> => {
  const before = await stage.tables();
  const missing = request.tables?.filter((label) => !before.has(label)) ?? [];
  // What only a side has that is kept was never dropped here.
  const made: Made = keepLeft === null ? await makeDropped(stage, missing, request) : new Map();
  const live = made.size === 0 ? before : await stage.tables();
  await stage.prepare();
  const wish: RowWish = { rows: request.rows, columns: request.columns, where: request.where };
  const compared = new Map<string, Rows>();
  const compare = async (label: string, wanted: RowWish): Promise<Rows> => {
    const found = await compareOne(stage, requireFit(requireLive(label, live, stage)), wanted);
    compared.set(label, found);
    return found;
  };
  const unfit: LeftOut[] = [];
  for (const label of request.tables ?? stage.source.labels ?? []) {
    try {
      await stage.attempt(() => compare(label, wish));
    } catch (error) {
      // Of everything that there is, one table that cannot be compared does not keep the others from it; of a side that is kept its rows are written down.
      if (!isUnfit(error) || (request.tables !== null && keepLeft === null)) throw error;
      const why = withRemedy(error.message, live.get(label)?.remedy, request);
      const left = await rowsLeftOut(stage, { table: label, wanted: request.rows, why, keep: keepLeft });
      // Whoever named a table wants to know what keeps it, and a name that nobody knows is a slip.
      if (left?.rows === null && request.tables !== null) throw error;
      if (left !== null) unfit.push(left);
    }
  }
  if (request.columns !== null) requireColumns(request.columns, [...compared.values()]);
  const { labels } = stage.source;
  await wantReferred(stage, {
    compared,
    compare: async (label) => {
      const table = live.get(label);
      if (table === undefined || labels?.includes(label) === false || table.refusal !== null) return null;
      const found = await stage.compare(table, nothingWanted);
      if (found !== null) compared.set(label, found);
      return found;
    },
  });
  const loud = await leaveLoud(stage, compared, request);
  const aside = await setRefusedAside(stage, compared, made);
  const dropped = [...compared.values()].flatMap(({ live: { label }, dropped: columns }) =>
    columns.length === 0 ? [] : [`${label} has no ${columns.join(", ")} any more: those values stay where they are`],
  );
  const lost = [...made].flatMap(([label, { lost: others }]) =>
    others.length === 0 ? [] : [`lost with ${label} and not put back: ${formatList(others, 8)}`],
  );
  const tables = parentsFirst([...compared.values()]);
  return { tables, made, warnings: [...dropped, ...lost], leftOut: [...unfit, ...loud, ...aside] };
};

/** @throws RefloatError source.unsupported */
const requireFit = <Table extends StageTable>(table: Table): Table => {
  if (table.refusal === null) return table;
  throw new RefloatError("source.unsupported", `no rows are put back into ${table.label}: ${table.refusal}`, {
    state: nothingChanged,
    hint: "its rows come out of the point by refloat extract; all of it comes back by refloat recover",
  });
};

/**
 * Tables whose triggers would fire although they are to be quiet: of everything that there is they are left out and named; whoever asked for one by name is told.
 * @throws RefloatError source.unsupported
 */
const leaveLoud = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  compared: ReadonlyMap<string, Rows>,
  { fireTriggers, tables }: MendRequest,
): Promise<readonly LeftOut[]> => {
  if (fireTriggers || stage.quietsTriggers) return [];
  const told: LeftOut[] = [];
  for (const [label, rows] of compared) {
    const { puts } = await stage.describe(rows);
    const fires = firing(rows.live, puts);
    if (fires.length === 0) continue;
    const why = `${formatList(fires)} would fire, and cannot be kept quiet within a transaction of this server`;
    if (tables?.includes(label) === true) {
      throw new RefloatError("source.unsupported", why, {
        state: nothingChanged,
        hint: "let it fire (mend without --no-triggers, reconcile with --triggers), or drop it for as long as it takes",
      });
    }
    await stage.setAllAside(rows);
    told.push({ table: label, rows: puts.gone + puts.changed, why: `${why}; --triggers lets it fire`, file: null });
  }
  return told;
};

const words = (place: string, source: string, tables: readonly MendedTable[]): readonly string[] => [
  `Refloat: rows of ${place} as ${source} has them.`,
  ...tables.map(
    ({ name, puts }) => `${name}: ${formatCount(puts.changed)} rows differ, ${formatCount(puts.gone)} are gone`,
  ),
];

export type ProposedScripts = {
  readonly mend: AsyncIterable<ScriptPiece>;
  readonly undo: AsyncIterable<ScriptPiece>;
  readonly describe: (kept: Pick<MendProposal, "digest" | "undoDigest" | "script" | "undo">) => MendProposal;
};

export type Proposing = {
  /** For people: `shop/db`. */
  readonly place: string;
  /** The database, where the component has several; null where it is one. */
  readonly database: string | null;
  readonly now: () => Date;
  /** Writes the scripts where they stay, and says where. */
  readonly keep: (scripts: ProposedScripts) => Promise<MendProposal>;
  /** Of a side that is kept; null of a point, which stays. */
  readonly keepLeft: KeepLeftRows | null;
};

/** As `RowMending.propose`. */
export const proposeRows = async <Table extends StageTable, Rows extends StageRows<Table>>(
  stage: RowStage<Table, Rows>,
  request: MendRequest,
  { place, database, now, keep, keepLeft }: Proposing,
): Promise<MendProposal> => {
  const { source } = stage;
  const { tables, made, warnings, leftOut } = await compareAll(stage, request, keepLeft);
  const described: MendedTable[] = [];
  for (const rows of tables) {
    const { label } = rows.live;
    const asked = request.tables === null || request.tables.includes(label);
    const one = await describe(stage, rows, { asked, made: made.has(label) });
    // Whoever asked for nothing by name is told only of what there is to do.
    if (request.tables !== null || one.puts.changed + one.puts.gone > 0) described.push(one);
  }
  const proposal = (kept: Pick<MendProposal, "digest" | "undoDigest" | "script" | "undo">): MendProposal => ({
    ...kept,
    source: source.words,
    database,
    tables: described,
    fireTriggers: request.fireTriggers,
    quietsTriggers: stage.quietsTriggers,
    leftOut: [...leftOut],
    warnings: [...warnings, ...(request.fireTriggers ? changing(described, stage.quietsTriggers) : [])],
    writtenAt: now().toISOString(),
    ...(request.again === undefined ? {} : { again: request.again }),
  });
  const rows = rowsPutBack({ tables: described });
  if (rows === 0 && made.size === 0) return proposal({ digest: "", undoDigest: "", script: null, undo: null });
  const single = rowsPutBack({ tables: described.filter((table) => !table.made) });
  if (single > mostRows) {
    throw new RefloatError("source.unsupported", `${formatCount(single)} rows are more than one script puts back`, {
      state: nothingChanged,
      hint: `at most ${formatCount(mostRows)}: narrow it by tables, --where or --columns, or recover the whole database`,
    });
  }
  const told = words(database === null ? place : `${place}, database ${database},`, source.words, described);
  const options = { tables, fireTriggers: request.fireTriggers };
  return keep({
    mend: stage.script({ ...options, direction: "mend", words: told }),
    undo: stage.script({
      ...options,
      direction: "undo",
      words: ["The other way round, of what follows:", ...told],
    }),
    describe: proposal,
  });
};
