/**
 * The end of this machine's chain of the audit log: its identity, its newest entry in the vault, and the entries that wait to get there.
 * All of it is one file, `audit/chain.json` in the state folder, replaced durably: a kill leaves the old state or the new.
 */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type ChainedEntry, chainEntry, readEntry } from "../core/audit/audit-chain.ts";
import {
  type AuditEntry,
  type AuditHead,
  type AuditPlace,
  auditHeadSchema,
  auditPlaceSchema,
} from "../model/audit-entry.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { writeFileAtomically } from "../platform/atomic-file.ts";
import { makePrivateFolder } from "../platform/private-folder.ts";
import { acquireProcessLock } from "../platform/process-lock.ts";

const chainSchema = z.object({
  writer: z.uuid(),
  /** The newest entry that is in the vault. */
  newest: auditHeadSchema.nullable(),
  /** Texts of entries that are not, oldest first. */
  waiting: z.array(z.string()),
  /** Newest entries of other chains, as of the last visit to the vault. */
  seen: z.record(z.uuid(), auditHeadSchema),
  /** Where entries went when the chain was begun anew, by `WRITER SEQUENCE`: an act that goes on still names the old place. */
  moved: z.record(z.string(), auditPlaceSchema),
});
type Chain = z.infer<typeof chainSchema>;

export type NewAuditEntry = Omit<AuditEntry, "version" | "writer" | "sequence" | "previous" | "seen" | "ends"> & {
  readonly ends: AuditPlace | null;
};

export type QueueState = { readonly waiting: readonly ChainedEntry[]; readonly newest: AuditPlace | null };

/** How long another process of this machine is waited for: it holds the lock for one write to disk. */
const lockWaitMs = 10_000;

export class AuditQueue {
  readonly directory: string;
  readonly #file: string;
  #last: Promise<unknown> = Promise.resolve();

  /** @param directory made when it is first written to */
  constructor(directory: string) {
    this.directory = directory;
    this.#file = join(directory, "chain.json");
  }

  /** Durable when it resolves. @throws RefloatError journal.failed */
  async append({ ends, ...entry }: NewAuditEntry): Promise<AuditPlace> {
    return this.#change((chain) => {
      const { writer, newest, waiting, seen, moved } = chain;
      const begun = ends === null ? null : (moved[`${ends.writer} ${ends.sequence}`] ?? ends);
      const event = { ...entry, writer, seen: others(seen, writer), ends: begun?.sequence ?? null };
      const chained = chainEntry(event, headOf(waiting) ?? newest);
      return {
        chain: { ...chain, waiting: [...waiting, chained.text] },
        result: { writer, sequence: chained.entry.sequence, hash: chained.hash },
      };
    });
  }

  /** @throws RefloatError journal.failed */
  async state(): Promise<QueueState> {
    const { writer, newest, waiting } = (await this.#read()) ?? emptyChain();
    return {
      waiting: waiting.map((text) => this.#entry(text)),
      newest: newest === null ? null : { writer, ...newest },
    };
  }

  /** The oldest waiting entry is in the vault. */
  async settled({ text, hash, entry }: ChainedEntry, seen: Readonly<Record<string, AuditHead>>): Promise<void> {
    await this.#change((chain) => {
      if (chain.waiting[0] !== text) throw new RefloatError("bug", "an entry of the audit log was settled out of turn");
      const newest = { sequence: entry.sequence, hash };
      return { chain: { ...chain, newest, waiting: chain.waiting.slice(1), seen: { ...seen } }, result: null };
    });
  }

  /**
   * Another state folder goes on with this chain (a copy of it, or this one was put back from a backup): what waits becomes the
   * begin of a chain of its own.
   */
  async beginAnew(): Promise<void> {
    await this.#change((chain) => {
      const writer = randomUUID();
      const moved = { ...chain.moved };
      let head: AuditHead | null = null;
      const waiting: string[] = [];
      for (const text of chain.waiting) {
        const { version: _version, previous: _previous, sequence, ends, ...rest } = this.#entry(text).entry;
        const begun = ends === null ? null : (moved[`${chain.writer} ${ends}`]?.sequence ?? null);
        const chained = chainEntry({ ...rest, writer, ends: begun }, head);
        head = { sequence: chained.entry.sequence, hash: chained.hash };
        moved[`${chain.writer} ${sequence}`] = { writer, ...head };
        waiting.push(chained.text);
      }
      return { chain: { writer, newest: null, waiting, seen: chain.seen, moved }, result: null };
    });
  }

  #entry(text: string): ChainedEntry {
    const chained = readEntry(text);
    if (chained === null) throw this.#unreadable();
    return chained;
  }

  async #read(): Promise<Chain | null> {
    let text: string;
    try {
      text = await readFile(this.#file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw this.#failure(error);
    }
    try {
      return chainSchema.parse(JSON.parse(text));
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  /** One writer at a time, of this process and of others: two entries with one number would be a fork. */
  async #change<Result>(act: (chain: Chain) => { readonly chain: Chain; readonly result: Result }): Promise<Result> {
    const turn = this.#last.then(async () => {
      try {
        await makePrivateFolder(this.directory);
        const lock = acquireProcessLock(join(this.directory, "chain.lock"), lockWaitMs);
        if (lock === null) throw new RefloatError("journal.failed", "the audit log is held by another process");
        try {
          const { chain, result } = act((await this.#read()) ?? emptyChain());
          await writeFileAtomically(this.#file, JSON.stringify(chain));
          return result;
        } finally {
          lock.release();
        }
      } catch (error) {
        throw error instanceof RefloatError ? error : this.#failure(error);
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #failure(error: unknown): RefloatError {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    return new RefloatError("journal.failed", `the audit log in ${this.directory} cannot be written: ${why}`, {
      cause: error,
      hint: "make room, or make the state folder writable: what nobody could read about later is not begun",
    });
  }

  #unreadable(cause?: unknown): RefloatError {
    return new RefloatError("journal.failed", `${this.#file} is not what was written`, {
      cause,
      hint: "move it away: the next entry begins a chain of its own, and `refloat log --verify` tells what is missing",
    });
  }
}

const emptyChain = (): Chain => ({ writer: randomUUID(), newest: null, waiting: [], seen: {}, moved: {} });

const others = (seen: Chain["seen"], writer: string): Chain["seen"] =>
  Object.fromEntries(Object.entries(seen).filter(([id]) => id !== writer));

const headOf = (waiting: readonly string[]): AuditHead | null => {
  const last = waiting.at(-1);
  const chained = last === undefined ? null : readEntry(last);
  return chained === null ? null : { sequence: chained.entry.sequence, hash: chained.hash };
};
