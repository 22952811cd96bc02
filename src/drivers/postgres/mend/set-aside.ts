/** Rows that the server would refuse, taken out of what is put back: those whose unique value another live row has, and those that refer to nothing. */
import type { SetAside } from "../../../core/ports/row-stage.ts";
import type { Session } from "../../../platform/postgres/session.ts";
import { quoteName, quoteText } from "../instance-names.ts";
import type { ForeignKey, UniqueColumns } from "./live-tables.ts";
import { orphansSql } from "./referred-rows.ts";
import { type RowDifferences, matchedSql } from "./row-differences.ts";

const keySample = 3;

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

export const setTakenAside = (session: Session, table: RowDifferences, unique: UniqueColumns): Promise<SetAside> =>
  setAside(session, table, takenSql(table, unique));

export const setOrphansAside = (
  session: Session,
  table: RowDifferences,
  key: ForeignKey,
  parent: RowDifferences | null,
): Promise<SetAside> => setAside(session, table, orphansSql(table, key, parent));

export const setAllAside = async (session: Session, { differences }: RowDifferences): Promise<void> => {
  await session.query(`update ${differences} set wanted = false`);
};
