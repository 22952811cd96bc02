/**
 * Rows per table as they are now, for as many tables as can be counted while traffic is held: later a table that has fewer has
 * lost some, whatever the server's statistics say.
 */
import type { Session } from "../../platform/postgres/session.ts";
import { readWrittenTables, type TablePart } from "./written-tables.ts";

/** Of the server's pages, 8 kB each: a few hundredths of a second. The smallest tables are counted first. */
const countableBlocks = 16_384;

/** A count that is refused must not stop a cutover: what may not be read is told by the statistics alone. */
const readableOf = async (session: Session, parts: readonly TablePart[]): Promise<ReadonlySet<string>> => {
  const rows = await session.query<{ oid: string }>(
    `select oid::text as oid from pg_class
      where oid = any($1::oid[]) and has_schema_privilege(relnamespace, 'usage') and has_table_privilege(oid, 'select')`,
    [parts.map(({ oid }) => oid)],
  );
  return new Set(rows.map(({ oid }) => oid));
};

/** @returns by name as in facts; tables beyond the budget are not in it */
export const countSmallTables = async (session: Session): Promise<Record<string, number>> => {
  const parts = (await readWrittenTables(session)).flatMap((table) => table.parts);
  const readable = await readableOf(session, parts);
  const counted: Record<string, number> = {};
  let blocks = 0;
  for (const part of parts.filter(({ oid }) => readable.has(oid)).toSorted((a, b) => a.blocks - b.blocks)) {
    blocks += part.blocks;
    if (blocks > countableBlocks) break;
    const [row] = await session.query<{ rows: number }>(`select count(*)::float8 as rows from ${part.from}`);
    counted[part.label] = row?.rows ?? 0;
  }
  return counted;
};
