/**
 * Distributed transactions (XA) of a binary log. Their rows come with the PREPARE, and the COMMIT that makes them count comes later, alone, by name: which
 * ones a COMMIT may be passed over for is known from their PREPARE only.
 */

/** The server writes names anew: `XA COMMIT X'78',X'',1`, whatever the client's statement looked like. */
const pattern = /^\s*XA\s+(?<word>START|BEGIN|END|PREPARE|COMMIT|ROLLBACK)\s+(?<xid>\S+)\s*$/i;

export class DistributedTransactions {
  /** Between its XA END and its PREPARE. */
  #ended: string | null = null;
  /** Prepared ones that have changed nothing of the database. */
  readonly #foreign = new Set<string>();

  /** @param sql that begins with XA @returns whether it commits what may have changed the database */
  isCommitOfOurs(sql: string): boolean {
    const { word = "", xid = "" } = pattern.exec(sql)?.groups ?? {};
    switch (word.toUpperCase()) {
      case "START":
      case "BEGIN":
      case "PREPARE":
        return false;
      case "END":
        this.#ended = xid;
        return false;
      case "ROLLBACK":
        this.#foreign.delete(xid);
        return false;
      default:
        // A COMMIT, or what is not understood.
        return !this.#foreign.delete(xid);
    }
  }

  /** @param isOurs it has changed the database */
  prepared(isOurs: boolean): void {
    if (this.#ended !== null && !isOurs) this.#foreign.add(this.#ended);
    this.#ended = null;
  }
}

export const preparedReason = "a distributed transaction (XA) was prepared, which may end or not";
export const committedReason =
  "a distributed transaction (XA) is committed whose rows came before, and may be of this database";
