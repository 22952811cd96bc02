/**
 * One entry of the audit log: who did what when, with what outcome, and the hash of the entry before it. The form and the reasons:
 * docs/design/audit-log.md.
 */
import { z } from "zod";
import { jsonObjectSchema } from "./json.ts";

export const auditActions = [
  "vault-init",
  "capture",
  "receive",
  "recover",
  "undo",
  "resume",
  "cancel",
  "commit",
  "approve",
  "done",
  "skip",
  "pause",
  "edit",
  "verify",
  "repair",
  "mend",
  "rearm",
  "copy",
  "expire",
  "prune",
  "hold",
  "release",
  "mark",
  "unmark",
  "incident-open",
  "incident-close",
  "lock",
  "key-add",
  "key-remove",
  "key-rotate",
  "escrow-seal",
  "escrow-open",
] as const;
export type AuditAction = (typeof auditActions)[number];

export const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);

/** A place in one writer's chain. */
export const auditHeadSchema = z.object({ sequence: z.int().positive(), hash: sha256Schema });
export type AuditHead = z.infer<typeof auditHeadSchema>;

/** The place of an entry among all chains: what a point's manifest names. */
export const auditPlaceSchema = auditHeadSchema.extend({ writer: z.uuid() });
export type AuditPlace = z.infer<typeof auditPlaceSchema>;

export const auditEntrySchema = z.object({
  version: z.int().positive(),
  /** One state folder of Refloat: each has a chain of its own, so that two machines need not agree on an order. */
  writer: z.uuid(),
  /** Counts up from 1 without a gap. */
  sequence: z.int().positive(),
  /** SHA-256 of the entry before; of the words that begin a chain for the first. */
  previous: sha256Schema,
  at: z.iso.datetime(),
  by: z.object({
    user: z.string(),
    host: z.string(),
    /** Who became `user` by sudo. */
    sudoUser: z.string().optional(),
    tool: z.string(),
  }),
  /** One of `auditActions`; a newer version may know more. */
  action: z.string(),
  /** `begun`, `done`, `failed`, `refused`, `interrupted`, or the state in which a run was left. */
  outcome: z.string(),
  /** Sequence of the `begun` entry that this one ends. */
  ends: z.int().positive().nullable(),
  service: z.string().nullable(),
  detail: jsonObjectSchema,
  /** Newest entries of other chains that this writer had seen: what a chain that is cut short is found by. */
  seen: z.record(z.uuid(), auditHeadSchema),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;
