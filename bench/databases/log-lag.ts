/**
 * How old the newest log is that lies safely away from its server, looked at several times a second: what would be lost if the server were gone.
 * Of a position it is known since when the server has been there by having looked at the server as well.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "pg";
import { median } from "../recovery/measured-process.ts";

export type Lag = { readonly medianS: number; readonly p95S: number; readonly worstS: number };

const periodMs = 200;
const segmentBytes = 16 * 1024 * 1024;
const segmentsPerLog = 2 ** 32 / segmentBytes;

/** @returns bytes before the end of a file of the log */
const endOfSegment = (name: string): number => {
  const [log, segment] = [name.slice(8, 16), name.slice(16, 24)].map((part) => Number.parseInt(part, 16));
  return ((log ?? 0) * segmentsPerLog + (segment ?? 0) + 1) * segmentBytes;
};

type Look = { readonly atMs: number; readonly written: number; readonly received: number; readonly archived: number };

const question = `select pg_current_wal_flush_lsn() - '0/0'::pg_lsn as written,
  (select restart_lsn - '0/0'::pg_lsn from pg_replication_slots where slot_name = $1) as received,
  (select last_archived_wal from pg_stat_archiver) as archived`;

export class LogLag {
  readonly #client: Client;
  readonly #slot: string;
  readonly #looks: Look[] = [];
  readonly #looking: Promise<void>;
  #ending = false;

  private constructor(client: Client, slot: string) {
    this.#client = client;
    this.#slot = slot;
    this.#looking = this.#look();
    this.#looking.catch(() => undefined);
  }

  /** @param slot which holds what its receiver has not made durable */
  static async begin(url: string, slot: string): Promise<LogLag> {
    const client = new Client({ connectionString: url });
    await client.connect();
    return new LogLag(client, slot);
  }

  async end(): Promise<{ readonly received: Lag; readonly archived: Lag }> {
    this.#ending = true;
    await this.#looking.finally(() => this.#client.end());
    return { received: this.#lag(({ received }) => received), archived: this.#lag(({ archived }) => archived) };
  }

  async #look(): Promise<void> {
    while (!this.#ending) {
      const { rows } = await this.#client.query<{ written: string; received: string | null; archived: string | null }>(
        question,
        [this.#slot],
      );
      const [row] = rows;
      if (row?.received !== undefined && row.received !== null && row.archived !== null)
        this.#looks.push({
          atMs: performance.now(),
          written: Number(row.written),
          received: Number(row.received),
          archived: endOfSegment(row.archived),
        });
      await sleep(periodMs);
    }
  }

  #lag(positionOf: (look: Look) => number): Lag {
    const lags: number[] = [];
    let at = 0;
    for (const [index, look] of this.#looks.entries()) {
      const isSafe = (of: number): boolean => (this.#looks[of]?.written ?? 0) <= positionOf(look);
      // The last look at which the server had not written more than is safe now.
      while (at < index && isSafe(at + 1)) at += 1;
      if (isSafe(at)) lags.push((look.atMs - (this.#looks[at]?.atMs ?? look.atMs)) / 1000);
    }
    lags.sort((a, b) => a - b);
    const p95S = lags[Math.floor(lags.length * 0.95)] ?? Number.NaN;
    return { medianS: median(lags), p95S, worstS: lags.at(-1) ?? Number.NaN };
  }
}
