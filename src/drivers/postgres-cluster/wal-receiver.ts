/**
 * Receives the WAL of a server from where the vault's log ends, for as long as it is told to: decides where to begin, follows the server to a new
 * timeline, connects again after failures, and says when something was lost. One timeline: wal-line.ts; the protocol: wal-stream.ts.
 */
import type { LogReceiving } from "../../core/ports/logs.ts";
import type { Clock } from "../../core/ports/environment.ts";
import { keepReceiving } from "../../core/logs/keep-receiving.ts";
import { comparePositions } from "../../core/logs/log-position.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { lineOf, timelineOf } from "./log-line.ts";
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

/** Resolves once aborted, with all that was received durable as far as the vault could take it. @throws RefloatError source.denied, ... */
export const receiveWal = async (source: WalSource, request: WalReceiving): Promise<void> => {
  const receiver = new Receiver(source, request);
  await keepReceiving({ ...request, receive: () => receiver.receive(), translate: source.translate });
};

class Receiver {
  readonly #source: WalSource;
  readonly #request: WalReceiving;
  /** By line, what the vault has at its end. */
  readonly #ends = new Map<string, LogSpan>();
  /** By line, how far the vault has it: that stays so, whatever the server has lost. */
  readonly #furthest = new Map<string, string>();
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
      let place: WalPlace | null = (await this.#held(connection)) ?? (await this.#fresh(connection, slot));
      while (place !== null) {
        await this.#refuseOther(connection, place);
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

  /** Where the vault's log of this server ends, on the newest timeline that the server came from: another one may have a higher number. */
  async #held(connection: WalConnection): Promise<WalPlace | null> {
    const { identity } = connection;
    const forks = forksOf((await historyOf(connection, identity.timeline)) ?? "");
    const isOwn = (timeline: number | null): boolean =>
      timeline === identity.timeline || forks.some((fork) => fork.timeline === timeline);
    const own = [...this.#ends.values()]
      .map((span) => ({ span, timeline: timelineOf(span.line, identity.system) }))
      .filter(({ timeline }) => isOwn(timeline))
      .toSorted((a, b) => Number(b.timeline) - Number(a.timeline));
    const [newest] = own;
    if (newest === undefined || newest.timeline === null) return null;
    const { to, toAt } = newest.span;
    if (newest.timeline < identity.timeline) {
      const next = successor(forks, newest.timeline, identity.timeline);
      // The vault has more of the old timeline than the server ever knew, or all of it: both went on from where it was left.
      if (next !== null && comparePositions(to, next.from) >= 0) return beginOf(connection, next);
    }
    return { timeline: newest.timeline, from: to, atMs: Date.parse(toAt), history: null };
  }

  async #fresh(connection: WalConnection, { restart }: SlotState): Promise<WalPlace> {
    if (restart === null) throw new RefloatError("source.failed", `the slot ${this.#source.slot} keeps no WAL`);
    const { timeline } = connection.identity;
    const history = await historyOf(connection, timeline);
    return { timeline, from: segmentBegin(restart, connection.segmentBytes), atMs: null, history };
  }

  /** What bears the name of a line and is another history would be taken for what is held, and acknowledged. @throws RefloatError log.diverged */
  async #refuseOther(connection: WalConnection, { timeline, history }: WalPlace): Promise<void> {
    const { identity } = connection;
    const line = lineOf(identity.system, timeline);
    const told = history ?? (await historyOf(connection, timeline));
    const stored = told === null ? null : await this.#request.history(line);
    if (stored !== null && stored !== told) {
      throw diverged(
        this.#request.of,
        `the server's timeline ${timeline} is not the one that the vault holds as ${line}: they left their origin at different places`,
      );
    }
    // Only what it had flushed was ever sent.
    const held = this.#furthest.get(line);
    if (timeline === identity.timeline && held !== undefined && comparePositions(identity.end, held) < 0) {
      throw diverged(
        this.#request.of,
        `the server's log ends at ${identity.end} on timeline ${timeline}, and the vault has it up to ${held}: the server was put back to an older state`,
      );
    }
  }

  #note(span: LogSpan): void {
    const known = this.#ends.get(span.line);
    if (known === undefined || comparePositions(span.to, known.to) >= 0) this.#ends.set(span.line, span);
    const furthest = this.#furthest.get(span.line);
    if (furthest === undefined || comparePositions(span.to, furthest) > 0) this.#furthest.set(span.line, span.to);
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

const diverged = ({ service, component }: Pick<LogSpan, "service" | "component">, reason: string): RefloatError =>
  new RefloatError("log.diverged", `${component}: ${reason}`, {
    context: { component },
    state: "nothing of it was stored or acknowledged; the replication slot keeps it at the server",
    hint: "let the server begin a timeline of its own (stop it, make standby.signal, start it, SELECT pg_promote()), receive again, and take a point, from which the new log leads on",
    nextCommand: `refloat capture ${service}`,
  });

/** A line begins with a whole segment, of which the new timeline has its own copy. */
const beginOf = async (connection: WalConnection, { timeline, from }: NextTimeline): Promise<WalPlace> => ({
  timeline,
  from: segmentBegin(from, connection.segmentBytes),
  atMs: null,
  history: await connection.history(timeline),
});

/** Null for the first timeline, and for one that the server has no history of. */
const historyOf = async (connection: WalConnection, timeline: number): Promise<string | null> => {
  if (timeline === 1) return null;
  try {
    return await connection.history(timeline);
  } catch (error) {
    if (isRemoved(error)) return null;
    throw error;
  }
};

/** A timeline, and where it was left. */
type Fork = { readonly timeline: number; readonly from: string };

/** Oldest first: timelines, and where each was left. @param history lines of a timeline, where it was left, and why */
const forksOf = (history: string): readonly Fork[] =>
  [...history.matchAll(/^\s*(?<line>\d+)\s+(?<at>[0-9A-F]+\/[0-9A-F]+)/gim)].map(({ groups }) => ({
    timeline: Number(groups?.["line"]),
    from: groups?.["at"] ?? "",
  }));

/** @param forks of `newest` */
const successor = (forks: readonly Fork[], timeline: number, newest: number): NextTimeline | null => {
  const index = forks.findIndex((fork) => fork.timeline === timeline);
  const fork = forks[index];
  return fork === undefined ? null : { timeline: forks[index + 1]?.timeline ?? newest, from: fork.from };
};

/** `requested WAL segment has already been removed`, in whatever language. */
const isRemoved = (error: unknown): boolean => sqlStateOf(error) === "58P01";
