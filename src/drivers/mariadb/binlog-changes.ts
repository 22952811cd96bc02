/**
 * What a received binary log tells of each transaction: the tables whose rows it wrote and how many bytes of them, and statements that change
 * definitions. Reads the stored bytes once, in their order.
 */
import type { LogChange, LogChangesRequest } from "../../core/ports/logs.ts";
import { formatBytes, formatList } from "../../core/text/quantity.ts";
import {
  type BinlogEvent,
  type BinlogFormat,
  type BinlogQuery,
  endsTransaction,
  eventType,
  gtidText,
  isQuery,
  isRows,
  readGtid,
  readQuery,
  readTable,
  tableIdOf,
} from "./binlog-events.ts";
import { openFile } from "./binlog-files.ts";
import { placeAt } from "./binlog-line.ts";
import { isMarkerName } from "./marker-table.ts";
import { namedDatabase } from "./named-database.ts";
import { shownStatement } from "./shown-statement.ts";

/** A transaction that writes fewer bytes of rows is told only for what else it did. */
const leastBytes = 10_000;

const definitions = /^\s*(?:CREATE|ALTER|DROP|TRUNCATE|RENAME)\b/i;
/** What is said of users may hold what nobody else may read. */
const ofUsers = /^\s*\w+\s+(?:OR\s+REPLACE\s+)?(?:USER|ROLE|SERVER)\b/i;
const temporary = /^\s*(?:CREATE|DROP)\s+(?:OR\s+REPLACE\s+)?TEMPORARY\b/i;

const acts = new Map<number, string>([
  ...[23, 30, 166, 169].map((type) => [type, "inserted"] as const),
  ...[24, 31, 167, 170].map((type) => [type, "updated"] as const),
  ...[25, 32, 168, 171].map((type) => [type, "deleted"] as const),
]);

type Open = {
  readonly gtid: string;
  readonly isAlone: boolean;
  /** By the number that the transaction gives it. */
  readonly tables: Map<number, { readonly database: string; readonly table: string }>;
  readonly bytes: Map<string, number>;
  readonly written: Map<string, number>;
  readonly statements: string[];
};

const add = (counts: Map<string, number>, name: string, bytes: number): void => {
  counts.set(name, (counts.get(name) ?? 0) + bytes);
};

const most = (counts: ReadonlyMap<string, number>): readonly string[] =>
  [...counts].toSorted(([, a], [, b]) => b - a).map(([name]) => name);

const told = ({ gtid, bytes, written, statements }: Open, when: number): LogChange | null => {
  const weight = [...bytes.values()].reduce((sum, one) => sum + one, 0);
  if (statements.length === 0 && weight < leastBytes) return null;
  const rows = weight === 0 ? [] : [`${formatBytes(weight)} of rows ${formatList(most(written))}`];
  return {
    at: new Date(when * 1000).toISOString(),
    target: `gtid ${gtid}`,
    what: [...statements, ...rows].join("; "),
    subjects: most(bytes),
    weight,
    isNotable: statements.length > 0,
  };
};

/** Statements and names come as their bytes, one a letter. */
const textOf = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8");

/** Which databases are told of: those whose changes the component holds. */
export type Wanted = (database: string) => boolean;

const readEvent = (
  open: Open,
  event: BinlogEvent,
  query: BinlogQuery | null,
  format: BinlogFormat,
  wants: Wanted,
): void => {
  if (event.type === eventType.tableMap) {
    const { id, database, table } = readTable(event, format);
    open.tables.set(id, { database, table });
  } else if (isRows(event)) {
    const of = open.tables.get(tableIdOf(event, format));
    if (of === undefined || !wants(of.database) || isMarkerName(of.table)) return;
    add(open.bytes, `${of.database}.${of.table}`, event.bytes.length);
    add(open.written, acts.get(event.type) ?? "written", event.bytes.length);
  } else if (query !== null) {
    const { sql, database } = query;
    if (!definitions.test(sql) || ofUsers.test(sql) || temporary.test(sql)) return;
    if (/refloat_(?:mark|moment)_[0-9a-f]{16}/.test(sql) || !wants(textOf(namedDatabase(sql) ?? database))) return;
    open.statements.push(shownStatement(textOf(sql)));
  }
};

export async function* readBinlogChanges(request: LogChangesRequest, wants: Wanted): AsyncGenerator<LogChange> {
  const [first, last] = [placeAt(request.from), placeAt(request.span.to)];
  for (let { number } = first; number <= last.number; number += 1) {
    const file = await openFile(request, number, number === first.number ? first.offset : 0);
    if (file === null) continue;
    let open: Open | null = null;
    for await (const { event } of file.events) {
      if (event.type === eventType.gtid) {
        const gtid = readGtid(event, file.format);
        open = {
          gtid: gtidText(gtid),
          isAlone: gtid.isAlone,
          tables: new Map(),
          bytes: new Map(),
          written: new Map(),
          statements: [],
        };
        continue;
      }
      if (open === null) continue;
      const query = isQuery(event) ? readQuery(event, file.format) : null;
      readEvent(open, event, query, file.format, wants);
      if (!endsTransaction(event, query, open.isAlone)) continue;
      const isUndone = query !== null && /^\s*ROLLBACK/i.test(query.sql);
      const change = isUndone ? null : told(open, event.when);
      open = null;
      if (change !== null) yield change;
    }
  }
}
