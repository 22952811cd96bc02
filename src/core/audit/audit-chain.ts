/** The form of the audit log's entries: canonical JSON, each with the SHA-256 of the one before. */
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { type AuditEntry, type AuditHead, auditEntrySchema } from "../../model/audit-entry.ts";
import { RefloatError } from "../../model/refloat-error.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** What the first entry of a chain follows: no entry of another writer fits in its place. */
const chainBegin = (writer: string): string => sha256(`refloat audit log ${writer}`);

/** An entry as it is read back, with its own hash. */
export type ChainedEntry = { readonly entry: AuditEntry; readonly text: string; readonly hash: string };

/** @param head of the writer's chain; null for a new one */
export const chainEntry = (
  event: Omit<AuditEntry, "version" | "sequence" | "previous">,
  head: AuditHead | null,
): ChainedEntry => {
  const entry = auditEntrySchema.parse({
    ...event,
    version: 1,
    sequence: (head?.sequence ?? 0) + 1,
    previous: head?.hash ?? chainBegin(event.writer),
  });
  const text = canonicalize(entry);
  if (text === undefined) throw new RefloatError("bug", "an entry of the audit log is not JSON");
  return { entry, text, hash: sha256(text) };
};

/** @returns null for what is no entry in canonical form */
export const readEntry = (text: string): ChainedEntry | null => {
  try {
    const value: unknown = JSON.parse(text);
    // A second spelling of the same entry would have another hash.
    if (canonicalize(value) !== text) return null;
    return { entry: auditEntrySchema.parse(value), text, hash: sha256(text) };
  } catch {
    return null;
  }
};

export const followsBegin = ({ entry }: ChainedEntry): boolean => entry.previous === chainBegin(entry.writer);
