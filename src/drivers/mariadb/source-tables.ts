/** Tables of a database before it is dumped: which there are, and what a dump of one snapshot cannot vouch for. */
import { type SqlAccess, askSql, numberOf, textOf } from "./sql-client.ts";
import { isMarkerName } from "./marker-table.ts";
import { quoteText } from "./sql-text.ts";

export type SourceTable = {
  readonly name: string;
  readonly type: "table" | "versioned" | "sequence" | "view";
  readonly engine: string;
  /** As the server estimates it. */
  readonly sizeBytes: number;
};

const typeOf = (word: string): SourceTable["type"] => {
  switch (word) {
    case "VIEW":
    case "SYSTEM VIEW":
      return "view";
    case "SEQUENCE":
      return "sequence";
    case "SYSTEM VERSIONED":
      return "versioned";
    default:
      return "table";
  }
};

/** Without our own. */
export const listTables = async (access: SqlAccess, database: string): Promise<readonly SourceTable[]> =>
  (
    await askSql(
      access,
      `SELECT TABLE_NAME AS name, TABLE_TYPE AS type, COALESCE(ENGINE, '') AS engine,
              COALESCE(DATA_LENGTH, 0) + COALESCE(INDEX_LENGTH, 0) AS size
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(database)} ORDER BY TABLE_NAME;`,
    )
  )
    .map((row) => ({
      name: textOf(row, "name"),
      type: typeOf(textOf(row, "type")),
      engine: textOf(row, "engine"),
      sizeBytes: numberOf(row, "size"),
    }))
    .filter(({ name }) => !isMarkerName(name));

/** Those with rows that can be compared. */
export const hasRows = ({ type }: SourceTable): boolean => type === "table" || type === "versioned";

/** The one whose tables rows are put back into, all or nothing. */
export const rowEngine = "InnoDB";

/** Its rows end with the server, and are in no file. */
export const memoryEngine = "MEMORY";

/** Their rows are read within one snapshot. */
const transactional = new Set(["InnoDB", "ROCKSDB"]);
/** Their rows lie elsewhere, and a dump leaves them there. */
const remote = new Set(["MRG_MyISAM", "MRG_ISAM", "CONNECT", "OQGRAPH", "SPIDER", "VP", "FEDERATED"]);

export const hasOwnRows = (engine: string): boolean => !remote.has(engine);

export const isOfOneMoment = ({ type, engine }: SourceTable): boolean =>
  type === "view" || type === "sequence" || transactional.has(engine) || remote.has(engine);

const listed = (tables: readonly SourceTable[]): string => tables.map(({ name }) => name).join(", ");

/** What a person should know of a point of these tables. */
export const tableWarnings = (tables: readonly SourceTable[]): readonly string[] => {
  const loose = tables.filter((table) => !isOfOneMoment(table));
  const elsewhere = tables.filter(({ engine }) => remote.has(engine));
  const versioned = tables.filter(({ type }) => type === "versioned");
  return [
    ...(loose.length === 0
      ? []
      : [`without transactions, and so not of one moment with the others: ${listed(loose)} (${loose[0]?.engine})`]),
    ...(elsewhere.length === 0
      ? []
      : [`only the definition is in the point, the rows lie elsewhere: ${listed(elsewhere)}`]),
    ...(versioned.length === 0
      ? []
      : [`the current rows are in the point, their history is not: ${listed(versioned)}`]),
  ];
};
