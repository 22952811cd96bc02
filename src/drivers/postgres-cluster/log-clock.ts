/**
 * Ties positions in the log to instants of this machine's clock, while a base backup runs: the server tells where it ends as a position
 * only. Asked on a connection of its own.
 */
import type { Clock } from "../../core/ports/environment.ts";
import type { Session } from "../../platform/postgres/session.ts";
import { comparePositions } from "../../core/logs/log-position.ts";

type Sample = { readonly lsn: string; readonly before: Date; readonly after: Date };

export type LogClock = {
  /** One more look, at once. */
  readonly look: () => Promise<void>;
  /** Ends the looking. */
  readonly stop: () => Promise<void>;
  /**
   * All that was committed before `beginAt` lies before the position, and nothing after `endAt`. As near as the looks were.
   */
  readonly around: (lsn: string) => { readonly beginAt: Date; readonly endAt: Date };
};

const everyMs = 250;

/** Of a backup that takes hours: the oldest ones say nothing any more. */
const samplesKept = 2_000;

export const startLogClock = async (session: Session, clock: Clock, signal: AbortSignal): Promise<LogClock> => {
  const samples: Sample[] = [];
  const stopping = new AbortController();
  const either = AbortSignal.any([signal, stopping.signal]);
  const look = async (): Promise<void> => {
    const before = clock.now();
    const [row] = await session.query<{ lsn: string }>("select pg_current_wal_insert_lsn()::text as lsn");
    if (row === undefined) return;
    samples.push({ lsn: row.lsn, before, after: clock.now() });
    if (samples.length > samplesKept) samples.splice(1, 1);
  };
  const keepLooking = async (): Promise<void> => {
    while (!either.aborted) {
      await look();
      await clock.sleep(everyMs, either);
    }
  };
  await look();
  // A connection that is lost ends the looking; that the backup is lost as well is said by the backup.
  const looking = keepLooking().catch(() => undefined);
  return {
    look,
    stop: async () => {
      stopping.abort();
      await looking;
    },
    around: (lsn) => {
      const first = samples[0];
      const beginAt = samples.findLast((sample) => comparePositions(sample.lsn, lsn) <= 0) ?? first;
      const endAt = samples.find((sample) => comparePositions(sample.lsn, lsn) >= 0);
      return { beginAt: beginAt?.before ?? clock.now(), endAt: endAt?.after ?? clock.now() };
    },
  };
};
