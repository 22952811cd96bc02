/** A MariaDB database as a stage: the source's rows in temporary tables of one session, which ends. */
import { compared, isMade, requireMade } from "../../../core/mend/staged-rows.ts";
import { writeScript } from "../../../core/mend/write-script.ts";
import type { RowStage } from "../../../core/ports/row-stage.ts";
import { formatList } from "../../../core/text/quantity.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { readServerFacts } from "../server-facts.ts";
import { type SqlAccess, runSql } from "../sql-client.ts";
import { type SqlSession, openSqlSession } from "../sql-session.ts";
import { type LiveTable, readLiveTables } from "./live-tables.ts";
import { loadRows } from "./loaded-rows.ts";
import { countDangling, setAllAside, setOrphansAside, setTakenAside, wantParents } from "./referred-sql.ts";
import { type MadeRows, type StagedRows, describeMade, layMade, requireParents } from "./made-rows.ts";
import { madeScriptParts } from "./made-script.ts";
import { nameRights } from "./name-rights.ts";
import { compareRows, describeWanted } from "./row-differences.ts";
import type { MariadbRowSource } from "./row-source.ts";
import { mariadbScriptParts } from "./script-parts.ts";

export type MariadbStage = RowStage<LiveTable, StagedRows>;

/** A statement that makes a table ends the transaction in which rows come back. @throws RefloatError source.unsupported */
const requireNoOthers = (
  label: string,
  { made, typed }: { readonly made: readonly string[]; readonly typed: (name: string) => string },
): void => {
  if (made.length === 0) return;
  const all = made.map(typed).join(",");
  throw new RefloatError(
    "source.unsupported",
    `${label} is there, and ${formatList(made)} was dropped: both cannot be had all or nothing`,
    {
      state: "nothing was changed",
      hint: `this server can take no table back that was made: have that done by itself, --only ${all}, and rows of ${label} by another mend`,
    },
  );
};

const mariadbStage = (
  session: SqlSession,
  source: MariadbRowSource,
  { database, note }: { readonly database: string; readonly note: () => Promise<void> },
): MariadbStage => {
  const made = new Map<string, MadeRows>();
  let count = 0;
  return {
    source,
    quietsTriggers: false,
    tables: async () => {
      const live = await readLiveTables(session, database);
      return new Map([...live, ...[...made].map(([label, rows]) => [label, rows.live] as const)]);
    },
    makeDropped: async (label) => {
      const dropped = await source.define(label);
      if (dropped === null) return null;
      count += 1;
      const rows = await layMade(session, dropped, { database, number: count });
      made.set(label, rows);
      return rows;
    },
    remakeHint: () => source.remakeHint(),
    prepare: async () => {
      for (const rows of made.values()) await requireParents(session, rows, { database, made });
    },
    compare: async (live, wish) => {
      const laid = made.get(live.label);
      if (laid !== undefined) return laid;
      const [first] = made.values();
      if (first !== undefined) requireNoOthers(live.label, { made: [...made.keys()], typed: first.table.typed });
      const rows = await source.open(live.label);
      if (rows === null) return null;
      count += 1;
      const loaded = await loadRows(session, live, rows, count);
      return compareRows(session, loaded, wish, { number: count, whole: source.whole, note });
    },
    rowsLeft: source.rowsLeft,
    // A table that cannot be compared leaves nothing behind that is in the way of the next.
    attempt: (act) => act(),
    countDangling: (rows, key) => countDangling(session, compared(rows), key),
    wantParents: (rows, key, parent) => wantParents(session, compared(rows), key, compared(parent)),
    setTakenAside: (rows, unique) => setTakenAside(session, compared(rows), unique),
    setOrphansAside: (rows, key, parent) =>
      setOrphansAside(session, compared(rows), key, parent === null ? null : compared(parent)),
    setAllAside: (rows) => setAllAside(session, compared(rows)),
    describe: (rows) =>
      isMade(rows) ? describeMade(session, rows) : describeWanted(session, rows, { kept: !source.whole }),
    script: (script) =>
      made.size > 0
        ? writeScript(madeScriptParts([...made.values()]), { ...script, tables: script.tables.map(requireMade) })
        : writeScript(mariadbScriptParts(session), { ...script, tables: script.tables.map(compared) }),
  };
};

/** Rows that are read into a temporary table lock nobody's rows so, each statement reads what is committed then; what has changed since is found out by the script. */
const isolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;";
/** A date that the live table was let have is one in a temporary table too; else it would become another, without a word. */
const dates = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES';";
/** With this, temporary tables are in no binary log. */
const rowFormat = "SET SESSION binlog_format = ROW;";

/** @throws RefloatError source.unsupported where the server logs statements, and we may not have rows logged */
const settingsOf = async (access: SqlAccess): Promise<string> => {
  const { hasBinlog, binlogFormat } = await readServerFacts(access);
  if (!hasBinlog || binlogFormat === "ROW") return isolation;
  try {
    await runSql(access, rowFormat);
    return `${rowFormat}\n${isolation}`;
  } catch (error) {
    if (!(error instanceof RefloatError) || error.code !== "source.denied") throw error;
    if (binlogFormat !== "STATEMENT") return isolation;
    throw new RefloatError("source.unsupported", "the server logs statements, which would lock what is compared", {
      cause: error,
      state: "nothing was changed",
      hint: "set binlog_format = ROW on the server, or GRANT BINLOG ADMIN ON *.* to Refloat's user",
    });
  }
};

/** Is told of a stage's session before it writes anything. */
export type StageWatch = (session: SqlSession) => Promise<{
  /** Before statements that may fail, with which the session would end. */
  readonly note: () => Promise<void>;
  /** When it is over, whatever became of it. */
  readonly over: () => Promise<void>;
}>;

export const onMariadbStage = async <Result>(
  access: SqlAccess,
  source: MariadbRowSource,
  act: (stage: MariadbStage) => Promise<Result>,
  {
    does,
    watch = null,
  }: {
    /** What all of it comes to, for the rights that are named when one is lacking. */
    readonly does: "compare" | "mend";
    readonly watch?: StageWatch | null;
  },
): Promise<Result> => {
  const { database } = access.target;
  const settings = await settingsOf(access);
  const session = await openSqlSession(access, database);
  let makes = false;
  const noting: MariadbRowSource = {
    ...source,
    define: async (label) => {
      const dropped = await source.define(label);
      makes ||= dropped !== null;
      return dropped;
    },
  };
  try {
    await session.run(`${settings}\n${dates}`);
    const watched = (await watch?.(session)) ?? null;
    try {
      return await act(mariadbStage(session, noting, { database, note: watched?.note ?? (async () => undefined) }));
    } finally {
      // What the act came to, or failed of, is what is to be heard of.
      await watched?.over().catch(() => undefined);
    }
  } catch (error) {
    throw await nameRights(error, access, makes ? [does, "make"] : [does]);
  } finally {
    await session.close();
  }
};
