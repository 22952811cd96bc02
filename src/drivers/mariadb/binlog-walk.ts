/**
 * Goes through a stretch of a received binary log, and makes of it a binary log of its own: what of it is kept, and how, its heirs say. Files, transactions
 * that a crash has cut off, the numbers that tell one history from another, and the seal by which a client shows that it has had all of it are seen to here.
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
  plainQuery,
  readFormat,
  readHeader,
} from "./binlog-events.ts";
import { placeAt, placeWords, positionOf } from "./binlog-line.ts";

export type BinlogRange = {
  readonly logs: LogReader;
  readonly line: string;
  /** Where an event begins, and where one has ended. */
  readonly from: string;
  readonly to: string;
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

/** Behind what was made of the events: fails where it does not have both their begin and their end. */
const sealBegin = "SET @refloat_begin = 1";
const sealEnd = "SET @refloat_end = @refloat_begin";
export const sealCheck = "DO IF(@refloat_end = 1, 1, (SELECT 1 UNION SELECT 2));\n";

/** @returns null for a file of which the stretch has nothing @throws RefloatError vault.damaged */
export const readFileFormat = async (
  { logs, line, to }: Pick<BinlogRange, "line" | "to"> & { readonly logs: Pick<LogReader, "read"> },
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

export abstract class BinlogWalk<Range extends BinlogRange> {
  protected readonly range: Range;
  protected readonly tally: ReplayTally;
  protected format: BinlogFormat = { hasChecksums: false };
  protected last: BinlogEvent | null = null;
  /** By domain, what the point has; gone once the log has gone on from it. */
  readonly #known: Map<number, bigint>;
  /** Where the event that is looked at begins. */
  #at = "0/0";

  constructor(range: Range, tally: ReplayTally) {
    this.range = range;
    this.tally = tally;
    this.#known = sequencesOf(range.gtid);
  }

  /** What is made of one event, in their order. */
  protected abstract event(event: BinlogEvent): Iterable<Uint8Array>;

  /** Ends a transaction that was begun and has no end. */
  protected abstract abandon(): Iterable<Uint8Array>;

  /** @throws RefloatError source.unsupported, log.diverged, log.gap, vault.damaged */
  async *events(): ByteStream {
    const { range } = this;
    yield fileBegin;
    const [first, last] = [placeAt(range.from), placeAt(range.to)];
    for (let { number } = first; number <= last.number; number += 1) {
      const begin = number === first.number ? first.offset : fileBegin.length;
      const format = await readFileFormat(range, number);
      if (format === null) break;
      yield* this.#beginFile(format);
      if (number === first.number) yield this.statement(sealBegin);
      const from = positionOf({ number, offset: Math.max(begin, fileBegin.length + format.bytes.length) });
      const to = number === last.number ? range.to : positionOf({ number: number + 1, offset: 0 });
      if (comparePositions(from, to) < 0) yield* this.#take(number, from, to);
    }
    yield* this.abandon();
    yield this.statement(sealEnd);
  }

  *#beginFile(event: BinlogEvent): Generator<Uint8Array> {
    // A server that went down within one has not committed it.
    yield* this.abandon();
    this.format = readFormat(event);
    this.last = event;
    yield event.bytes;
  }

  async *#take(number: number, from: string, to: string): ByteStream {
    const { logs, line } = this.range;
    const splitter = new EventSplitter();
    let { offset } = placeAt(from);
    for await (const chunk of logs.read(line, from, to)) {
      for (const item of splitter.push(chunk)) {
        if (item.kind === "file") throw this.damaged();
        this.#at = positionOf({ number, offset });
        offset += item.bytes.length;
        this.last = item;
        yield* this.event(item);
      }
    }
    if (splitter.rest > 0) throw this.damaged();
  }

  protected statement(sql: string): Uint8Array {
    if (this.last === null) throw this.damaged();
    return plainQuery(this.last, this.format, sql);
  }

  /** Numbers of transactions only rise: where they do not, the log is of another history than the point. */
  protected follow(gtid: BinlogGtid): void {
    this.tally.gtid = gtidText(gtid);
    const known = this.#known.get(gtid.domain);
    this.#known.delete(gtid.domain);
    if (known === undefined || gtid.sequence > known) return;
    throw new RefloatError(
      "log.diverged",
      `the log of ${this.range.line} goes on with the transaction ${gtidText(gtid)}, and the point has ${this.range.gtid} already: the server was reset or put back`,
      { hint: "recover to a point itself", nextCommand: "refloat points" },
    );
  }

  protected refused(reason: string): RefloatError {
    const { line } = this.range;
    const at = this.last === null ? "" : `, ${new Date(this.last.when * 1000).toISOString()}`;
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

  protected damaged(): RefloatError {
    const { line } = this.range;
    return new RefloatError("vault.damaged", `the log of ${line} is cut at ${placeWords(line, this.#at)}`, {
      context: { line, position: this.#at },
    });
  }
}
