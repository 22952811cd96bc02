/**
 * The audit log of this machine: entries are queued in the state folder and brought to the vault, oldest first, by whoever reaches it
 * next. A vault that cannot be reached keeps entries waiting and stops nothing.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ChainedEntry } from "../core/audit/audit-chain.ts";
import type { AuditAnchor, AuditArchive, AuditBacklog, AuditLog } from "../core/ports/audit-log.ts";
import type { Clock, Log } from "../core/ports/environment.ts";
import type { AuditEntry } from "../model/audit-entry.ts";
import { RefloatError, toRefloatError } from "../model/refloat-error.ts";
import { acquireProcessLock } from "../platform/process-lock.ts";
import { AuditQueue } from "./audit-queue.ts";

export type AuditLogOptions = {
  /** `audit` in the state folder. */
  readonly directory: string;
  readonly by: AuditEntry["by"];
  readonly clock: Clock;
  readonly log: Log;
  /** Opens the vault; asked for only when something is to be brought there or read from there. */
  readonly archive: () => Promise<AuditArchive>;
  /** What the vault itself knows of how far chains have come: the manifests of its points. */
  readonly anchors: () => Promise<readonly AuditAnchor[]>;
};

/** Longer than a store's own retries would be a recovery that seems to hang at its end. */
const settleMs = 20_000;

export const createAuditLog = (options: AuditLogOptions): AuditLog => {
  const { directory, by, clock, log } = options;
  const queue = new AuditQueue(directory);
  let failure: string | null = null;
  let flushing: Promise<void> = Promise.resolve();

  const flush = async (): Promise<void> => {
    if ((await queue.state()).waiting.length === 0) return;
    const archive = await options.archive();
    await whileAlone(directory, async () => {
      for (;;) {
        const [next] = (await queue.state()).waiting;
        if (next === undefined) break;
        await bring(archive, next);
      }
      await archive.compact();
    });
  };

  const bring = async (archive: AuditArchive, next: ChainedEntry): Promise<void> => {
    const { writer, sequence } = next.entry;
    const heads = await archive.heads();
    const there = heads[writer];
    // Killed between the vault and the note of it: it is there.
    const again = there?.sequence === sequence && there.hash === next.hash;
    if (there !== undefined && there.sequence >= sequence && !again) {
      log.warn("the vault has later entries of this state folder's audit log: a copy of it is in use", { writer });
      await queue.beginAnew();
      return;
    }
    if (!again) await archive.append(next.text);
    await queue.settled(next, heads);
  };

  /** One at a time; who comes later waits for a flush that begins after his entry. */
  const flushSoon = (): Promise<void> => {
    const begin = async (): Promise<void> => {
      try {
        await flush();
        failure = null;
      } catch (error) {
        failure = toRefloatError(error).message;
        log.warn("entries of the audit log wait for the vault", { error: failure });
      }
    };
    flushing = flushing.then(begin);
    return flushing;
  };

  const backlog = async (): Promise<AuditBacklog> => {
    try {
      const { waiting, newest } = await queue.state();
      const reason = waiting.length === 0 ? null : (failure ?? "the vault did not take them in time");
      return { entries: waiting.length, reason, directory, newest };
    } catch (error) {
      return { entries: 0, reason: toRefloatError(error).message, directory, newest: null };
    }
  };

  return {
    append: async ({ ends = null, ...event }) => {
      const place = await queue.append({ ...event, ends, at: clock.now().toISOString(), by });
      void flushSoon();
      return place;
    },

    settle: async () => {
      const limit = new AbortController();
      await Promise.race([
        flushSoon(),
        delay(settleMs, undefined, { signal: limit.signal, ref: false }).catch(() => null),
      ]);
      limit.abort();
      return backlog();
    },

    backlog,

    read: async () => {
      const { entries, unreadable } = await (await options.archive()).read();
      const { waiting, newest } = await queue.state();
      const own: readonly AuditAnchor[] = newest === null ? [] : [{ ...newest, knownBy: "this machine" }];
      return {
        entries: [...entries, ...waiting.map(({ text }) => ({ text, snapshot: null }))],
        unreadable,
        anchors: [...own, ...(await options.anchors())],
      };
    },
  };
};

/** Two that bring the same entry would put it into the vault twice, which is no harm and no use. */
const whileAlone = async (directory: string, act: () => Promise<void>): Promise<void> => {
  for (let tries = 0; ; tries += 1) {
    const lock = acquireProcessLock(join(directory, "flush.lock"), 0);
    if (lock === null) {
      if (tries > 600) throw new RefloatError("journal.failed", "another process brings the audit log to the vault");
      await delay(50);
      continue;
    }
    try {
      return await act();
    } finally {
      lock.release();
    }
  }
};
