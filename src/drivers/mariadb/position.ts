/** Where a database stands: by the binary log of its server, and, where it is not large, by the checksums of its tables. */
import type { Position } from "../../model/facts.ts";
import { toJsonObject } from "../../model/json.ts";
import { type PositionMark, positionMarkSchema } from "./captured-detail.ts";
import type { MariadbContext } from "./mariadb-options.ts";
import { readServerFacts } from "./server-facts.ts";
import { listTables } from "./source-tables.ts";
import { type SqlAccess, runSql, textOf } from "./sql-client.ts";
import { inDatabase, quoteText } from "./sql-text.ts";
import { countRows } from "./validate.ts";

/** Read while traffic is held: about a second. */
const readableBytes = 64 * 1_048_576;

export type TableSums = NonNullable<PositionMark["tables"]>;

export const readMark = (position: Position): PositionMark => positionMarkSchema.parse(position.mark);

/** Rows and checksum of each table. @param isWhole reads them however large they are */
export const readSums = async (access: SqlAccess, database: string, isWhole: boolean): Promise<TableSums | null> => {
  const tables = (await listTables(access, database)).filter(({ type }) => type === "table" || type === "versioned");
  const size = tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (!isWhole && size > readableBytes) return null;
  const names = tables.map(({ name }) => name);
  const rows = await countRows(access, database, names);
  const sums = await runSql(
    access,
    names.map((name) => `CHECKSUM TABLE ${inDatabase(database, name)} EXTENDED;`).join("\n"),
  );
  return Object.fromEntries(
    names.map((name, index) => [name, { rows: rows.get(name) ?? 0, checksum: sums[index]?.[0]?.["Checksum"] ?? null }]),
  );
};

export const readPosition = async (context: MariadbContext, access: SqlAccess, database: string): Promise<Position> => {
  const takenAt = context.clock.now().toISOString();
  const { gtid, hasBinlog } = await readServerFacts(access);
  const mark: PositionMark = {
    gtid: hasBinlog ? gtid : null,
    tables: await readSums(access, database, false),
  };
  return { takenAt, mark: toJsonObject(mark) };
};

/** For words only: when InnoDB last wrote to a table, which it forgets at a restart. */
export const lastWriteOf = async (
  access: SqlAccess,
  database: string,
  tables: readonly string[],
): Promise<string | null> => {
  if (tables.length === 0) return null;
  const answers = await runSql(
    access,
    `SELECT DATE_FORMAT(MAX(UPDATE_TIME), '%Y-%m-%dT%H:%i:%s.000Z') AS at FROM information_schema.TABLES
      WHERE CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) IN (${tables.map((name) => quoteText(`${database}.${name}`)).join(", ")});`,
  );
  const at = textOf(answers[0]?.[0], "at");
  return at === "" ? null : at;
};
