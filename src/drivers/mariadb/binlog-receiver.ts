/**
 * Receives the binary log of a server from where the vault's log ends, for as long as it is told to: decides where to begin, connects again after
 * failures, and says when something was lost. What the vault has of a file is whole events, so that it can go on behind any piece.
 */
import { join } from "node:path";
import type { LogReceiving } from "../../core/ports/logs.ts";
import type { Clock } from "../../core/ports/environment.ts";
import { keepReceiving } from "../../core/logs/keep-receiving.ts";
import { comparePositions, positionAfter } from "../../core/logs/log-position.ts";
import { PieceWriter } from "../../core/logs/piece-writer.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { RefloatError, toRefloatError } from "../../model/refloat-error.ts";
import { programError } from "../../platform/subprocess.ts";
import { type BinlogClock, openBinlogClock } from "./binlog-clock.ts";
import {
  type BinlogEvent,
  type BinlogFormat,
  EventSplitter,
  endsTransaction,
  eventHeaderBytes,
  eventType,
  fileBegin,
  isQuery,
  readFormat,
  readGtid,
  readHeader,
  readQuery,
} from "./binlog-events.ts";
import {
  type BinlogPlace,
  fileName,
  lineName,
  mostOffset,
  newestLine,
  placeAt,
  placeBytes,
  positionOf,
} from "./binlog-line.ts";
import { BinlogLooks } from "./binlog-looks.ts";
import { BinlogObstacles } from "./binlog-obstacles.ts";
import {
  type BinlogListing,
  type BinlogSettings,
  firstUnbroken,
  lastFile,
  listBinlogs,
  readBinlogSettings,
  refuseUnusable,
} from "./binlog-source.ts";
import { type BinlogStream, openBinlogStream, replicaId } from "./binlog-stream.ts";
import type { MariadbContext } from "./mariadb-options.ts";
import { type SqlAccess, accessOf } from "./sql-client.ts";

const mostBetweenLooksMs = 500;
/** The server has more, and nothing of it comes: the connection is dead. */
const longestSilenceMs = 30_000;

/** What a point goes on by: which of the events keep it from that. */
export type ObstacleWatch = Pick<BinlogObstacles, "reasonOf">;

/** Whose log it is. */
export type BinlogReceiving = {
  readonly driver: string;
  readonly access: () => Promise<SqlAccess>;
  readonly obstacles: (access: SqlAccess, settings: BinlogSettings) => ObstacleWatch;
};

const ofDatabase = (context: MariadbContext): BinlogReceiving => ({
  driver: "mariadb",
  access: () => accessOf(context, "source"),
  obstacles: ({ target }, { ignoresCase }) => new BinlogObstacles({ source: target.database, ignoresCase }),
});

/** Resolves once aborted, with all that was received durable as far as the vault could take it. @throws RefloatError source.denied, ... */
export const receiveBinlog = async (
  context: MariadbContext,
  request: LogReceiving,
  of: BinlogReceiving = ofDatabase(context),
): Promise<void> => {
  const { clock, signal } = context;
  const receiver = new Receiver(context, request, of);
  await keepReceiving({
    report: request.report,
    clock,
    signal,
    receive: () => receiver.receive(),
    translate: (error) => programError("mariadb-binlog", error),
  });
};

/** Where to go on, and of which line; without one a line begins. */
type Start = BinlogPlace & { readonly line: string | null; readonly atMs: number | null };

class Receiver {
  readonly #context: MariadbContext;
  readonly #request: LogReceiving;
  readonly #of: BinlogReceiving;
  /** By line, what the vault has at its end. */
  readonly #ends = new Map<string, LogSpan>();
  /** Lines that are not what the server goes on with. */
  readonly #left = new Set<string>();
  #warned = new Set<string>();

  constructor(context: MariadbContext, request: LogReceiving, of: BinlogReceiving) {
    this.#context = context;
    this.#request = request;
    this.#of = of;
    for (const span of request.held) this.#note(span);
  }

  /** One connection. @throws whatever ended it */
  async receive(): Promise<void> {
    const { signal, service, component } = this.#context;
    // Each time anew: a password may have been changed since. An abort is to end in order, so it cuts no connection.
    const access: SqlAccess = { ...(await this.#of.access()), signal: new AbortController().signal };
    const settings = await readBinlogSettings(access);
    refuseUnusable(access, settings);
    this.#warn(settings);
    const listing = await listBinlogs(access);
    const start = await this.#start(settings, listing);
    const clock = await openBinlogClock(access);
    try {
      const file = { base: listing.base, number: start.number };
      const offset = Math.max(start.offset, fileBegin.length);
      const stream = await openBinlogStream(access, {
        file,
        offset,
        replica: replicaId(service, component),
        folder: join(this.#context.stateDirectory, "binlog"),
      });
      const stop = (): void => stream.stop(new Error("told to end"));
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      try {
        await new Connection(this.#context, this.#request, {
          stream,
          clock,
          start,
          listing,
          settings,
          driver: this.#of.driver,
          obstacles: this.#of.obstacles(access, settings),
          held: this.#ends,
          noted: (span) => this.#note(span),
          lose: (line, reason) => this.#loseEnd(line, reason),
          leave: (line) => this.#leave(line),
        }).receive();
      } finally {
        signal.removeEventListener("abort", stop);
        await stream.close();
      }
    } finally {
      await clock.close();
    }
  }

  async #start({ serverId }: BinlogSettings, listing: BinlogListing): Promise<Start> {
    const { base, files } = listing;
    const last = lastFile(listing).number;
    const fresh: Start = { number: last, offset: 0, line: null, atMs: null };
    const line = newestLine(
      [...this.#ends.keys()].filter((one) => !this.#left.has(one)),
      { serverId, base },
    );
    const end = line === null ? undefined : this.#ends.get(line);
    if (line === null || end === undefined) {
      this.#tellOther(`the server (server_id ${serverId}, ${base}) is not the one that the vault's log is of`);
      return fresh;
    }
    const { number, offset } = placeAt(end.to);
    const size = files.get(number);
    if (size === undefined && number < Math.min(...files.keys())) {
      const first = firstUnbroken(listing);
      this.#lose(end, `the server has removed its binary log from ${base}.${number} on, up to ${base}.${first}`);
      return { number: first, offset: 0, line, atMs: null };
    }
    if (size === undefined || size < offset) {
      this.#lose(
        end,
        `the server's binary log ends before where the vault has it (${base}.${number}:${offset}): it was reset, put back to an older state, or has lost its end in a crash`,
      );
      return fresh;
    }
    return { number, offset, line, atMs: Date.parse(end.toAt) };
  }

  #leave(line: string): void {
    this.#left.add(line);
    this.#loseEnd(line, `the server's binary log is another one than what the vault holds as ${line}: it was reset`);
  }

  #loseEnd(line: string, reason: string): void {
    const end = this.#ends.get(line);
    if (end !== undefined) this.#lose(end, reason);
  }

  #tellOther(message: string): void {
    if (this.#ends.size === 0 || this.#left.size > 0 || this.#warned.has(message)) return;
    this.#warned.add(message);
    const { service } = this.#context;
    this.#request.report({
      type: "warning",
      message: `${message}: a line of its own begins`,
      hint: `take a point, from which it leads on: refloat capture ${service}`,
    });
  }

  #warn({ keptSeconds, syncs }: BinlogSettings): void {
    const warn = (message: string, hint: string): void => {
      if (this.#warned.has(message)) return;
      this.#warned.add(message);
      this.#request.report({ type: "warning", message, hint });
    };
    if (keptSeconds === 0) {
      warn(
        "the server never removes files of its binary log, until its disk is full",
        "SET GLOBAL binlog_expire_logs_seconds = 864000; and in its configuration",
      );
    } else if (keptSeconds < 86_400) {
      warn(
        `the server keeps its binary log for ${Math.round(keptSeconds / 60)} minutes: a receiver that is away for longer leaves a gap`,
        "SET GLOBAL binlog_expire_logs_seconds = 864000; and in its configuration",
      );
    }
    if (!syncs) {
      warn(
        "sync_binlog is not 1: a crash of the machine can take from the server what the vault has, and the log then has a gap",
        "SET GLOBAL sync_binlog = 1; and in its configuration",
      );
    }
  }

  #note(span: LogSpan): void {
    const known = this.#ends.get(span.line);
    if (known === undefined || comparePositions(span.to, known.to) >= 0) this.#ends.set(span.line, span);
  }

  #lose(from: LogSpan, reason: string): void {
    const { service, component } = this.#context;
    const message = `${component}: ${reason}`;
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#request.report({ type: "gap", from, reason: message, nextCommand: `refloat capture ${service}` });
  }
}

type Parts = {
  readonly stream: BinlogStream;
  readonly clock: BinlogClock;
  readonly start: Start;
  readonly listing: BinlogListing;
  readonly settings: BinlogSettings;
  readonly driver: string;
  readonly obstacles: ObstacleWatch;
  readonly held: ReadonlyMap<string, LogSpan>;
  readonly noted: (span: LogSpan) => void;
  /** What comes behind the line's end cannot be held. */
  readonly lose: (line: string, reason: string) => void;
  /** The line is not what the server goes on with. */
  readonly leave: (line: string) => void;
};

/** What comes by one connection. */
class Connection {
  readonly #context: MariadbContext;
  readonly #request: LogReceiving;
  readonly #parts: Parts;
  readonly #clock: Clock;
  #writer: PieceWriter | null = null;
  #looks: BinlogLooks | null = null;
  #format: BinlogFormat | null = null;
  #number: number;
  /** Where what is being written began. */
  #start: Start;
  /** What comes of this file lies behind the last place that can be counted. */
  #isFull = false;
  /** The transaction that is being read is one statement without a commit. */
  #isAlone = false;
  #heardMs: number;

  constructor(context: MariadbContext, request: LogReceiving, parts: Parts) {
    this.#context = context;
    this.#request = request;
    this.#parts = parts;
    this.#clock = context.clock;
    this.#start = parts.start;
    this.#number = parts.start.number - 1;
    this.#heardMs = this.#clock.monotonicMs();
  }

  /** @throws what ended it, with all that came stored */
  async receive(): Promise<void> {
    const { stream } = this.#parts;
    const splitter = new EventSplitter();
    const everyMs = Math.max(50, Math.min(mostBetweenLooksMs, this.#request.everyMs / 2));
    const asking = setInterval(() => void this.#lookBetween(), everyMs);
    try {
      for await (const chunk of stream.bytes) {
        this.#heardMs = this.#clock.monotonicMs();
        for (const item of splitter.push(chunk)) {
          if (item.kind === "file") await this.#beginFile();
          else await this.#take(item);
        }
      }
    } catch (error) {
      clearInterval(asking);
      // What has come is worth keeping, whatever became of the connection.
      await this.#flush();
      throw error;
    } finally {
      clearInterval(asking);
    }
  }

  async #beginFile(): Promise<void> {
    this.#number += 1;
    await this.#parts.stream.began(this.#number);
    if (this.#number === this.#start.number) return;
    if (this.#isFull) {
      // Between the two lies what is not held.
      this.#start = { ...this.#start, number: this.#number, offset: 0, atMs: null };
      [this.#writer, this.#looks, this.#isFull] = [null, null, false];
      return;
    }
    await this.#looks?.look();
    await this.#writer?.cut(placeBytes({ number: this.#number, offset: 0 }));
    this.#writer?.add(fileBegin);
  }

  async #take(event: BinlogEvent): Promise<void> {
    if (this.#isFull) return;
    const writer = this.#writer ?? (await this.#begin(event));
    if (event.type === eventType.formatDescription) {
      this.#format = readFormat(event);
      // The server sends it before what is in the middle of a file, and it is in no file at that place.
      if (event.logPos === 0) return;
    }
    if (writer.received + BigInt(event.bytes.length) > placeBytes({ number: this.#number, offset: mostOffset })) {
      await this.#loseRest(writer);
      return;
    }
    writer.add(event.bytes);
    this.#warnOfObstacle(event, writer.received);
    this.#noteCommit(event, writer.received);
    if (writer.isDue(false)) await this.#looks?.cut();
    writer.refuseFailed();
  }

  /** What came before is held, and all from the next file on. */
  async #loseRest(writer: PieceWriter): Promise<void> {
    this.#isFull = true;
    await this.#looks?.look();
    await writer.flush();
    const name = fileName({ base: this.#parts.listing.base, number: this.#number });
    if (this.#start.line !== null)
      this.#parts.lose(
        this.#start.line,
        `${name} is larger than 4 GiB, as a transaction of gigabytes makes it, and is held only up to there: the log goes on with the next file`,
      );
  }

  /** The first event says which file this is. @throws RefloatError log.diverged */
  async #begin(event: BinlogEvent): Promise<PieceWriter> {
    const { listing, settings, held } = this.#parts;
    const { serverId } = settings;
    if (event.type !== eventType.formatDescription) {
      throw new RefloatError("source.failed", "the server's binary log does not begin with its format");
    }
    const { line: known, number, offset, atMs } = this.#start;
    const line = known ?? lineName({ serverId, base: listing.base, firstNumber: number, firstWhen: event.when });
    if (known === null && held.has(line)) throw this.#diverged(line);
    if (known !== null && offset > 0) await this.#leaveOther(known, event);
    this.#start = { ...this.#start, line };
    const writer = new PieceWriter({
      append: async (piece, content) => {
        await this.#request.append(piece, content);
        this.#parts.noted(piece);
      },
      everyMs: this.#request.everyMs,
      report: this.#request.report,
      of: { service: this.#context.service, component: this.#context.component, driver: this.#parts.driver },
      line,
      from: positionOf({ number, offset }),
      atMs,
      // Of a line that goes on it is held.
      history: known === null ? event.bytes.toString("base64") : null,
      monotonicMs: this.#clock.monotonicMs,
      behindBytes: (position) => this.#behind(position),
      onDurable: () => undefined,
      onFailure: () => this.#parts.stream.stop(new RefloatError("vault.store-failed", "a piece was not stored")),
    });
    this.#writer = writer;
    this.#looks = new BinlogLooks(this.#parts.clock, writer);
    if (offset === 0) writer.add(fileBegin);
    await this.#looks.look();
    return writer;
  }

  /** The file of this number is the one that the vault has the begin of, unless the server was reset; then the next connection begins a line. */
  async #leaveOther(line: string, event: BinlogEvent): Promise<void> {
    const { number } = this.#start;
    const from = positionOf({ number, offset: fileBegin.length });
    const to = positionOf({ number, offset: fileBegin.length + eventHeaderBytes });
    const parts: Uint8Array[] = [];
    try {
      for await (const part of this.#request.read(line, from, to)) parts.push(part);
    } catch (error) {
      // A prune has taken it: what is held of the file then ends long ago, and nothing is known of its begin.
      if (error instanceof RefloatError && error.code === "log.gap") return;
      throw error;
    }
    const held = readHeader(Buffer.concat(parts));
    if (held.when === event.when && held.serverId === event.serverId) return;
    this.#parts.leave(line);
    throw new RefloatError("source.failed", "the server's binary log was reset");
  }

  #diverged(line: string): RefloatError {
    const { service, component } = this.#context;
    return new RefloatError(
      "log.diverged",
      `${component}: the server's binary log is another history than what the vault holds as ${line}: it was put back to an older state`,
      {
        context: { component, line },
        state: "nothing of it was stored",
        hint: "let the server begin another file (FLUSH BINARY LOGS), receive again, and take a point, from which the new log leads on",
        nextCommand: `refloat capture ${service}`,
      },
    );
  }

  #noteCommit(event: BinlogEvent, end: bigint): void {
    const format = this.#format;
    if (format === null) return;
    if (event.type === eventType.gtid) {
      this.#isAlone = readGtid(event, format).isAlone;
      return;
    }
    const query = isQuery(event) ? readQuery(event, format) : null;
    if (!endsTransaction(event, query, this.#isAlone)) return;
    this.#isAlone = false;
    this.#looks?.committed(end, event.when);
  }

  #warnOfObstacle(event: BinlogEvent, end: bigint): void {
    if (this.#format === null) return;
    const reason = this.#parts.obstacles.reasonOf(event, this.#format);
    if (reason === null) return;
    const { number, offset } = placeAt(positionAfter(end));
    const place = `${fileName({ base: this.#parts.listing.base, number })}:${offset}`;
    this.#request.report({
      type: "warning",
      message: `no point from before ${place} leads on beyond it: ${reason}`,
      hint: `take a point: refloat capture ${this.#context.service}`,
    });
  }

  async #flush(): Promise<void> {
    // The server may be gone: what no look has said is then known to the second.
    await this.#looks?.look().catch(() => undefined);
    await this.#writer?.flush();
  }

  /** Between what comes: a quiet server is known to be quiet, and a dead connection to be dead. */
  async #lookBetween(): Promise<void> {
    try {
      const looked = await this.#looks?.lookBetween();
      if (looked === undefined || looked === null) return;
      const silentMs = this.#clock.monotonicMs() - this.#heardMs;
      // Of a full file all may have come.
      const hasMore = this.#isFull ? (this.#looks?.end?.number ?? 0) > this.#number : !looked.isCaughtUp;
      if (hasMore && silentMs > longestSilenceMs && this.#writer?.durable === looked.received)
        throw new RefloatError("source.unreachable", "the server has more of its binary log and sends nothing");
    } catch (error) {
      this.#parts.stream.stop(toRefloatError(error));
    }
  }

  #behind(position: bigint): number {
    const end = this.#looks?.end ?? null;
    if (end === null) return 0;
    const { number, offset } = placeAt(positionAfter(position));
    if (number === end.number) return Math.max(0, end.offset - offset);
    const { files } = this.#parts.listing;
    let bytes = end.offset - offset;
    for (let at = number; at < end.number; at += 1) bytes += files.get(at) ?? 0;
    return Math.max(0, bytes);
  }
}
