/**
 * Finds the commits in a stream of WAL, so that a time can be found in it that nobody was connected at. Reads the headers of pages and records and
 * no more. Form: access/xlog_internal.h, access/xlogrecord.h, access/xact.h of PostgreSQL 13 to 18.
 */

/** All that was written before `end` and by a commit of this time or earlier. */
export type WalCommit = { readonly end: bigint; readonly atMs: number };

const longHeaderFlag = 2;
const continuedFlag = 1;
const shortHeaderBytes = 24;
const longHeaderBytes = 40;
const recordHeaderBytes = 24;
/** Enough for what may stand before the time of a commit: origin, transaction, length; then the time. */
const headBytes = recordHeaderBytes + 3 + 5 + 5 + 8;
const transactionManager = 1;
const operationMask = 0x70;
const commitOperation = 0x00;
const preparedCommitOperation = 0x30;

/** Microseconds between 1970 and 2000, which PostgreSQL counts from. */
const epochMicros = 946_684_800_000_000n;

export const millisecondsOf = (micros: bigint): number => Number((micros + epochMicros) / 1000n);

const align = (bytes: number): number => (bytes + 7) & ~7;

/** @param head the begin of a record @returns null for what is no commit */
const commitTime = (head: Buffer): number | null => {
  const operation = head.readUInt8(16) & operationMask;
  if (head.readUInt8(17) !== transactionManager) return null;
  if (operation !== commitOperation && operation !== preparedCommitOperation) return null;
  for (let at = recordHeaderBytes; at < head.length;) {
    const id = head.readUInt8(at);
    if (id === 253) at += 3;
    else if (id === 252) at += 5;
    else if (id === 255 || id === 254) {
      const data = at + (id === 255 ? 2 : 5);
      return data + 8 <= head.length ? millisecondsOf(head.readBigInt64LE(data)) : null;
    } else return null;
  }
  return null;
};

export class WalScanner {
  readonly #pageBytes: number;
  readonly #onCommit: (commit: WalCommit) => void;
  /** Of the next byte. */
  #at: bigint;
  /** Bytes of the page's header, as far as they are there; null within a page. */
  #pageHeader: Buffer | null = null;
  /** It is not known where the next record begins: the next page's header says it. */
  #isLost = true;
  /** Bytes that are no business of ours: the rest of a record, and what fills up to the next one. */
  #skip = 0;
  #record: Buffer = Buffer.alloc(0);
  /** Of the record that is being read, whole. */
  #recordBytes = 0;
  /** A commit whose record has not ended yet. */
  #commitMs: number | null = null;

  /** @param from position of the first byte that will come */
  constructor(from: bigint, pageBytes: number, onCommit: (commit: WalCommit) => void) {
    this.#at = from;
    this.#pageBytes = pageBytes;
    this.#onCommit = onCommit;
  }

  /** The bytes that follow those that came before. */
  push(bytes: Buffer): void {
    for (let offset = 0; offset < bytes.length;) {
      const inPage = Number(this.#at % BigInt(this.#pageBytes));
      if (inPage === 0 && this.#pageHeader === null) this.#pageHeader = Buffer.alloc(0);
      const left = Math.min(this.#pageBytes - inPage, bytes.length - offset);
      const part = bytes.subarray(offset, offset + left);
      const taken = this.#pageHeader === null ? this.#take(part) : this.#takeHeader(part, this.#pageHeader);
      offset += taken;
      this.#at += BigInt(taken);
    }
  }

  #takeHeader(part: Buffer, begun: Buffer): number {
    const wanted = begun.length < shortHeaderBytes ? shortHeaderBytes : longHeaderBytes;
    const taken = part.subarray(0, wanted - begun.length);
    const header = Buffer.concat([begun, taken]);
    this.#pageHeader = header;
    if (header.length < shortHeaderBytes) return taken.length;
    const flags = header.readUInt16LE(2);
    if ((flags & longHeaderFlag) !== 0 && header.length < longHeaderBytes) return taken.length;
    this.#pageHeader = null;
    this.#beginPage(header, flags);
    return taken.length;
  }

  #beginPage(header: Buffer, flags: number): void {
    // Behind a switch of segments there is nothing but zeros.
    const isPage = header.readUInt16LE(0) !== 0 && header.readBigUInt64LE(8) / BigInt(this.#pageBytes) === this.#page;
    if (!isPage) {
      this.#lose();
      return;
    }
    if (!this.#isLost) return;
    this.#isLost = false;
    this.#skip = (flags & continuedFlag) === 0 ? 0 : align(header.readUInt32LE(16));
  }

  get #page(): bigint {
    return this.#at / BigInt(this.#pageBytes);
  }

  #lose(): void {
    this.#isLost = true;
    this.#skip = 0;
    this.#record = Buffer.alloc(0);
    this.#commitMs = null;
  }

  /** @returns how many bytes of it were used */
  #take(part: Buffer): number {
    if (this.#isLost) return part.length;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, part.length);
      this.#skip -= skipped;
      if (this.#skip === 0) this.#endRecord(this.#at + BigInt(skipped));
      return skipped;
    }
    const wanted = this.#record.length < recordHeaderBytes ? recordHeaderBytes : Math.min(headBytes, this.#recordBytes);
    const taken = part.subarray(0, wanted - this.#record.length);
    this.#record = Buffer.concat([this.#record, taken]);
    if (this.#record.length < wanted) return taken.length;
    if (wanted === recordHeaderBytes) {
      this.#recordBytes = this.#record.readUInt32LE(0);
      if (this.#recordBytes < recordHeaderBytes) {
        this.#lose();
        return taken.length;
      }
      if (this.#recordBytes > recordHeaderBytes) return taken.length;
    }
    this.#commitMs = commitTime(this.#record);
    this.#skip = align(this.#recordBytes) - this.#record.length;
    this.#record = Buffer.alloc(0);
    if (this.#skip === 0) this.#endRecord(this.#at + BigInt(taken.length));
    return taken.length;
  }

  #endRecord(end: bigint): void {
    if (this.#commitMs !== null) this.#onCommit({ end, atMs: this.#commitMs });
    this.#commitMs = null;
  }
}
