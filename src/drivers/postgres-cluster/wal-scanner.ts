/** Finds the commits in a stream of WAL, so that a time can be found in it that nobody was connected at. */
import { WalRecords } from "./wal-records.ts";
import { endedAtMs, isCommit, timeBytes } from "./wal-transactions.ts";

/** All that was written before `end` and by a commit of this time or earlier. */
export type WalCommit = { readonly end: bigint; readonly atMs: number };

export class WalScanner {
  readonly #records: WalRecords;

  /** @param from position of the first byte that will come */
  constructor(from: bigint, pageBytes: number, onCommit: (commit: WalCommit) => void) {
    this.#records = new WalRecords(from, pageBytes, {
      wanted: (header) => (isCommit(header) ? timeBytes : 0),
      onRecord: ({ end, head }) => {
        const atMs = endedAtMs(head);
        if (atMs !== null) onCommit({ end, atMs });
      },
    });
  }

  /** The bytes that follow those that came before. */
  push(bytes: Buffer): void {
    this.#records.push(bytes);
  }
}
