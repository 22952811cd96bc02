/** Answers about the vault: what is sound, locked, kept, copied, and who may open it. Part of the public contract: result-schemas.ts. */
import { auditEntrySchema, auditPlaceSchema } from "../model/audit-entry.ts";
import { keepSchema, lockModeSchema } from "../model/declaration.ts";
import { pointIdSchema, snapshotIdSchema } from "../model/identifiers.ts";
import { logSpanSchema } from "../model/log-span.ts";
import { z } from "zod";

const verifyFindingSchema = z.object({
  severity: z.enum(["error", "warning"]),
  message: z.string(),
  object: z.object({ kind: z.string(), id: z.string() }),
  affects: z.array(z.object({ snapshot: snapshotIdSchema, path: z.string() })),
});

const keepReasonSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("bucket"), bucket: z.string(), place: z.int(), of: z.int() }),
  z.object({ kind: z.literal("newest") }),
  z.object({ kind: z.literal("last-good") }),
  z.object({ kind: z.literal("locked"), until: z.iso.datetime() }),
  z.object({ kind: z.literal("held"), reason: z.string() }),
  z.object({ kind: z.literal("tagged"), tag: z.string() }),
  z.object({ kind: z.literal("needed"), run: z.int() }),
  z.object({ kind: z.literal("window"), component: z.string() }),
  z.object({ kind: z.literal("member"), point: pointIdSchema, components: z.array(z.string()) }),
  z.object({ kind: z.literal("incident"), since: z.iso.datetime() }),
  z.object({ kind: z.literal("future") }),
  z.object({ kind: z.literal("no-policy") }),
]);

/** Of one service: what becomes of each point, and why. */
const retentionSchema = z.object({
  service: z.string(),
  keep: keepSchema.nullable(),
  /** Why nothing expires although some would. */
  doubt: z
    .discriminatedUnion("kind", [
      z.object({ kind: z.literal("future"), at: z.string() }),
      z.object({ kind: z.literal("gap"), from: z.string(), to: z.string() }),
    ])
    .nullable(),
  points: z.array(
    z.object({
      point: pointIdSchema,
      takenAt: z.iso.datetime(),
      verdict: z.enum(["keep", "expire"]),
      reasons: z.array(keepReasonSchema),
    }),
  ),
});

const pruneResultSchema = z.object({
  expired: z.array(z.string()),
  /** Snapshots that the store does not let go of. */
  refused: z.array(z.object({ id: z.string(), reason: z.string() })),
  report: z.object({
    foundPacks: z.int(),
    copiedBytes: z.number(),
    removedPacks: z.int(),
    freedBytes: z.number(),
    hiddenBytes: z.number(),
    recoveredPacks: z.int(),
    waitingBytes: z.number(),
    waitsFor: z.array(z.string()),
    waitsUntil: z.string().nullable(),
    refused: z.array(
      z.object({ kind: z.string(), name: z.string(), reason: z.string(), until: z.string().nullable() }),
    ),
    sweptTemporaries: z.int(),
  }),
});

export const vaultResults = {
  verify: z.object({
    depth: z.enum(["structure", "sample", "read-data"]),
    snapshots: z.int().nonnegative(),
    packs: z.int().nonnegative(),
    blobs: z.int().nonnegative(),
    bytesRead: z.number().nonnegative(),
    /** How much of the data this verification read, and how long all of it would take at this rate; null when it read none. */
    reading: z
      .object({
        packs: z.int().nonnegative(),
        packsRead: z.int().nonnegative(),
        bytes: z.number().nonnegative(),
        bytesRead: z.number().nonnegative(),
        durationMs: z.number().nonnegative(),
        fullPassMs: z.number().nonnegative().nullable(),
      })
      .nullable(),
    /** How much of the data was read in the last days, by this machine, this verification included. */
    coverage: z.object({
      days: z.int().positive(),
      packs: z.int().nonnegative(),
      packsRead: z.int().nonnegative(),
      bytes: z.number().nonnegative(),
      bytesRead: z.number().nonnegative(),
      /** Each pack was read at this instant or later; null while one never was. */
      provenSince: z.iso.datetime().nullable(),
    }),
    findings: z.array(verifyFindingSchema),
    hurt: z.array(
      z.object({
        point: z.string(),
        service: z.string(),
        components: z.array(z.string()),
        parts: z.array(z.object({ component: z.string(), files: z.array(z.string()), tables: z.array(z.string()) })),
      }),
    ),
    /** Stretches of logs of which something is damaged or missing: no moment in them can be reached. */
    hurtLogs: z.array(logSpanSchema),
    roots: z.object({
      proven: z.int().nonnegative(),
      none: z.int().nonnegative(),
      foreign: z.int().nonnegative(),
    }),
    gone: z.array(z.object({ point: z.string(), service: z.string(), accepted: z.boolean() })),
    /** What --repair did, round by round; the findings are those after the last one. */
    repairs: z.array(
      z.object({
        applied: z.boolean(),
        indexesRebuilt: z.int().nonnegative(),
        packsIndexed: z.int().nonnegative(),
        packsReplaced: z.int().nonnegative(),
        blobs: z.object({
          copied: z.int().nonnegative(),
          salvaged: z.int().nonnegative(),
          fetched: z.record(z.string(), z.int().nonnegative()),
          lost: z.int().nonnegative(),
        }),
        evidence: z.array(z.string()),
        refused: z.array(z.object({ kind: z.string(), name: z.string(), reason: z.string() })),
      }),
    ),
  }),
  "vault-locks": z.object({
    location: z.string(),
    support: z.object({
      locks: z.boolean(),
      reason: z.string().nullable(),
      keptBy: z.enum(["server", "file-system", "nobody"]),
    }),
    unreadable: z.array(z.object({ id: z.string(), reason: z.string() })),
    points: z.array(
      z.object({
        point: z.string(),
        service: z.string(),
        at: z.string(),
        files: z.int().nonnegative(),
        unlocked: z.int().nonnegative(),
        missing: z.int().nonnegative(),
        until: z.string().nullable(),
        mode: lockModeSchema.nullable(),
        weakest: z.string().nullable(),
        declared: z.object({ until: z.string(), mode: lockModeSchema }).nullable(),
        kept: z.boolean(),
      }),
    ),
  }),
  "vault-copy": z.object({
    /** Then nothing was written. */
    dryRun: z.boolean(),
    from: z.object({ location: z.string(), vault: z.string() }),
    to: z.object({ location: z.string(), vault: z.string(), locks: z.boolean() }),
    /** Oldest first. */
    points: z.array(
      z.object({
        point: pointIdSchema,
        service: z.string(),
        takenAt: z.iso.datetime(),
        /** `missing`: of a dry run, it would be copied. `damaged`: it cannot be copied whole, and is not. `gone`: it expired meanwhile. */
        state: z.enum(["there", "copied", "missing", "damaged", "gone"]),
        reason: z.string().nullable(),
        blobs: z.int().nonnegative(),
        newBytes: z.number().nonnegative(),
        /** Until when it was declared to be locked, if that is not over: kept where the target can lock. */
        lockUntil: z.string().nullable(),
      }),
    ),
    /** Holds that were carried over. */
    holds: z.int().nonnegative(),
    /** Marks that the copy did not have, and removals of marks. */
    marks: z.int().nonnegative(),
    /** Records of incidents that the copy did not have. */
    incidents: z.int().nonnegative(),
    /** Pieces of logs that the copy did not have. */
    logs: z.int().nonnegative(),
    /** Escrow bundles that the copy did not have. */
    escrows: z.int().nonnegative(),
    /** Points and snapshots of the source that cannot be read. */
    unreadable: z.array(z.object({ id: z.string(), reason: z.string() })),
  }),
  "vault-prune": z.object({
    /** Then `result` is null and nothing was changed. */
    dryRun: z.boolean(),
    services: z.array(retentionSchema),
    unreadable: z.array(z.object({ id: z.string(), reason: z.string() })),
    /** Copies of runs that are old enough to go; with `lockedUntil` one that stays, since the store holds it. */
    runCopies: z.array(
      z.object({
        snapshot: snapshotIdSchema,
        run: z.string(),
        service: z.string(),
        savedAt: z.string(),
        state: z.string(),
        why: z.enum(["superseded", "ended"]),
        lockedUntil: z.string().nullable(),
      }),
    ),
    /** Stretches of logs of one fate. */
    logs: z.array(
      logSpanSchema.omit({ driver: true }).extend({
        /** `twice`: other pieces have all of it. */
        verdict: z.enum(["keep", "expire", "twice"]),
        reason: z
          .discriminatedUnion("kind", [
            z.object({ kind: z.literal("point"), point: z.string(), at: z.string() }),
            z.object({ kind: z.literal("incident"), since: z.string() }),
            z.object({ kind: z.literal("run"), run: z.int() }),
            z.object({ kind: z.literal("no-policy") }),
            z.object({ kind: z.literal("doubt") }),
            z.object({ kind: z.literal("no-point") }),
          ])
          .nullable(),
        /** Snapshots that they lie in. */
        pieces: z.int().nonnegative(),
      }),
    ),
    forecast: z.object({
      usedBytes: z.number(),
      unusedBytes: z.number(),
      repackBytes: z.number(),
      repackFreesBytes: z.number(),
      toleratedBytes: z.number(),
    }),
    result: pruneResultSchema.nullable(),
  }),
  log: z.object({
    entries: z.array(auditEntrySchema),
    chains: z.array(
      z.object({ writer: z.string(), host: z.string(), entries: z.int(), head: auditPlaceSchema.nullable() }),
    ),
    findings: z.array(
      z.object({
        severity: z.enum(["error", "warning"]),
        kind: z.string(),
        writer: z.string().nullable(),
        sequence: z.int().nullable(),
        message: z.string(),
      }),
    ),
    backlog: z.object({
      entries: z.int().nonnegative(),
      reason: z.string().nullable(),
      directory: z.string(),
      newest: auditPlaceSchema.nullable(),
    }),
  }),
  "vault-keys": z.object({
    keys: z.array(
      z.object({
        id: z.string(),
        username: z.string(),
        hostname: z.string(),
        createdAt: z.string(),
        current: z.boolean(),
      }),
    ),
    /** A key that was just drawn; null otherwise. */
    recoveryKey: z.string().nullable(),
    /** Of a key that was just added: as the vault's others are locked; null where they are not. */
    lock: z.object({ until: z.string(), mode: lockModeSchema }).nullable(),
    /** Why a key that was just added could not be locked so; null otherwise. */
    notLocked: z.string().nullable(),
  }),
  "vault-escrow": z.object({
    location: z.string(),
    /** Newest first. */
    bundles: z.array(
      z.object({
        id: snapshotIdSchema,
        at: z.string(),
        host: z.string(),
        secrets: z.int().nonnegative(),
        sizeBytes: z.number().nonnegative(),
        openedBy: z.enum(["password", "recipients"]),
      }),
    ),
    /** What is in the bundle that was sealed or opened, without the secrets themselves; null without its key. */
    contents: z
      .object({
        bundle: z.string(),
        sealedAt: z.string(),
        host: z.string(),
        vault: z.string(),
        items: z.array(z.object({ name: z.string(), source: z.string(), sizeBytes: z.number().nonnegative() })),
      })
      .nullable(),
    /** Secrets that could not be read, and that a person accepted to go without. */
    missing: z.array(z.string()),
    /** The folder that a bundle was opened into. */
    target: z.string().nullable(),
    /** A key that was just drawn; null otherwise. */
    recoveryKey: z.string().nullable(),
  }),
  "vault-init": z.object({ location: z.string(), id: z.string() }),
} as const;
