/** What this machine remembers of a vault, as files in its state folder. What cannot be read is forgotten: all of it can be learnt again. */
import { createHash } from "node:crypto";
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Log } from "../core/ports/environment.ts";
import type { PackReads, VaultMemory, VaultNotes } from "../core/ports/vault-memory.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { type ProcessLock, acquireProcessLock } from "./process-lock.ts";
import { makeStateFolder } from "./state-directories.ts";

const notesSchema = z.object({
  seen: z.record(z.string(), z.object({ service: z.string(), takenAt: z.string() })),
  verification: z
    .object({ at: z.string(), depth: z.string(), errors: z.number(), provenSince: z.string().nullable() })
    .nullable(),
  verified: z.record(z.string(), z.string()),
});

const nothing: VaultNotes = { seen: {}, verification: null, verified: {} };

/** A record: id of the pack, seconds since 1970. The file ends with the SHA-256 of all before. */
const recordBytes = 32 + 4;
const digestBytes = 32;

/** A write takes some milliseconds. */
const waitMs = 10;
const longestWaitMs = 30_000;

const encodeReads = (reads: PackReads): Buffer => {
  const content = Buffer.alloc(reads.size * recordBytes + digestBytes);
  let at = 0;
  for (const [pack, seconds] of reads) {
    content.write(pack, at, "hex");
    at = content.writeUInt32LE(seconds, at + 32);
  }
  content.set(createHash("sha256").update(content.subarray(0, at)).digest(), at);
  return content;
};

/** @returns undefined if it is not what was written */
const decodeReads = (content: Buffer): PackReads | undefined => {
  const end = content.length - digestBytes;
  if (end < 0 || end % recordBytes !== 0) return undefined;
  if (!createHash("sha256").update(content.subarray(0, end)).digest().equals(content.subarray(end))) return undefined;
  const reads: PackReads = new Map();
  for (let at = 0; at < end; at += recordBytes)
    reads.set(content.toString("hex", at, at + 32), content.readUInt32LE(at + 32));
  return reads;
};

/** What one process has read or no longer believes in, laid over what others have saved meanwhile. */
const withReads = (current: PackReads, before: Readonly<PackReads>, after: Readonly<PackReads>): PackReads => {
  const merged: PackReads = new Map(current);
  for (const pack of before.keys()) if (!after.has(pack)) merged.delete(pack);
  for (const [pack, seconds] of after)
    if (seconds !== before.get(pack)) merged.set(pack, Math.max(seconds, current.get(pack) ?? 0));
  return merged;
};

/** @returns null for a change that changes nothing */
const textAfter = (change: (before: VaultNotes) => VaultNotes, before: VaultNotes): string | null => {
  const text = JSON.stringify(change(before));
  return text === JSON.stringify(before) ? null : text;
};

/** @param vaultId of the repository: two vaults at one address in turn are not mixed up */
export const createVaultMemory = (stateDirectory: string, vaultId: string, log: Log): VaultMemory => {
  const folder = join(stateDirectory, "vaults", vaultId);
  const notesFile = join(folder, "notes.json");
  const readsFile = join(folder, "pack-reads");

  const forgetting = async <Value>(file: string, decode: (content: Buffer) => Value | undefined, empty: Value) => {
    try {
      const decoded = decode(await readFile(file));
      if (decoded !== undefined) return decoded;
      log.warn("what was remembered of the vault is not what was written, and is forgotten", { file });
    } catch (error) {
      const unread = error instanceof z.ZodError || error instanceof SyntaxError;
      if (!unread && (error as NodeJS.ErrnoException).code !== "ENOENT") throw failed(file, error);
      if (unread) log.warn("what was remembered of the vault cannot be read, and is forgotten", { file });
    }
    return empty;
  };

  const save = async (file: string, content: Uint8Array | string): Promise<void> => {
    await makeStateFolder(folder);
    try {
      await writeFileAtomically(file, content);
    } catch (error) {
      throw failed(file, error);
    }
  };

  /** One writer at a time, in this process and in others: what is read has not changed by the time that it is written. */
  const alone = async <Result>(act: () => Promise<Result>): Promise<Result> => {
    await makeStateFolder(folder);
    const file = join(folder, "memory.lock");
    const deadline = performance.now() + longestWaitMs;
    for (;;) {
      let lock: ProcessLock | null;
      try {
        lock = acquireProcessLock(file, 0);
      } catch (error) {
        throw failed(file, error);
      }
      if (lock !== null) {
        try {
          await sweep();
          return await act();
        } finally {
          lock.release();
        }
      }
      if (performance.now() > deadline) throw failed(file, new Error("another process keeps it"));
      await delay(waitMs);
    }
  };

  /** Whoever holds the lock is the only one who writes: what is half written was left by a killed process. */
  const sweep = async (): Promise<void> => {
    for (const name of await readdir(folder))
      if (/^(notes\.json|pack-reads)\.[0-9a-f]+\.tmp$/.test(name)) await rm(join(folder, name), { force: true });
  };

  const notes = async (): Promise<VaultNotes> =>
    forgetting(notesFile, (content) => notesSchema.parse(JSON.parse(content.toString("utf8"))), nothing);

  const reads = async (): Promise<PackReads> => forgetting<PackReads>(readsFile, decodeReads, new Map());

  return {
    notes,
    note: async (change) => {
      // Most changes are none, and a folder that cannot be written must not keep them from being seen.
      if (textAfter(change, await notes()) === null) return;
      await alone(async () => {
        const text = textAfter(change, await notes());
        if (text !== null) await save(notesFile, text);
      });
    },
    reads,
    keepEvidence: async (name, content) => {
      const file = join(folder, "evidence", name);
      await makeStateFolder(join(folder, "evidence"));
      await save(file, content);
      return file;
    },
    saveReads: async (before, after) => {
      await alone(async () => save(readsFile, encodeReads(withReads(await reads(), before, after))));
    },
  };
};

const failed = (file: string, error: unknown): RefloatError =>
  new RefloatError("journal.failed", `${file} cannot be used: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`, {
    cause: error,
    hint: "name another state folder with --state DIR, or make this one writable",
  });
