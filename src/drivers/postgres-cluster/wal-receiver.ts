/**
 * Receives the WAL of a server from where the vault's log ends, for as long as it is told to: decides where to begin, follows the server to a new
 * timeline, connects again after failures, and says when something was lost. One timeline: wal-line.ts; the protocol: wal-stream.ts.
 */
import type { LogReceiving } from "../../core/ports/driver.ts";
import type { Clock } from "../../core/ports/environment.ts";
import { comparePositions } from "../../core/logs/log-position.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { type WalPlace, receiveLine } from "./wal-line.ts";
import { type SlotReport, type SlotState, slotWarnings } from "./wal-slot.ts";
import { type NextTimeline, type WalConnection, segmentBegin } from "./wal-stream.ts";

export type WalSource = {
  readonly connect: () => Promise<WalConnection>;
  readonly slot: string;
  /** Asked by an ordinary connection. */
  readonly readSlot: () => Promise<SlotReport>;
  /** An error of the connection in this project's terms. */
  readonly translate: (error: unknown) => RefloatError;
};

export type WalReceiving = LogReceiving & {
  readonly of: Pick<LogSpan, "service" | "component" | "driver">;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

const longestWaitMs = 30_000;
/** What waiting does not mend. */
const lasting = new Set(["source.denied", "source.unsupported", "config.invalid", "secret.unavailable", "bug"]);

/** Resolves once aborted, with all that was received durable as far as the vault could take it. @throws RefloatError source.denied, ... */
export const receiveWal = async (source: WalSource, request: WalReceiving): Promise<void> => {
  const { clock, signal, report } = request;
  const receiver = new Receiver(source, request);
  for (let waitMs = 500; ; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    const beganMs = clock.monotonicMs();
    try {
      await receiver.receive();
    } catch (error) {
      if (signal.aborted) return;
      const told = error instanceof RefloatError ? error : source.translate(error);
      if (lasting.has(told.code)) throw told;
      report({ type: "waiting", for: "source", reason: told.message });
    }
    if (signal.aborted) return;
    if (clock.monotonicMs() - beganMs > longestWaitMs) waitMs = 500;
    await clock.sleep(waitMs, signal).catch(() => undefined);
    if (signal.aborted) return;
  }
};

class Receiver {
  readonly #source: WalSource;
  readonly #request: WalReceiving;
  /** By line, what the vault has at its end. */
  readonly #ends = new Map<string, LogSpan>();
  #warned = new Set<string>();

  constructor(source: WalSource, request: WalReceiving) {
    this.#source = source;
    this.#request = request;
    for (const span of request.held) this.#note(span);
  }

  /** One connection. @throws whatever ended it */
  async receive(): Promise<void> {
    const connection = await this.#source.connect();
    try {
      const slot = await this.#slot(connection);
      let place: WalPlace | null = (await this.#held(connection)) ?? this.#fresh(connection, slot);
      while (place !== null) {
        const next = await this.#line(connection, place);
        place = next === null ? null : await beginOf(connection, next);
      }
    } finally {
      await connection.close();
    }
  }

  async #line(connection: WalConnection, place: WalPlace) {
    const { append, everyMs, report, of, clock, signal } = this.#request;
    const noting: LogReceiving["append"] = async (piece, content) => {
      await append(piece, content);
      this.#note(piece);
    };
    try {
      return await receiveLine(connection, place, {
        append: noting,
        everyMs,
        report,
        of,
        slot: this.#source.slot,
        monotonicMs: clock.monotonicMs,
        signal,
      });
    } catch (error) {
      // The next connection begins with what there still is.
      if (isRemoved(error)) this.#lose(`the server has removed the WAL from ${place.from} on`);
      throw error;
    }
  }

  /** Made where it is missing; made anew where the server has broken its word. */
  async #slot(connection: WalConnection): Promise<SlotState> {
    const { slot: name, readSlot } = this.#source;
    let report = await readSlot();
    if (report.slot?.isLost === true) {
      await connection.dropSlot(name);
      this.#lose("the server has given up the replication slot, and with it WAL that the vault does not have");
    }
    if (report.slot === null || report.slot.isLost) {
      await connection.createSlot(name);
      report = await readSlot();
    }
    for (const warning of slotWarnings(report)) {
      if (this.#warned.has(warning.message)) continue;
      this.#warned.add(warning.message);
      this.#request.report(warning);
    }
    if (report.slot === null) throw new RefloatError("source.failed", `the replication slot ${name} was removed`);
    return report.slot;
  }

  /** Where the vault's log of this server ends, on the newest timeline that the server knows. */
  async #held(connection: WalConnection): Promise<WalPlace | null> {
    const { identity } = connection;
    const own = [...this.#ends.values()]
      .map((span) => ({ span, timeline: timelineOf(span.line, identity.system) }))
      .filter(({ timeline }) => timeline !== null && timeline <= identity.timeline)
      .toSorted((a, b) => Number(b.timeline) - Number(a.timeline));
    const [newest] = own;
    if (newest === undefined || newest.timeline === null) return null;
    const { to, toAt } = newest.span;
    if (newest.timeline < identity.timeline) {
      const next = successor(await connection.history(identity.timeline), newest.timeline, identity.timeline);
      // The vault has more of the old timeline than the server ever knew, or all of it: both went on from where it was left.
      if (next !== null && comparePositions(to, next.from) >= 0) return beginOf(connection, next);
    }
    return { timeline: newest.timeline, from: to, atMs: Date.parse(toAt), history: null };
  }

  #fresh({ identity, segmentBytes }: WalConnection, { restart }: SlotState): WalPlace {
    if (restart === null) throw new RefloatError("source.failed", `the slot ${this.#source.slot} keeps no WAL`);
    return { timeline: identity.timeline, from: segmentBegin(restart, segmentBytes), atMs: null, history: null };
  }

  #note(span: LogSpan): void {
    const known = this.#ends.get(span.line);
    if (known === undefined || comparePositions(span.to, known.to) >= 0) this.#ends.set(span.line, span);
  }

  #lose(reason: string): void {
    const { service, component } = this.#request.of;
    const from = [...this.#ends.values()].toSorted((a, b) => Date.parse(b.toAt) - Date.parse(a.toAt))[0] ?? null;
    this.#ends.clear();
    if (from === null) return;
    this.#request.report({
      type: "gap",
      from,
      reason: `${component}: ${reason}`,
      nextCommand: `refloat capture ${service}`,
    });
  }
}

/** A line begins with a whole segment, of which the new timeline has its own copy. */
const beginOf = async (connection: WalConnection, { timeline, from }: NextTimeline): Promise<WalPlace> => ({
  timeline,
  from: segmentBegin(from, connection.segmentBytes),
  atMs: null,
  history: await connection.history(timeline),
});

/** @param history of `newest`: lines of a timeline, where it was left, and why */
const successor = (history: string, timeline: number, newest: number): NextTimeline | null => {
  const forks = [...history.matchAll(/^\s*(?<line>\d+)\s+(?<at>[0-9A-F]+\/[0-9A-F]+)/gim)].map(({ groups }) => ({
    timeline: Number(groups?.["line"]),
    from: groups?.["at"] ?? "",
  }));
  const index = forks.findIndex((fork) => fork.timeline === timeline);
  const fork = forks[index];
  return fork === undefined ? null : { timeline: forks[index + 1]?.timeline ?? newest, from: fork.from };
};

/** @returns null for a line of another server */
const timelineOf = (line: string, system: string): number | null => {
  const [own, timeline] = line.split("/");
  return own === system && timeline !== undefined ? Number(timeline) : null;
};

/** `requested WAL segment has already been removed`, in whatever language. */
const isRemoved = (error: unknown): boolean => sqlStateOf(error) === "58P01";
