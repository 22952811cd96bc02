/**
 * Reads a binary log: cuts its bytes into events, and knows of them what receiving and going on by them needs. Makes changed copies of events.
 * Form: sql/log_event.h and sql/log_event.cc of MariaDB 10.6 to 11.8, binary log version 4.
 */
import { crc32, inflateSync } from "node:zlib";
import { RefloatError } from "../../model/refloat-error.ts";

export const eventType = {
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  rand: 13,
  userVariable: 14,
  formatDescription: 15,
  xid: 16,
  tableMap: 19,
  incident: 26,
  xaPrepare: 38,
  annotateRows: 160,
  checkpoint: 161,
  gtid: 162,
  gtidList: 163,
  startEncryption: 164,
  compressedQuery: 165,
} as const;

/** Written, updated and deleted rows, in both forms, plain and compressed. */
const rowTypes = new Set([23, 24, 25, 30, 31, 32, 166, 167, 168, 169, 170, 171]);
export const isRows = ({ type }: BinlogEvent): boolean => rowTypes.has(type);

export const fileBegin = Buffer.from([0xfe, 0x62, 0x69, 0x6e]);
export const eventHeaderBytes = 19;
const checksumBytes = 4;
const noUse = 0x8;

export type BinlogEvent = {
  readonly type: number;
  /** Seconds since 1970: when the statement began, by the clock of the server that ran it. */
  readonly when: number;
  readonly serverId: number;
  /** Where it ends in its file; 0 in an event that is in no file. */
  readonly logPos: number;
  /** All of it, with its header and its checksum. */
  readonly bytes: Buffer;
};

/** A file begins, or the next event of it. */
export type BinlogItem = { readonly kind: "file" } | ({ readonly kind: "event" } & BinlogEvent);

/** @param bytes the header at least */
export const readHeader = (bytes: Buffer): BinlogEvent => ({
  when: bytes.readUInt32LE(0),
  type: bytes.readUInt8(4),
  serverId: bytes.readUInt32LE(5),
  logPos: bytes.readUInt32LE(13),
  bytes,
});

const lengthAt = (bytes: Buffer, at: number): number => bytes.readUInt32LE(at + 9);

/** The four bytes alone may be a time of September 2028. */
const beginsFile = (bytes: Buffer, at: number): boolean =>
  bytes.readUInt8(at + fileBegin.length + 4) === eventType.formatDescription &&
  lengthAt(bytes, at + fileBegin.length) < 1024;

/** Cuts bytes, as they come, into events. Holds the event that has not come to its end. */
export class EventSplitter {
  #chunks: Uint8Array[] = [];
  #held = 0;
  #wanted = eventHeaderBytes;

  /** @throws RefloatError log.diverged for what is no binary log */
  push(chunk: Uint8Array): readonly BinlogItem[] {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#wanted) return [];
    const bytes = Buffer.concat(this.#chunks);
    const items: BinlogItem[] = [];
    let at = 0;
    this.#wanted = eventHeaderBytes;
    while (bytes.length - at >= eventHeaderBytes) {
      if (bytes.subarray(at, at + fileBegin.length).equals(fileBegin)) {
        this.#wanted = fileBegin.length + eventHeaderBytes;
        if (bytes.length - at < this.#wanted) break;
        this.#wanted = eventHeaderBytes;
        if (beginsFile(bytes, at)) {
          items.push({ kind: "file" });
          at += fileBegin.length;
          continue;
        }
      }
      const length = lengthAt(bytes, at);
      if (length < eventHeaderBytes) {
        throw new RefloatError("source.failed", `what was to be a binary log has an event of ${length} bytes`);
      }
      this.#wanted = length;
      if (bytes.length - at < length) break;
      this.#wanted = eventHeaderBytes;
      items.push({ kind: "event", ...readHeader(bytes.subarray(at, at + length)) });
      at += length;
    }
    this.#chunks = [bytes.subarray(at)];
    this.#held = bytes.length - at;
    return items;
  }

  /** Bytes of an event that has not come to its end. */
  get rest(): number {
    return this.#held;
  }
}

/** What the first event of a file says of the others. */
export type BinlogFormat = { readonly hasChecksums: boolean };

/** @param event a format description */
export const readFormat = ({ bytes }: BinlogEvent): BinlogFormat => ({
  hasChecksums: bytes.readUInt8(bytes.length - checksumBytes - 1) === 1,
});

/** Without header and checksum. */
const bodyOf = ({ bytes }: BinlogEvent, { hasChecksums }: BinlogFormat): Buffer =>
  bytes.subarray(eventHeaderBytes, hasChecksums ? bytes.length - checksumBytes : bytes.length);

/** A copy with another body. @param type when it becomes another kind of event */
const withBody = (event: BinlogEvent, body: Buffer, { hasChecksums }: BinlogFormat, type = event.type): Buffer => {
  const header = Buffer.from(event.bytes.subarray(0, eventHeaderBytes));
  header.writeUInt8(type, 4);
  header.writeUInt32LE(eventHeaderBytes + body.length + (hasChecksums ? checksumBytes : 0), 9);
  // Where it stood in its file is not where it stands now.
  header.writeUInt32LE(0, 13);
  header.writeUInt16LE(header.readUInt16LE(17) & ~noUse, 17);
  const plain = Buffer.concat([header, body]);
  if (!hasChecksums) return plain;
  const checksum = Buffer.alloc(checksumBytes);
  checksum.writeUInt32LE(crc32(plain));
  return Buffer.concat([plain, checksum]);
};

export type BinlogGtid = {
  readonly domain: number;
  readonly sequence: bigint;
  readonly serverId: number;
  /** One statement that no commit follows. */
  readonly isAlone: boolean;
};

const aloneFlag = 1;

export const readGtid = (event: BinlogEvent, format: BinlogFormat): BinlogGtid => {
  const body = bodyOf(event, format);
  return {
    sequence: body.readBigUInt64LE(0),
    domain: body.readUInt32LE(8),
    serverId: event.serverId,
    isAlone: (body.readUInt8(12) & aloneFlag) !== 0,
  };
};

export const gtidText = ({ domain, serverId, sequence }: BinlogGtid): string => `${domain}-${serverId}-${sequence}`;

const queryHeaderBytes = 13;
const tableIdBytes = 6;
const ansiQuotesMode = 4n;
const noBackslashMode = 1n << 20n;

export type BinlogQuery = {
  /** Where the statement was run; empty where no database was chosen. Bytes as they stand, one a letter. */
  readonly database: string;
  readonly sql: string;
  readonly hasAnsiQuotes: boolean;
  readonly hasNoBackslashes: boolean;
  /** Of the session that wrote it; null where it is not told. */
  readonly charset: number | null;
};

type QueryParts = BinlogQuery & { readonly head: Buffer; readonly status: Buffer };

/** In the order in which the server writes them; those behind the character set are not needed. */
const readStatus = (status: Buffer): { readonly mode: bigint; readonly charset: number | null } => {
  let mode = 0n;
  for (let at = 0; at < status.length;) {
    const code = status.readUInt8(at);
    at += 1;
    if (code === 0 || code === 3) at += 4;
    else if (code === 1) {
      mode = status.readBigUInt64LE(at);
      at += 8;
    } else if (code === 6) at += 1 + status.readUInt8(at);
    else return { mode, charset: code === 4 ? status.readUInt16LE(at) : null };
  }
  return { mode, charset: null };
};

/** The first byte says how many bytes of the length follow, which come with the highest first. */
const inflate = (packed: Buffer): Buffer => {
  const lengthBytes = packed.readUInt8(0) & 0x07;
  return inflateSync(packed.subarray(1 + lengthBytes));
};

const partsOf = (event: BinlogEvent, format: BinlogFormat): QueryParts => {
  const body = bodyOf(event, format);
  const databaseBytes = body.readUInt8(8);
  const statusBytes = body.readUInt16LE(11);
  const statusEnd = queryHeaderBytes + statusBytes;
  const status = body.subarray(queryHeaderBytes, statusEnd);
  const text = body.subarray(statusEnd + databaseBytes + 1);
  const { mode, charset } = readStatus(status);
  return {
    head: body.subarray(0, queryHeaderBytes),
    status,
    database: body.subarray(statusEnd, statusEnd + databaseBytes).toString("latin1"),
    sql: (event.type === eventType.compressedQuery ? inflate(text) : text).toString("latin1"),
    hasAnsiQuotes: (mode & ansiQuotesMode) !== 0n,
    hasNoBackslashes: (mode & noBackslashMode) !== 0n,
    charset,
  };
};

export const isQuery = ({ type }: BinlogEvent): boolean =>
  type === eventType.query || type === eventType.compressedQuery;

/** @param query where it is one @param isAlone as the transaction's begin has said */
export const endsTransaction = ({ type }: BinlogEvent, query: BinlogQuery | null, isAlone: boolean): boolean =>
  type === eventType.xid ||
  type === eventType.xaPrepare ||
  (query !== null && (isAlone || /^(?:COMMIT|ROLLBACK)$/i.test(query.sql)));

export const readQuery = (event: BinlogEvent, format: BinlogFormat): BinlogQuery => partsOf(event, format);

/** The same statement, or another one, in another database; not compressed. @param database its bytes, one a letter */
export const withQuery = (
  event: BinlogEvent,
  format: BinlogFormat,
  { database, sql }: { readonly database: string; readonly sql: string },
): Buffer => {
  const { head: original, status } = partsOf(event, format);
  const head = Buffer.from(original);
  const name = Buffer.from(database, "latin1");
  head.writeUInt8(name.length, 8);
  const body = Buffer.concat([head, status, name, Buffer.alloc(1), Buffer.from(sql, "latin1")]);
  return withBody(event, body, format, eventType.query);
};

const endsStatement = 1;

/** @param event rows */
export const isStatementEnd = (event: BinlogEvent, format: BinlogFormat): boolean =>
  (bodyOf(event, format).readUInt16LE(tableIdBytes) & endsStatement) !== 0;

/** The same rows as the last ones of their statement. */
export const withStatementEnd = (event: BinlogEvent, format: BinlogFormat): Buffer => {
  const body = Buffer.from(bodyOf(event, format));
  body.writeUInt16LE(body.readUInt16LE(tableIdBytes) | endsStatement, tableIdBytes);
  return withBody(event, body, format);
};

/** A statement of a session of which nothing is told, as the begin of a transaction is. @param event whose time and server it takes */
export const plainQuery = (event: BinlogEvent, format: BinlogFormat, sql: string): Buffer => {
  const body = Buffer.concat([Buffer.alloc(queryHeaderBytes), Buffer.alloc(1), Buffer.from(sql, "latin1")]);
  return withBody(event, body, format, eventType.query);
};

const mapHeaderBytes = tableIdBytes + 2;

export type BinlogTable = { readonly id: number; readonly database: string; readonly table: string };

/** @param event a table map; of rows only the id is there, and it stands at the same place */
export const tableIdOf = (event: BinlogEvent, format: BinlogFormat): number =>
  bodyOf(event, format).readUIntLE(0, tableIdBytes);

export const readTable = (event: BinlogEvent, format: BinlogFormat): BinlogTable => {
  const body = bodyOf(event, format);
  const databaseBytes = body.readUInt8(mapHeaderBytes);
  const tableAt = mapHeaderBytes + 1 + databaseBytes + 1;
  return {
    id: tableIdOf(event, format),
    database: body.subarray(mapHeaderBytes + 1, mapHeaderBytes + 1 + databaseBytes).toString("utf8"),
    table: body.subarray(tableAt + 1, tableAt + 1 + body.readUInt8(tableAt)).toString("utf8"),
  };
};

/** The same table of another database. */
export const withDatabase = (event: BinlogEvent, format: BinlogFormat, database: string): Buffer => {
  const body = bodyOf(event, format);
  const name = Buffer.from(database, "utf8");
  const rest = body.subarray(mapHeaderBytes + 1 + body.readUInt8(mapHeaderBytes));
  const changed = Buffer.concat([body.subarray(0, mapHeaderBytes), Buffer.from([name.length]), name, rest]);
  return withBody(event, changed, format);
};
