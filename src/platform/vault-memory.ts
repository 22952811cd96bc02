/** What this machine remembers of a vault, as files in its state folder. What cannot be read is forgotten: all of it can be learnt again. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { Log } from "../core/ports/environment.ts";
import type { PackReads, VaultMemory, VaultNotes } from "../core/ports/vault-memory.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { writeFileAtomically } from "./atomic-file.ts";
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

  const notes = async (): Promise<VaultNotes> =>
    forgetting(notesFile, (content) => notesSchema.parse(JSON.parse(content.toString("utf8"))), nothing);

  return {
    notes,
    note: async (change) => {
      const before = await notes();
      const after = change(before);
      if (JSON.stringify(after) !== JSON.stringify(before)) await save(notesFile, JSON.stringify(after));
    },
    reads: async () => forgetting<PackReads>(readsFile, decodeReads, new Map()),
    keepEvidence: async (name, content) => {
      const file = join(folder, "evidence", name);
      await makeStateFolder(join(folder, "evidence"));
      await save(file, content);
      return file;
    },
    saveReads: async (reads) => save(readsFile, encodeReads(reads)),
  };
};

const failed = (file: string, error: unknown): RefloatError =>
  new RefloatError("journal.failed", `${file} cannot be used: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`, {
    cause: error,
    hint: "name another state folder with --state DIR, or make this one writable",
  });
