/**
 * Rows that the server would refuse stay out of what is put back, and are named: one of them would otherwise take all others with it. A value
 * that has to be unique and that another live row has; and what refers to a row that is neither live nor about to come back.
 */
import { formatAmount } from "../../../core/text/quantity.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { quoteName, quoteText } from "../instance-names.ts";
import type { UniqueColumns } from "./live-tables.ts";
import { type MendedTables, orphansSql } from "./referred-rows.ts";
import { type RowDifferences, matchedSql } from "./row-differences.ts";

const keySample = 3;

type SetAside = { readonly rows: number; readonly keys: readonly string[] };

/** @param condition on `d`, the difference, and `p`, the point's row */
const setAside = async (session: Session, { differences, live }: RowDifferences, rows: string): Promise<SetAside> => {
  const [found] = await session.query<SetAside>(
    `with aside as (
       update ${differences} d set wanted = false where d.at in (select d.at from ${rows}) returning d.n, array_to_string(d.key, ', ') as key)
     select count(*)::float8 as rows, coalesce((array_agg(key order by n))[1:${keySample}], '{}') as keys from aside`,
  );
  const { rows: count = 0, keys = [] } = found ?? {};
  return { rows: count, keys: keys.map((key) => `${live.key.join(", ")} ${key}`) };
};

const suchAs = ({ rows, keys }: SetAside): string => `${rows > keys.length ? "such as " : ""}${keys.join("; ")}`;

/** Rows whose value another live row has. What a changed row does not take from the point it keeps. */
const takenSql = ({ differences, from, live }: RowDifferences, { columns, nullsEqual }: UniqueColumns): string => {
  const value = (name: string): string =>
    `case when d.kind = 'gone' or ${quoteText(name)} = any(d.columns) then p.${quoteName(name)} else own.${quoteName(name)} end`;
  const same = columns.map((name) =>
    nullsEqual
      ? `other.${quoteName(name)} is not distinct from (${value(name)})`
      : `other.${quoteName(name)} = (${value(name)})`,
  );
  return `${differences} d join ${from} p on p.ctid = d.at left join only ${live.qualified} own on ${matchedSql(live.key, "own", "p")}
    where d.wanted and (d.kind = 'gone' or d.columns && array[${columns.map(quoteText).join(", ")}]::text[])
      and exists (select from only ${live.qualified} other where ${same.join(" and ")} and not (${matchedSql(live.key, "other", "p")}))`;
};

const setTakenAside = async (session: Session, table: RowDifferences): Promise<readonly string[]> => {
  const told: string[] = [];
  for (const unique of table.live.uniques) {
    if (!unique.columns.every((name) => table.shared.some((column) => column.name === name))) continue;
    const aside = await setAside(session, table, takenSql(table, unique));
    if (aside.rows === 0) continue;
    told.push(
      `${formatAmount(aside.rows, "rows")} of ${table.live.label} stay out: another row has their ${unique.columns.join(", ")} now (${unique.name}); ${suchAs(aside)}`,
    );
  }
  return told;
};

/** By what is set aside others lose what they refer to, so this goes on until nobody does. */
const setOrphansAside = async (session: Session, compared: MendedTables["compared"]): Promise<readonly string[]> => {
  const told = new Map<string, number>();
  for (let found = true; found;) {
    found = false;
    for (const table of compared.values()) {
      for (const key of table.live.foreignKeys) {
        const parent = key.parentHasRows ? (compared.get(key.parent) ?? null) : null;
        const { rows } = await setAside(session, table, orphansSql(table, key, parent));
        if (rows === 0) continue;
        found = true;
        const what = `of ${table.live.label} stay out: they refer to rows of ${key.parent} that are not live and do not come back (${key.name})`;
        told.set(what, (told.get(what) ?? 0) + rows);
      }
    }
  }
  return [...told].map(([what, rows]) => `${formatAmount(rows, "rows")} ${what}`);
};

/** @param made labels of tables that are made again: nobody else has a value there. @returns what stays out, for people */
export const setRefusedAside = async (
  session: Session,
  compared: MendedTables["compared"],
  made: ReadonlyMap<string, unknown>,
): Promise<readonly string[]> => {
  const taken: string[] = [];
  for (const table of compared.values())
    if (!made.has(table.live.label)) taken.push(...(await setTakenAside(session, table)));
  return [...taken, ...(await setOrphansAside(session, compared))];
};
