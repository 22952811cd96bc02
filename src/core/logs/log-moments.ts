/** Which moments of a stream of a log are remembered: one in a tenth of a second, and the last of each piece. */
import type { LogMoment } from "../../model/log-span.ts";
import { positionAfter } from "./log-position.ts";

const apartMs = 100;

type Moment = { readonly end: bigint; readonly atMs: number };

const told = ({ end, atMs }: Moment): LogMoment => ({ position: positionAfter(end), at: new Date(atMs).toISOString() });

export class LogMoments {
  #kept: Moment[] = [];
  /** The newest one, if it is not kept yet. */
  #pending: Moment | null = null;
  /** Where the piece begins. */
  #begin: bigint;

  /** @param begin where the stream begins @param atMs when the log ended there; null when nobody looked */
  constructor(begin: bigint, atMs: number | null) {
    this.#begin = begin;
    if (atMs !== null) this.#kept.push({ end: begin, atMs });
  }

  /** A commit's own time may lie before that of one that came earlier. What ends before the piece begins says nothing of the piece. */
  add({ end, atMs }: Moment): void {
    if (end < this.#begin) return;
    const moment = { end, atMs: Math.max(atMs, this.last?.atMs ?? atMs) };
    // The last one of a tenth of a second has all that came in it.
    const isApart = moment.atMs - (this.#kept.at(-1)?.atMs ?? 0) >= apartMs;
    if (isApart && this.#pending !== null) this.#kept.push(this.#pending);
    this.#pending = moment;
  }

  get last(): Moment | null {
    return this.#pending ?? this.#kept.at(-1) ?? null;
  }

  /** Those since the last time, and from then on begins with the end of them. @param to where the piece ends */
  take(to: bigint): readonly LogMoment[] {
    const all = this.#pending === null ? this.#kept : [...this.#kept, this.#pending];
    const last = this.last;
    // What is known of the end of this piece is what is known of the begin of the next one.
    this.#kept = last === null ? [] : [{ end: to, atMs: last.atMs }];
    this.#pending = null;
    this.#begin = to;
    return all.map(told);
  }
}
