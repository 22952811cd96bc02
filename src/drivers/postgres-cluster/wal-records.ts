/**
 * Finds the records in a stream of WAL, wherever it begins, and hands out the begin of those that somebody wants. Reads the headers of pages and records and
 * no more. Form: access/xlog_internal.h, access/xlogrecord.h of PostgreSQL 13 to 18.
 */

/** Of servers as they are packaged. */
export const logPageBytes = 8192;

const longHeaderFlag = 2;
const continuedFlag = 1;
const shortHeaderBytes = 24;
const longHeaderBytes = 40;
const recordHeaderBytes = 24;

export type WalRecord = {
  /** Where its first byte is. */
  readonly begin: bigint;
  /** Where it ends, and with it what fills up to the next one. */
  readonly end: bigint;
  /** As many bytes as were wanted, or all. */
  readonly head: Buffer;
  /** Of its page: which version of the form it is. */
  readonly magic: number;
};

export type WalReading = {
  /** @param header of a record, 24 bytes @returns how many bytes from the begin of the record are wanted; 0 for none */
  readonly wanted: (header: Buffer) => number;
  /** Once it has come to its end. */
  readonly onRecord: (record: WalRecord) => void;
};

/** The transaction that wrote it; 0 for none. */
export const transactionOf = (header: Buffer): number => header.readUInt32LE(4);
export const operationOf = (header: Buffer): number => header.readUInt8(16);
export const managerOf = (header: Buffer): number => header.readUInt8(17);

/**
 * Where the record's own data begins, behind what may stand before it: origin, transaction, length. @returns null for a record of blocks, or what has none
 */
export const dataBegin = (head: Buffer): number | null => {
  for (let at = recordHeaderBytes; at < head.length;) {
    const id = head.readUInt8(at);
    if (id === 253) at += 3;
    else if (id === 252) at += 5;
    else return id === 255 ? at + 2 : id === 254 ? at + 5 : null;
  }
  return null;
};

/** Enough for what may stand before a record's own data. */
export const beforeDataBytes = recordHeaderBytes + 3 + 5 + 5;

const align = (bytes: number): number => (bytes + 7) & ~7;

export class WalRecords {
  readonly #pageBytes: number;
  readonly #reading: WalReading;
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
  #wanted = 0;
  #magic = 0;
  /** Where the record that is being read begins. */
  #begun: bigint | null = null;
  /** One that somebody wants and that has not ended yet. */
  #pending: Buffer | null = null;

  /** @param from position of the first byte that will come */
  constructor(from: bigint, pageBytes: number, reading: WalReading) {
    this.#at = from;
    this.#pageBytes = pageBytes;
    this.#reading = reading;
  }

  /** Of the next byte that is to come. */
  get position(): bigint {
    return this.#at;
  }

  /** Where the record begins that is not whole yet; null between records, and within one whose begin has not come. */
  get unfinished(): bigint | null {
    return this.#begun;
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
    this.#magic = header.readUInt16LE(0);
    const isContinued = (flags & continuedFlag) !== 0;
    // After a crash the rest of a record may never come: its page then begins with the next one.
    const isAbandoned = !isContinued && (this.#skip > 0 || this.#record.length > 0);
    if (isAbandoned) this.#lose();
    if (!this.#isLost) return;
    this.#isLost = false;
    this.#skip = isContinued ? align(header.readUInt32LE(16)) : 0;
  }

  get #page(): bigint {
    return this.#at / BigInt(this.#pageBytes);
  }

  #lose(): void {
    this.#isLost = true;
    this.#skip = 0;
    this.#record = Buffer.alloc(0);
    this.#begun = null;
    this.#pending = null;
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
    if (this.#record.length === 0) {
      this.#begun = this.#at;
      this.#wanted = recordHeaderBytes;
    }
    const taken = part.subarray(0, this.#wanted - this.#record.length);
    this.#record = Buffer.concat([this.#record, taken]);
    if (this.#record.length < this.#wanted) return taken.length;
    if (this.#wanted === recordHeaderBytes) {
      this.#recordBytes = this.#record.readUInt32LE(0);
      if (this.#recordBytes < recordHeaderBytes) {
        this.#lose();
        return taken.length;
      }
      this.#wanted = Math.min(this.#reading.wanted(this.#record), this.#recordBytes);
      if (this.#wanted > recordHeaderBytes) return taken.length;
    }
    this.#pending = this.#wanted === 0 ? null : this.#record;
    this.#skip = align(this.#recordBytes) - this.#record.length;
    this.#record = Buffer.alloc(0);
    if (this.#skip === 0) this.#endRecord(this.#at + BigInt(taken.length));
    return taken.length;
  }

  #endRecord(end: bigint): void {
    if (this.#pending !== null && this.#begun !== null)
      this.#reading.onRecord({ begin: this.#begun, end, head: this.#pending, magic: this.#magic });
    this.#begun = null;
    this.#pending = null;
  }
}
