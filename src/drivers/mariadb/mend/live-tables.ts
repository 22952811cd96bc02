/** The live tables as rows are put back into them: columns, key, what they refer to, what fires. */
import type { StageForeignKey, StageTable } from "../../../core/ports/row-stage.ts";
import { isMarkerName } from "../marker-table.ts";
import { rowEngine } from "../source-tables.ts";
import { type Row, numberOf, textOf } from "../sql-client.ts";
import type { SqlSession } from "../sql-session.ts";
import { inDatabase, quoteText } from "../sql-text.ts";
import { maySeeTriggers } from "./granted-rights.ts";
import { grantOf, triggersUnseen } from "./name-rights.ts";

export type LiveColumn = {
  readonly name: string;
  /** `decimal(10,2)`. */
  readonly type: string;
  /** `decimal`. */
  readonly dataType: string;
  /** Null for what is no text. */
  readonly collation: string | null;
  /** Its value is worked out by the server: neither compared nor put back. */
  readonly generated: boolean;
  /** An update that does not name it sets it. */
  readonly stamped: boolean;
  /** Fit for SQL: the sequence that its default takes numbers from; null without one. */
  readonly sequence: string | null;
};

export type ForeignKey = StageForeignKey & {
  /** For SQL. */
  readonly parentQualified: string;
  readonly parentColumns: readonly string[];
};

/** A foreign key of another table whose rows would be deleted or emptied with those of this one. */
export type Referrer = {
  /** For SQL. */
  readonly child: string;
  readonly columns: readonly string[];
  readonly parentColumns: readonly string[];
};

export type LiveTable = Omit<StageTable, "foreignKeys"> & {
  /** For SQL. */
  readonly qualified: string;
  readonly columns: readonly LiveColumn[];
  readonly foreignKeys: readonly ForeignKey[];
  readonly referrers: readonly Referrer[];
};

/** @param of the database, for SQL: keys of its tables, and those that lead to them */
const foreignKeysSql = (
  of: string,
): string => `SELECT k.TABLE_SCHEMA AS child_database, k.TABLE_NAME AS tbl, k.CONSTRAINT_NAME AS name, k.COLUMN_NAME AS col,
           k.REFERENCED_TABLE_SCHEMA AS parent_database, k.REFERENCED_TABLE_NAME AS parent, k.REFERENCED_COLUMN_NAME AS parent_col,
           r.DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') AS is_taken
      FROM information_schema.KEY_COLUMN_USAGE k
      JOIN information_schema.REFERENTIAL_CONSTRAINTS r ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA
       AND r.TABLE_NAME = k.TABLE_NAME AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
     WHERE k.REFERENCED_TABLE_NAME IS NOT NULL AND (k.TABLE_SCHEMA = ${of} OR k.REFERENCED_TABLE_SCHEMA = ${of})
     ORDER BY 1, 2, 3, k.ORDINAL_POSITION`;

const catalogSql = (database: string): string => {
  const of = quoteText(database);
  return `
    SELECT TABLE_NAME AS tbl, ENGINE AS engine FROM information_schema.TABLES
     WHERE TABLE_SCHEMA = ${of} AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1;
    SELECT TABLE_NAME AS tbl, COLUMN_NAME AS name, COLUMN_TYPE AS type, DATA_TYPE AS data_type, COLLATION_NAME AS collation,
           COALESCE(GENERATION_EXPRESSION, '') <> '' AS is_generated, EXTRA LIKE '%on update%' AS is_stamped, COLUMN_DEFAULT AS initial
      FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${of} ORDER BY TABLE_NAME, ORDINAL_POSITION;
    SELECT TABLE_NAME AS tbl, INDEX_NAME AS name, COLUMN_NAME AS col, SUB_PART IS NOT NULL AS is_prefix, NULLABLE = 'YES' AS is_nullable
      FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ${of} AND NON_UNIQUE = 0
     ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX;
    ${foreignKeysSql(of)};
    SELECT EVENT_OBJECT_TABLE AS tbl, TRIGGER_NAME AS name, LOWER(EVENT_MANIPULATION) AS event, LOWER(ACTION_TIMING) AS timing
      FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${of} ORDER BY 1, 2;
    SHOW GRANTS; SELECT CURRENT_USER() AS account;`;
};

const byTable = (rows: readonly Row[] = []): ReadonlyMap<string, readonly Row[]> =>
  Map.groupBy(rows, (row) => textOf(row, "tbl"));

const columnOf = (row: Row): LiveColumn => ({
  name: textOf(row, "name"),
  type: textOf(row, "type"),
  dataType: textOf(row, "data_type"),
  collation: row["collation"] ?? null,
  generated: numberOf(row, "is_generated") === 1,
  stamped: numberOf(row, "is_stamped") === 1,
  sequence:
    /^nextval\((?<name>`(?:[^`]|``)+`\.`(?:[^`]|``)+`)\)$/.exec(textOf(row, "initial"))?.groups?.["name"] ?? null,
});

type UniqueIndex = { readonly name: string; readonly columns: readonly string[]; readonly isKey: boolean };

/** Those over whole columns. */
const uniquesOf = (rows: readonly Row[]): readonly UniqueIndex[] =>
  [...Map.groupBy(rows, (row) => textOf(row, "name"))].flatMap(([name, parts]) =>
    parts.some((part) => numberOf(part, "is_prefix") === 1)
      ? []
      : [
          {
            name,
            columns: parts.map((part) => textOf(part, "col")),
            isKey: parts.every((part) => numberOf(part, "is_nullable") === 0),
          },
        ],
  );

export type LiveForeignKey = {
  readonly name: string;
  readonly childDatabase: string;
  readonly child: string;
  readonly columns: readonly string[];
  readonly parentDatabase: string;
  readonly parent: string;
  readonly parentColumns: readonly string[];
  /** Its rows would be deleted or emptied with those that they refer to. */
  readonly isTaken: boolean;
};

const keysOf = (rows: readonly Row[]): readonly LiveForeignKey[] =>
  [...Map.groupBy(rows, (row) => `${textOf(row, "child_database")}.${textOf(row, "tbl")}.${textOf(row, "name")}`)].map(
    ([, parts]) => {
      const [first] = parts;
      return {
        name: textOf(first, "name"),
        childDatabase: textOf(first, "child_database"),
        child: textOf(first, "tbl"),
        columns: parts.map((part) => textOf(part, "col")),
        parentDatabase: textOf(first, "parent_database"),
        parent: textOf(first, "parent"),
        parentColumns: parts.map((part) => textOf(part, "parent_col")),
        isTaken: numberOf(first, "is_taken") === 1,
      };
    },
  );

/** Of the tables of a database and of those that refer to them, whether what they refer to is there or not. */
export const readForeignKeys = async (session: SqlSession, database: string): Promise<readonly LiveForeignKey[]> =>
  keysOf(await session.ask(`${foreignKeysSql(quoteText(database))};`));

export const readLiveTables = async (
  session: SqlSession,
  database: string,
): Promise<ReadonlyMap<string, LiveTable>> => {
  const [tables = [], columnRows, uniqueRows, keyRows = [], triggerRows, grantRows = [], accounts] = await session.run(
    catalogSql(database),
  );
  const grants = grantRows.map((row) => Object.values(row)[0] ?? "");
  const given = grantOf({ grants, database }, textOf(accounts?.[0], "account"), ["mend"]);
  const [columns, uniques, triggers] = [byTable(columnRows), byTable(uniqueRows), byTable(triggerRows)];
  const keys = keysOf(keyRows);
  const isHere = (name: string): boolean => name.toLowerCase() === database.toLowerCase();
  const tableOf = (row: Row): LiveTable => {
    const label = textOf(row, "tbl");
    const engine = textOf(row, "engine");
    const isUnseen = engine === rowEngine && !maySeeTriggers({ grants, database }, label);
    const indexes = uniquesOf(uniques.get(label) ?? []);
    const key = indexes.find(({ isKey }) => isKey);
    const events = Map.groupBy(triggers.get(label) ?? [], (trigger) => textOf(trigger, "name"));
    return {
      label,
      qualified: inDatabase(database, label),
      columns: (columns.get(label) ?? []).map(columnOf),
      key: key?.columns ?? [],
      uniques: indexes.filter((index) => index !== key),
      foreignKeys: keys
        .filter(({ childDatabase, child }) => isHere(childDatabase) && child === label)
        .map((one) => ({
          name: one.name,
          columns: one.columns,
          parent: isHere(one.parentDatabase) ? one.parent : `${one.parentDatabase}.${one.parent}`,
          parentQualified: inDatabase(one.parentDatabase, one.parent),
          parentHasRows: isHere(one.parentDatabase),
          parentColumns: one.parentColumns,
        })),
      referrers: keys
        .filter((one) => one.isTaken && isHere(one.parentDatabase) && one.parent === label)
        .map((one) => ({
          child: inDatabase(one.childDatabase, one.child),
          columns: one.columns,
          parentColumns: one.parentColumns,
        })),
      triggers: [...events].map(([name, [trigger]]) => ({
        name,
        events: [textOf(trigger, "event")],
        when: textOf(trigger, "timing"),
      })),
      refusal: engine !== rowEngine ? `it is ${engine}, which has no transactions` : isUnseen ? triggersUnseen : null,
      ...(isUnseen && given !== null ? { remedy: given } : {}),
    };
  };
  return new Map(tables.map(tableOf).flatMap((table) => (isMarkerName(table.label) ? [] : [[table.label, table]])));
};
