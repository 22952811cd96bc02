/**
 * Of a stretch of a binary log, what brings one database forward, as a binary log of its own under the name of the other database: its rows, and the
 * statements that change its definitions. Everything else stays out. What could not be applied with certainty, or would be applied to anything
 * else, ends it with the place and the reason.
 */
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { LogReader } from "../../core/ports/vault-logs.ts";
import { comparePositions } from "../../core/logs/log-position.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import {
  type BinlogEvent,
  type BinlogFormat,
  type BinlogGtid,
  EventSplitter,
  eventHeaderBytes,
  eventType,
  fileBegin,
  gtidText,
  isQuery,
  isRows,
  isStatementEnd,
  plainQuery,
  readFormat,
  readGtid,
  readHeader,
  readQuery,
  readTable,
  tableIdOf,
  withDatabase,
  withQuery,
  withStatementEnd,
} from "./binlog-events.ts";
import { placeAt, placeWords, positionOf } from "./binlog-line.ts";
import { encryptedReason, incidentReason } from "./binlog-obstacles.ts";
import { isOfTransaction, isOwnTable, judgeStatement } from "./binlog-statements.ts";
import { DistributedTransactions, committedReason, preparedReason } from "./binlog-xa.ts";

export type ReplayRange = {
  readonly logs: LogReader;
  readonly line: string;
  /** Where an event begins, and where one has ended. */
  readonly from: string;
  readonly to: string;
  readonly source: string;
  readonly target: string;
  readonly ignoresCase: boolean;
  /** What the server had logged at `from`: `0-1-4711,1-1-3`. */
  readonly gtid: string;
};

/** What was gone through; filled as it goes on. */
export type ReplayTally = {
  transactions: number;
  statements: number;
  /** The last transaction of the log, whatever it changed. */
  gtid: string | null;
  readonly tables: Set<string>;
  readonly warnings: Set<string>;
};

export const emptyTally = (): ReplayTally => ({
  transactions: 0,
  statements: 0,
  gtid: null,
  tables: new Set(),
  warnings: new Set(),
});

/** Tables that a transaction reads and writes are told by numbers, which the next one gives anew. */
type Transaction = {
  readonly gtid: BinlogGtid | null;
  readonly kept: Map<number, boolean>;
  isBegun: boolean;
  /** Rows of a statement that has not ended. */
  held: BinlogEvent | null;
};

const noTransaction = (gtid: BinlogGtid | null = null): Transaction => ({
  gtid,
  kept: new Map(),
  isBegun: false,
  held: null,
});

export async function* replayEvents(range: ReplayRange, tally: ReplayTally): ByteStream {
  const selection = new Selection(range, tally);
  yield fileBegin;
  const [first, last] = [placeAt(range.from), placeAt(range.to)];
  for (let { number } = first; number <= last.number; number += 1) {
    const begin = number === first.number ? first.offset : fileBegin.length;
    const format = await readFileFormat(range, number);
    if (format === null) break;
    yield* selection.beginFile(format);
    if (number === first.number) yield selection.statement(sealBegin);
    const from = positionOf({ number, offset: Math.max(begin, fileBegin.length + format.bytes.length) });
    const to = number === last.number ? range.to : positionOf({ number: number + 1, offset: 0 });
    if (comparePositions(from, to) < 0) yield* selection.take(number, from, to);
  }
  yield* selection.end();
}

/** Behind what was made of the events: fails where it does not have both their begin and their end. */
const sealBegin = "SET @refloat_begin = 1";
const sealEnd = "SET @refloat_end = @refloat_begin";
export const sealCheck = "DO IF(@refloat_end = 1, 1, (SELECT 1 UNION SELECT 2));\n";

/** @returns null for a file of which the stretch has nothing @throws RefloatError vault.damaged */
export const readFileFormat = async (
  { logs, line, to }: Pick<ReplayRange, "line" | "to"> & { readonly logs: Pick<LogReader, "read"> },
  number: number,
): Promise<BinlogEvent | null> => {
  const at = (offset: number): string => positionOf({ number, offset });
  const read = async (from: number, end: number): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of logs.read(line, at(from), at(end))) parts.push(part);
    return Buffer.concat(parts);
  };
  if (comparePositions(at(fileBegin.length), to) >= 0) return null;
  const header = await read(fileBegin.length, fileBegin.length + eventHeaderBytes);
  const length = header.length < eventHeaderBytes ? 0 : header.readUInt32LE(9);
  const event = readHeader(
    length === 0 ? Buffer.alloc(eventHeaderBytes) : await read(fileBegin.length, fileBegin.length + length),
  );
  if (event.type === eventType.formatDescription) return event;
  throw new RefloatError(
    "vault.damaged",
    `the log of ${line} has no format at the begin of ${placeWords(line, at(0))}`,
    {
      context: { line, position: at(0) },
    },
  );
};

/** `0-1-4711,1-1-3`: by domain the number of the last one. */
const sequencesOf = (gtid: string): Map<number, bigint> =>
  new Map([...gtid.matchAll(/(\d+)-\d+-(\d+)/g)].map((match) => [Number(match[1]), BigInt(match[2] ?? "0")] as const));

class Selection {
  readonly #range: ReplayRange;
  readonly #tally: ReplayTally;
  /** By domain, what the point has; gone once the log has gone on from it. */
  readonly #known: Map<number, bigint>;
  #format: BinlogFormat = { hasChecksums: false };
  #last: BinlogEvent | null = null;
  #open = noTransaction();
  readonly #distributed = new DistributedTransactions();
  /** Where the event that is looked at begins. */
  #at = "0/0";

  constructor(range: ReplayRange, tally: ReplayTally) {
    this.#range = range;
    this.#tally = tally;
    this.#known = sequencesOf(range.gtid);
  }

  *beginFile(event: BinlogEvent): Generator<Uint8Array> {
    // A server that went down within one has not committed it.
    yield* this.#rollBack();
    this.#format = readFormat(event);
    this.#last = event;
    yield event.bytes;
  }

  async *take(number: number, from: string, to: string): ByteStream {
    const { logs, line } = this.#range;
    const splitter = new EventSplitter();
    let { offset } = placeAt(from);
    for await (const chunk of logs.read(line, from, to)) {
      for (const item of splitter.push(chunk)) {
        if (item.kind === "file") throw this.#damaged();
        this.#at = positionOf({ number, offset });
        offset += item.bytes.length;
        this.#last = item;
        yield* this.#event(item);
      }
    }
    if (splitter.rest > 0) throw this.#damaged();
  }

  *end(): Generator<Uint8Array> {
    yield* this.#rollBack();
    yield this.statement(sealEnd);
  }

  statement(sql: string): Uint8Array {
    if (this.#last === null) throw this.#damaged();
    return plainQuery(this.#last, this.#format, sql);
  }

  *#event(event: BinlogEvent): Generator<Uint8Array> {
    const format = this.#format;
    if (event.type === eventType.gtid) {
      yield* this.#rollBack();
      const gtid = readGtid(event, format);
      this.#follow(gtid);
      this.#open = noTransaction(gtid);
      this.#tally.gtid = gtidText(gtid);
    } else if (event.type === eventType.tableMap) yield* this.#table(event);
    else if (isRows(event)) yield* this.#rows(event);
    else if (isQuery(event)) yield* this.#query(event);
    else if (event.type === eventType.xid) yield* this.#commit(event.bytes);
    else if (event.type === eventType.xaPrepare) {
      if (this.#open.isBegun) throw this.#refused(preparedReason);
      this.#distributed.prepared(false);
      this.#close();
    } else if (event.type === eventType.incident) throw this.#refused(incidentReason);
    else if (event.type === eventType.startEncryption) throw this.#refused(encryptedReason);
  }

  *#table(event: BinlogEvent): Generator<Uint8Array> {
    const map = readTable(event, this.#format);
    const { target } = this.#range;
    const isKept = isOwnTable(map, this.#range);
    this.#open.kept.set(map.id, isKept);
    if (!isKept) return;
    this.#tally.tables.add(map.table);
    yield* this.#begin(event);
    yield withDatabase(event, this.#format, target);
  }

  /** The last rows of a statement say so. They may be those of a table that stays out: then the last ones that are kept say it. */
  *#rows(event: BinlogEvent): Generator<Uint8Array> {
    const isKept = this.#open.kept.get(tableIdOf(event, this.#format)) === true;
    const isEnd = isStatementEnd(event, this.#format);
    const { held } = this.#open;
    if (held !== null && (isKept || isEnd)) {
      this.#open.held = null;
      yield isKept ? held.bytes : withStatementEnd(held, this.#format);
    }
    if (!isKept) return;
    if (isEnd) yield event.bytes;
    else this.#open.held = event;
  }

  *#query(event: BinlogEvent): Generator<Uint8Array> {
    const { source, target, ignoresCase } = this.#range;
    const query = readQuery(event, this.#format);
    const { gtid } = this.#open;
    if (isOfTransaction(query.sql)) {
      yield* this.#divide(event, query.sql);
      return;
    }
    const judged = judgeStatement({ query, source, target, ignoresCase });
    if (judged.act === "refuse") throw this.#refused(judged.reason);
    if (judged.act === "skip") {
      if (judged.warning !== undefined) this.#tally.warnings.add(judged.warning);
      return;
    }
    this.#tally.statements += 1;
    const database = Buffer.from(target, "utf8").toString("latin1");
    yield withQuery(event, this.#format, { database, sql: judged.sql });
    if (gtid?.isAlone === true) this.#close();
  }

  /** Where a transaction begins or ends, or what of it may be rolled back. */
  *#divide(event: BinlogEvent, sql: string): Generator<Uint8Array> {
    const word = /^\s*(?<word>[A-Za-z]+)/.exec(sql)?.groups?.["word"]?.toUpperCase();
    if (word === "BEGIN" || word === "START") return;
    if (word === "XA") {
      if (this.#open.isBegun) throw this.#refused(preparedReason);
      if (this.#distributed.isCommitOfOurs(sql)) throw this.#refused(committedReason);
      return;
    }
    if (word === "COMMIT") yield* this.#commit(plainQuery(event, this.#format, "COMMIT"));
    else if (/^\s*ROLLBACK\s*$/i.test(sql)) yield* this.#rollBack();
    else {
      // What is rolled back to one later has to know it.
      if (word === "SAVEPOINT") yield* this.#begin(event);
      if (this.#open.isBegun) yield plainQuery(event, this.#format, sql);
    }
  }

  *#begin(event: BinlogEvent): Generator<Uint8Array> {
    if (this.#open.isBegun) return;
    this.#open.isBegun = true;
    yield plainQuery(event, this.#format, "BEGIN");
  }

  *#commit(bytes: Buffer): Generator<Uint8Array> {
    if (this.#open.isBegun) {
      this.#tally.transactions += 1;
      yield bytes;
    }
    this.#close();
  }

  *#rollBack(): Generator<Uint8Array> {
    if (this.#open.isBegun && this.#last !== null) yield plainQuery(this.#last, this.#format, "ROLLBACK");
    this.#close();
  }

  #close(): void {
    this.#open = noTransaction();
  }

  /** Numbers of transactions only rise: where they do not, the log is of another history than the point. */
  #follow(gtid: BinlogGtid): void {
    const known = this.#known.get(gtid.domain);
    this.#known.delete(gtid.domain);
    if (known === undefined || gtid.sequence > known) return;
    throw new RefloatError(
      "log.diverged",
      `the log of ${this.#range.line} goes on with the transaction ${gtidText(gtid)}, and the point has ${this.#range.gtid} already: the server was reset or put back`,
      { hint: "recover to a point itself", nextCommand: "refloat points" },
    );
  }

  #refused(reason: string): RefloatError {
    const { line } = this.#range;
    const at = this.#last === null ? "" : `, ${new Date(this.#last.when * 1000).toISOString()}`;
    return new RefloatError(
      "source.unsupported",
      `the binary log cannot be gone on by beyond ${placeWords(line, this.#at)}${at}: ${reason}`,
      {
        context: { line, position: this.#at },
        state: "nothing of what is live was changed",
        hint: "recover to a moment before it, or to a point that was taken after it",
        nextCommand: "refloat points",
      },
    );
  }

  #damaged(): RefloatError {
    const { line } = this.#range;
    return new RefloatError("vault.damaged", `the log of ${line} is cut at ${placeWords(line, this.#at)}`, {
      context: { line, position: this.#at },
    });
  }
}
