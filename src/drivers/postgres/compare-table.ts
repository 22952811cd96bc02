/**
 * One table on two databases of one server: which of the rows that were written on one side are not on the other, and which differ
 * there. The candidates travel as text into a temporary table on the other side and are compared there by key.
 */
import { join } from "node:path";
import { changedFolder } from "../../core/run/export-folder.ts";
import { copyTextSql } from "./catalog-sql.ts";
import { copyIn } from "../../platform/postgres/copy-in.ts";
import { copyOut } from "../../platform/postgres/copy-out.ts";
import { exportFileName, exportRows } from "./export-rows.ts";
import { quoteName } from "./instance-names.ts";
import { inTransaction, type Session } from "../../platform/postgres/session.ts";
import type { ScanOf, WrittenSide } from "./written-side.ts";
import type { WrittenTable } from "./written-tables.ts";

export type TableWrites = {
  readonly added: number;
  readonly changed: number;
  readonly lastWriteAt: string | null;
  readonly file?: string;
  readonly changedFile?: string;
};

export const noWrites: TableWrites = { added: 0, changed: 0, lastWriteAt: null };

/** The side that is asked what it has. */
export type Comparison = Pick<WrittenSide, "session" | "predicate" | "commitTimes" | "exportTo"> & {
  readonly scanOf: ScanOf;
};

/** The rows that were written, and no look at where none lies. */
const where = (table: WrittenTable, { predicate, scanOf }: Comparison): string => {
  const conditions = [scanOf(table).place, predicate].filter((condition) => condition !== null);
  return conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
};

const selectList = (table: WrittenTable): string => table.columns.map(({ name }) => quoteName(name)).join(", ");

const instantTypes = /^timestamp(?:\(\d\))? with time zone$/;

/** Newest of the values that can be the time of a write: not in the future. */
const newest = (expressions: readonly string[]): string => {
  if (expressions.length === 0) return "null::timestamptz";
  const past = expressions.map((value) => `max(case when ${value} <= now() then ${value} end)`);
  return `nullif(greatest(${past.join(", ")}), '-infinity')`;
};

const isoInstant = (expression: string): string =>
  `to_char(${expression} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Nothing to compare with: every row that was written counts as added. */
export const countWritten = async (table: WrittenTable, comparison: Comparison): Promise<TableWrites> => {
  const { session, commitTimes, exportTo } = comparison;
  const added = comparison.scanOf(table).written;
  if (added === 0) return noWrites;
  const times = commitTimes
    ? ["pg_xact_commit_timestamp(xmin)"]
    : table.columns.filter(({ type }) => instantTypes.test(type)).map(({ name }) => quoteName(name));
  const [row] = await session.query<{ at: string | null }>(
    `select ${isoInstant(newest(times))} as at from ${table.from}${where(table, comparison)}`,
  );
  const written = { added, changed: 0, lastWriteAt: row?.at ?? null };
  if (exportTo === undefined) return written;
  const file = exportFileName(table.label, table.oid);
  await exportRows(
    session,
    `select ${selectList(table)} from ${table.from}${where(table, comparison)}`,
    exportTo,
    file,
  );
  return { ...written, file };
};

const candidates = "refloat_written";

/** Moves the candidates over; the columns are `c0`, `c1`, ... as text, and `committed`. */
const carryOver = async (table: WrittenTable, comparison: Comparison, there: Session): Promise<void> => {
  const { session, commitTimes } = comparison;
  const names = table.columns.map((_column, index) => `c${index}`);
  await there.query(
    `create temporary table ${candidates} (${[...names, "committed"].map((name) => `${name} text`).join(", ")}) on commit drop`,
  );
  const committed = commitTimes ? "pg_xact_commit_timestamp(xmin)" : "null";
  const columns = [...table.columns.map(({ name }) => quoteName(name)), committed].join(", ");
  const source = copyOut(session, `copy (select ${columns} from ${table.from}${where(table, comparison)}) to stdout`);
  await copyIn(there, `copy ${candidates} from stdin`, source.bytes);
  await source.seal();
};

export const compareTable = async (
  table: WrittenTable,
  other: WrittenTable,
  comparison: Comparison,
  there: Session,
): Promise<TableWrites> => {
  if (comparison.scanOf(table).written === 0) return noWrites;
  return inTransaction(there, "", async () => {
    await carryOver(table, comparison, there);
    const typeThere = new Map(other.columns.map(({ name, type }) => [name, type]));
    const indexOf = new Map(table.columns.map(({ name }, index) => [name, index]));
    const common = table.columns.filter(({ name }) => typeThere.has(name));
    const key = table.key.map((name) => {
      const [mine, theirs] = [`w.c${indexOf.get(name) ?? 0}`, `o.${quoteName(name)}`];
      const type = typeThere.get(name);
      const alike = type === table.columns[indexOf.get(name) ?? 0]?.type;
      return alike ? `${theirs} = ${mine}::${type}` : `${copyTextSql(theirs)} = ${mine}`;
    });
    const theirRow = common.map(({ name }) => copyTextSql(`o.${quoteName(name)}`)).join(", ");
    const ourRow = common.map(({ name }) => `w.c${indexOf.get(name) ?? 0}`).join(", ");
    const absent = `not exists (select from ${other.from} o where ${key.join(" and ")})`;
    const differs = `exists (select from ${other.from} o where ${key.join(" and ")} and row(${theirRow}) is distinct from row(${ourRow}))`;
    const times = comparison.commitTimes
      ? ["committed::timestamptz"]
      : table.columns.flatMap(({ type }, index) => (instantTypes.test(type) ? [`c${index}::timestamptz`] : []));
    const [row] = await there.query<{ added: number; changed: number; at: string | null }>(
      `select count(*) filter (where absent)::float8 as added, count(*) filter (where differs)::float8 as changed,
              ${isoInstant(newest(times))} as at
         from (select w.*, ${absent} as absent, ${differs} as differs from ${candidates} w) compared
        where absent or differs`,
    );
    const written = { added: row?.added ?? 0, changed: row?.changed ?? 0, lastWriteAt: row?.at ?? null };
    const { exportTo } = comparison;
    if (exportTo === undefined) return written;
    const file = exportFileName(table.label, table.oid);
    const header = table.columns.map(({ name }, index) => `w.c${index} as ${quoteName(name)}`).join(", ");
    const save = (which: string, folder: string): Promise<number> =>
      exportRows(there, `select ${header} from ${candidates} w where ${which}`, folder, file);
    if (written.added > 0) await save(absent, exportTo);
    if (written.changed > 0) await save(differs, join(exportTo, changedFolder));
    return {
      ...written,
      ...(written.added > 0 ? { file } : {}),
      ...(written.changed > 0 ? { changedFile: join(changedFolder, file) } : {}),
    };
  });
};
