/** A PostgreSQL database as a stage: the source's rows in temporary tables of one transaction, which is rolled back. */
import type { ByteStream } from "../../../core/ports/bytes.ts";
import type { RowStage, RowsAsCsv } from "../../../core/ports/row-stage.ts";
import { compared, isMade } from "../../../core/mend/staged-rows.ts";
import { writeScript } from "../../../core/mend/write-script.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { refusalOf } from "../../../platform/postgres/server-errors.ts";
import { copyTextToCsv } from "../copy-text-to-csv.ts";
import { quoteName } from "../instance-names.ts";
import { compareSettings } from "../written-side.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { type LiveTable, readLiveTables } from "./live-tables.ts";
import { loadRows } from "./loaded-rows.ts";
import { countDangling, wantParents } from "./referred-rows.ts";
import { type MadeRows, type StagedRows, countRows, describeMade, madeRows, rowsIn } from "./made-rows.ts";
import { compareRows, describeWanted } from "./row-differences.ts";
import type { DroppedTable, RowSource, SourceRows } from "../../../platform/postgres/copied-rows.ts";
import { postgresScriptParts } from "./mend-script.ts";
import { setAllAside, setOrphansAside, setTakenAside } from "./set-aside.ts";

export type PostgresStage = RowStage<LiveTable, StagedRows>;

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

/** Operators of extensions, and what a condition calls, are found as the application finds them. */
const ownSearchPath = "set local search_path to default";

/**
 * Makes it within the transaction that compares.
 * @throws RefloatError source.denied where our role may not make it, or give it to who owned it; source.unsupported, its context with `dropped`
 */
const makeAgain = async (session: Session, { label, before }: DroppedTable): Promise<void> => {
  try {
    await session.query(before.join("\n"));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const refusal = refusalOf(error);
    if (refusal?.state === "42501") {
      const { user } = session.target;
      const owner = /owner to ("(?:[^"]|"")*"|\w+);$/.exec(
        before.find((line) => line.startsWith("alter table")) ?? "",
      )?.[1];
      throw new RefloatError(
        "source.denied",
        `${label} was dropped, and ${user} may not make it again: ${refusal.said}`,
        {
          cause: error,
          context: { dropped: label },
          state: "nothing was changed",
          hint: `who makes a table gives it back to its owner, and may create in its schema; an administrator allows it${
            owner === undefined ? "" : `: GRANT ${owner} TO ${quoteName(user)}`
          }`,
        },
      );
    }
    throw new RefloatError("source.unsupported", `${label} was dropped and cannot be made again: ${message}`, {
      cause: error,
      context: { dropped: label },
      state: "nothing was changed",
      hint: "the whole database can be restored beside the live one, and what is needed taken from there",
    });
  }
};

const rowsAsCsv = ({ text, columns }: SourceRows): RowsAsCsv => {
  let rows = 0;
  const counted = async function* (): ByteStream {
    for await (const piece of text) {
      rows += rowsIn(piece);
      yield piece;
    }
  };
  return { csv: copyTextToCsv(counted(), columns), count: () => rows };
};

/** @param begun takes what is to be ended with the stage */
const postgresStage = (session: Session, source: RowSource, begun: (rows: MadeRows) => void): PostgresStage => {
  const made = new Map<string, DroppedTable>();
  let count = 0;
  return {
    source,
    quietsTriggers: true,
    tables: () => readLiveTables(session),
    makeDropped: async (label) => {
      const dropped = await source.define(label);
      if (dropped === null) return null;
      await makeAgain(session, dropped);
      made.set(label, dropped);
      return dropped;
    },
    remakeHint: () =>
      "a table that was dropped comes back with its database, beside the live one: refloat recover --no-cutover",
    prepare: async () => void (await session.query(ownSearchPath)),
    compare: async (live, wish) => {
      const rows = await source.open(live.label);
      if (rows === null) return null;
      count += 1;
      if (made.has(live.label)) {
        const all = await madeRows(live, rows, async () => {
          const again = await source.open(live.label);
          return again === null ? 0 : countRows(again.text);
        });
        begun(all);
        return all;
      }
      const loaded = await loadRows(session, live, rows, count);
      return compareRows(session, loaded, wish, { number: count, whole: source.whole });
    },
    rowsLeft: async (label) => {
      const rows = await source.open(label);
      return rows === null ? null : rowsAsCsv(rows);
    },
    attempt: async (act) => {
      await session.query("savepoint refloat_table");
      try {
        return await act();
      } catch (error) {
        // What was lost cannot be asked to go back; the first failure is the one to tell.
        await session.query("rollback to savepoint refloat_table").catch(() => undefined);
        throw error;
      }
    },
    countDangling: (rows, key) => countDangling(session, compared(rows), key),
    wantParents: (rows, key, parent) => wantParents(session, compared(rows), key, compared(parent)),
    setTakenAside: (rows, unique) => setTakenAside(session, compared(rows), unique),
    setOrphansAside: (rows, key, parent) =>
      setOrphansAside(session, compared(rows), key, parent === null ? null : compared(parent)),
    setAllAside: (rows) => setAllAside(session, compared(rows)),
    describe: async (rows) =>
      isMade(rows) ? describeMade(rows) : describeWanted(session, rows, { kept: !source.whole }),
    script: (script) => writeScript(postgresScriptParts(session, made), script),
  };
};

/** Read committed would compare one table with what another no longer is. Closes the session. */
export const onPostgresStage = async <Result>(
  session: Session,
  source: RowSource,
  act: (stage: PostgresStage) => Promise<Result>,
): Promise<Result> => {
  const begun: MadeRows[] = [];
  try {
    await session.query(compareSettings);
    await requireText(session);
    await session.query("begin isolation level repeatable read");
    const result = await act(postgresStage(session, source, (rows) => begun.push(rows)));
    // Whatever was made to compare with goes.
    await session.query("rollback");
    return result;
  } finally {
    for (const { end } of begun) await end();
    await session.close();
  }
};
