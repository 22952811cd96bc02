/**
 * Sees, while a log is received, what a recovery will refuse to go on beyond: replay-events.ts, which has the point and the last word. Who hears of it at
 * once can take a point at once.
 */
import { type BinlogEvent, type BinlogFormat, eventType, isQuery, readQuery, readTable } from "./binlog-events.ts";
import { type StatementRequest, isOfTransaction, isOwnTable, judgeStatement } from "./binlog-statements.ts";
import { DistributedTransactions, committedReason, preparedReason } from "./binlog-xa.ts";

export const incidentReason = "the server says itself that it has lost a part of its log (incident)";
export const encryptedReason = "the binary log is encrypted";

export class BinlogObstacles {
  readonly #of: Pick<StatementRequest, "source" | "ignoresCase">;
  readonly #distributed = new DistributedTransactions();
  /** The transaction that is being read has changed the database. */
  #isOurs = false;

  constructor(of: Pick<StatementRequest, "source" | "ignoresCase">) {
    this.#of = of;
  }

  /** @param event each one, in their order @returns why no point from before leads on beyond it; null when one does */
  reasonOf(event: BinlogEvent, format: BinlogFormat): string | null {
    if (isQuery(event)) return this.#reasonOfStatement(event, format);
    switch (event.type) {
      case eventType.gtid:
        this.#isOurs = false;
        return null;
      case eventType.tableMap:
        this.#isOurs ||= isOwnTable(readTable(event, format), this.#of);
        return null;
      case eventType.xaPrepare:
        this.#distributed.prepared(this.#isOurs);
        return this.#isOurs ? preparedReason : null;
      case eventType.incident:
        return incidentReason;
      case eventType.startEncryption:
        return encryptedReason;
      default:
        return null;
    }
  }

  #reasonOfStatement(event: BinlogEvent, format: BinlogFormat): string | null {
    const query = readQuery(event, format);
    if (isOfTransaction(query.sql)) {
      const isDistributed = /^\s*XA\b/i.test(query.sql);
      return isDistributed && this.#distributed.isCommitOfOurs(query.sql) ? committedReason : null;
    }
    const judged = judgeStatement({ ...this.#of, query, target: this.#of.source });
    return judged.act === "refuse" ? judged.reason : null;
  }
}
