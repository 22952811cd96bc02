/**
 * Of a stretch of a binary log, what brings one database forward, as a binary log of its own under the name of the other database: its rows, and the
 * statements that change its definitions. Everything else stays out. What could not be applied with certainty, or would be applied to anything
 * else, ends it with the place and the reason.
 */
import type { ByteStream } from "../../core/ports/bytes.ts";
import {
  type BinlogEvent,
  type BinlogGtid,
  eventType,
  isQuery,
  isRows,
  isStatementEnd,
  plainQuery,
  readGtid,
  readQuery,
  readTable,
  tableIdOf,
  withDatabase,
  withQuery,
  withStatementEnd,
} from "./binlog-events.ts";
import { encryptedReason, incidentReason } from "./binlog-obstacles.ts";
import { isOfTransaction, isOwnTable, judgeStatement } from "./binlog-statements.ts";
import { type BinlogRange, BinlogWalk, type ReplayTally } from "./binlog-walk.ts";
import { DistributedTransactions, committedReason, preparedReason } from "./binlog-xa.ts";

export type ReplayRange = BinlogRange & {
  readonly source: string;
  readonly target: string;
  readonly ignoresCase: boolean;
};

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

export const replayEvents = (range: ReplayRange, tally: ReplayTally): ByteStream =>
  new Selection(range, tally).events();

class Selection extends BinlogWalk<ReplayRange> {
  #open = noTransaction();
  readonly #distributed = new DistributedTransactions();

  protected override *event(event: BinlogEvent): Generator<Uint8Array> {
    const { format } = this;
    if (event.type === eventType.gtid) {
      yield* this.abandon();
      const gtid = readGtid(event, format);
      this.follow(gtid);
      this.#open = noTransaction(gtid);
    } else if (event.type === eventType.tableMap) yield* this.#table(event);
    else if (isRows(event)) yield* this.#rows(event);
    else if (isQuery(event)) yield* this.#query(event);
    else if (event.type === eventType.xid) yield* this.#commit(event.bytes);
    else if (event.type === eventType.xaPrepare) {
      if (this.#open.isBegun) throw this.refused(preparedReason);
      this.#distributed.prepared(false);
      this.#close();
    } else if (event.type === eventType.incident) throw this.refused(incidentReason);
    else if (event.type === eventType.startEncryption) throw this.refused(encryptedReason);
  }

  *#table(event: BinlogEvent): Generator<Uint8Array> {
    const map = readTable(event, this.format);
    const { target } = this.range;
    const isKept = isOwnTable(map, this.range);
    this.#open.kept.set(map.id, isKept);
    if (!isKept) return;
    this.tally.tables.add(map.table);
    yield* this.#begin(event);
    yield withDatabase(event, this.format, target);
  }

  /** The last rows of a statement say so. They may be those of a table that stays out: then the last ones that are kept say it. */
  *#rows(event: BinlogEvent): Generator<Uint8Array> {
    const isKept = this.#open.kept.get(tableIdOf(event, this.format)) === true;
    const isEnd = isStatementEnd(event, this.format);
    const { held } = this.#open;
    if (held !== null && (isKept || isEnd)) {
      this.#open.held = null;
      yield isKept ? held.bytes : withStatementEnd(held, this.format);
    }
    if (!isKept) return;
    if (isEnd) yield event.bytes;
    else this.#open.held = event;
  }

  *#query(event: BinlogEvent): Generator<Uint8Array> {
    const { source, target, ignoresCase } = this.range;
    const query = readQuery(event, this.format);
    const { gtid } = this.#open;
    if (isOfTransaction(query.sql)) {
      yield* this.#divide(event, query.sql);
      return;
    }
    const judged = judgeStatement({ query, source, target, ignoresCase });
    if (judged.act === "refuse") throw this.refused(judged.reason);
    if (judged.act === "skip") {
      if (judged.warning !== undefined) this.tally.warnings.add(judged.warning);
      return;
    }
    this.tally.statements += 1;
    const database = Buffer.from(target, "utf8").toString("latin1");
    yield withQuery(event, this.format, { database, sql: judged.sql });
    if (gtid?.isAlone === true) this.#close();
  }

  /** Where a transaction begins or ends, or what of it may be rolled back. */
  *#divide(event: BinlogEvent, sql: string): Generator<Uint8Array> {
    const word = /^\s*(?<word>[A-Za-z]+)/.exec(sql)?.groups?.["word"]?.toUpperCase();
    if (word === "BEGIN" || word === "START") return;
    if (word === "XA") {
      if (this.#open.isBegun) throw this.refused(preparedReason);
      if (this.#distributed.isCommitOfOurs(sql)) throw this.refused(committedReason);
      return;
    }
    if (word === "COMMIT") yield* this.#commit(plainQuery(event, this.format, "COMMIT"));
    else if (/^\s*ROLLBACK\s*$/i.test(sql)) yield* this.abandon();
    else {
      // What is rolled back to one later has to know it.
      if (word === "SAVEPOINT") yield* this.#begin(event);
      if (this.#open.isBegun) yield plainQuery(event, this.format, sql);
    }
  }

  *#begin(event: BinlogEvent): Generator<Uint8Array> {
    if (this.#open.isBegun) return;
    this.#open.isBegun = true;
    yield plainQuery(event, this.format, "BEGIN");
  }

  *#commit(bytes: Buffer): Generator<Uint8Array> {
    if (this.#open.isBegun) {
      this.tally.transactions += 1;
      yield bytes;
    }
    this.#close();
  }

  protected override *abandon(): Generator<Uint8Array> {
    if (this.#open.isBegun && this.last !== null) yield plainQuery(this.last, this.format, "ROLLBACK");
    this.#close();
  }

  #close(): void {
    this.#open = noTransaction();
  }
}
