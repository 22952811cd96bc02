/**
 * What each command answers with `--json`: the schema of `data` in its envelope. Part of the public contract: within v1 a key may be
 * added, none changes its meaning or goes.
 */
import { z } from "zod";
import { assessmentSchema } from "../model/assessment.ts";
import { auditEntrySchema, auditPlaceSchema } from "../model/audit-entry.ts";
import { keepSchema, lockModeSchema, quiesceSchema, serviceDeclarationSchema } from "../model/declaration.ts";
import { browseSchema, diffSchema, extractSchema, findSchema, mountSchema } from "./granular-schemas.ts";
import {
  nameSchema,
  planDigestSchema,
  pointIdSchema,
  runNumberSchema,
  snapshotIdSchema,
  stepIdSchema,
} from "../model/identifiers.ts";
import { incidentSchema } from "../model/incident.ts";
import { jsonObjectSchema, jsonSchema } from "../model/json.ts";
import { compositionSchema, pointManifestSchema } from "../model/manifest.ts";
import { logSpanSchema } from "../model/log-span.ts";
import { markSchema } from "../model/mark.ts";
import { mendProposalSchema } from "../model/mend.ts";
import { checkOutcomeSchema } from "../model/outcome.ts";
import { readinessSchema } from "../model/readiness.ts";
import { lossForecastSchema, phaseSchema, planSchema } from "../model/plan.ts";
import { runWordSchema } from "../model/run-word.ts";
import { runEventSchema, runRecordSchema, runStateSchema } from "../model/run.ts";

export const recoveryPointSchema = z.object({
  id: pointIdSchema,
  manifest: pointManifestSchema,
  /** Of one that was captured without the rest of its service: which parts of which points make it whole. */
  composed: compositionSchema.optional(),
  /** Components whose snapshot is no longer in the vault: the point is damaged. */
  missing: z.array(z.string()),
  /** Id of the vault that it was made in, for one that was copied from there. */
  madeIn: z.string().optional(),
});

const preflightSchema = z.object({
  findings: z.array(
    z.object({
      ok: z.boolean(),
      subject: z.string(),
      found: z.string(),
      hint: z.string().optional(),
      /** What mends it, as it can be run. */
      nextCommand: z.string().optional(),
      /** It would stop a capture, and no recovery. */
      only: z.literal("capture").optional(),
    }),
  ),
  /** What a capture runs. */
  commands: z.array(z.string()),
  /** What a recovery runs. */
  recoveryCommands: z.array(z.string()),
  grants: z.array(z.string()),
});

const verifyFindingSchema = z.object({
  severity: z.enum(["error", "warning"]),
  message: z.string(),
  object: z.object({ kind: z.string(), id: z.string() }),
  affects: z.array(z.object({ snapshot: snapshotIdSchema, path: z.string() })),
});

const objectiveSchema = { objectiveMs: z.number().nullable(), met: z.boolean().nullable() };

/** What a run came to, in numbers: what an objective is compared with. */
const runSummarySchema = z.object({
  /**
   * From the first wrong answer (else from the begin of the run: then the least that it was, never `met`) to normal service; null before
   * users could have noticed, and while they get wrong answers.
   */
  rto: z
    .object({
      actualMs: z.number(),
      ...objectiveSchema,
      from: z.string(),
      fromIncident: z.boolean(),
      to: z.string(),
      toProbe: z.boolean(),
    })
    .nullable(),
  /** Per component: from the point to the last write that it does not have; `atMost` where that is not known and it is the time to the switch. */
  rpo: z.array(
    z.object({
      component: z.string(),
      actualMs: z.number(),
      atMost: z.boolean(),
      ...objectiveSchema,
      directory: z.string().nullable(),
    }),
  ),
  /** As a user would ask, at the end; of an undo it may have failed. Null when nobody asked. */
  probe: checkOutcomeSchema.nullable(),
  phases: z.array(z.object({ phase: z.enum(["notice", ...phaseSchema.options]), durationMs: z.number() })),
  /** Of an undo: what only the side that was left has, and where it was exported to. */
  left: z.array(z.object({ component: z.string(), directory: z.string().nullable() })),
  /** Broken links that were accepted. */
  broken: z.array(z.string()),
  /** What was moved on the new side so that it goes on where the old one stopped. */
  settled: z.array(z.string()),
  /** The sides that it has put away (of an undo: the side that was left), where they stand now. */
  kept: z.array(z.object({ component: z.string(), name: z.string() })),
  /** Without the time that people took to decide. */
  machineMs: z.number(),
  predictedMs: z.number(),
  /** Where it did not go smoothly. */
  stumbles: z.object({
    retries: z.int().nonnegative(),
    interruptions: z.int().nonnegative(),
    redone: z.int().nonnegative(),
    edits: z.array(
      z.object({
        step: stepIdSchema,
        field: z.string(),
        from: jsonSchema,
        to: jsonSchema,
        before: planDigestSchema,
        after: planDigestSchema,
        by: z.string(),
        reason: z.string(),
      }),
    ),
    warnings: z.array(z.string()),
  }),
});

/** `null`: nothing was, or is, there. */
const valueChangeSchema = z.object({ what: z.string(), from: jsonSchema, to: jsonSchema });

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

const servicePointsSchema = z.object({
  service: serviceDeclarationSchema,
  points: z.array(recoveryPointSchema),
  /** By id of the point: all that it needs was read at this instant or later, and was sound. */
  verified: z.record(z.string(), z.string()),
  /** A person's word that a point must not expire. */
  holds: z.array(
    z.object({ point: pointIdSchema, service: z.string(), reason: z.string(), by: z.string(), at: z.string() }),
  ),
  /** Named moments, the newest first. */
  marks: z.array(markSchema),
  /** The one that is open; null while none is. What was read after its `since` is in doubt. */
  incident: incidentSchema.nullable(),
  /** What the vault has of logs of its components, oldest first: any second in them can be reached from a point before it. */
  logs: z.array(logSpanSchema),
});

export const resultSchemas = {
  status: z.object({
    at: z.iso.datetime(),
    vault: z.object({
      url: z.string(),
      problem: z.string().nullable(),
      /** The last verification from this machine; null before the first. */
      verification: z
        .object({ at: z.string(), depth: z.string(), errors: z.number(), provenSince: z.string().nullable() })
        .nullable(),
      /** Points that this machine has seen and that are gone, without a recorded departure. */
      gone: z.array(z.string()),
    }),
    services: z.array(
      z.object({
        service: serviceDeclarationSchema,
        lastPoint: recoveryPointSchema.nullable(),
        /** How many the vault has; 0 where it does not open. */
        points: z.int().nonnegative(),
        /** The newest point whose bytes this machine has read and found sound, all of them at `verifiedAt` or later. */
        lastVerified: z.object({ point: pointIdSchema, takenAt: z.string(), verifiedAt: z.string() }).nullable(),
        probe: checkOutcomeSchema.nullable(),
        runs: z.array(runRecordSchema),
        /** RTO actual of the last run that put the service back; null before the first. */
        lastRecovery: z.object({ run: z.int(), actualMs: z.number() }).nullable(),
        /** The incident that is open; null while none is. */
        incident: incidentSchema.nullable(),
        /** A freeze for a capture that has not been thawed, or is going on (`isKept`); null when there is none. */
        frozen: z
          .object({
            service: z.string(),
            sinceAt: z.iso.datetime(),
            untilAt: z.iso.datetime(),
            quiesce: quiesceSchema,
            isKept: z.boolean(),
            failure: z.object({ at: z.iso.datetime(), reason: z.string() }).nullable(),
          })
          .nullable(),
        /** By component with a log, until when the vault has it, and whether its end is reached from the last point. */
        logs: z.array(z.object({ component: nameSchema, toAt: z.iso.datetime(), leadsOn: z.boolean() })),
        /** The moment that all data could be brought back to now: of each component the last point, or the end of its log. */
        recoverableTo: z.iso.datetime().nullable(),
      }),
    ),
  }),
  points: servicePointsSchema,
  /** Where no service was named. */
  "all-points": z.object({ services: z.array(servicePointsSchema) }),
  "run-word": z.object({
    run: runNumberSchema,
    service: z.string(),
    /** Of the run when it was said. */
    state: runStateSchema,
    says: runWordSchema.shape.says,
    step: stepIdSchema.nullable(),
    by: z.string(),
    /** Of an approval gate: what it still needs; null when it is open, and for all else. */
    missing: z.string().nullable(),
  }),
  "run-edit": z.object({
    run: runNumberSchema,
    service: z.string(),
    step: stepIdSchema,
    field: z.string(),
    /** What held before; null where it was the default of its kind. */
    from: jsonSchema,
    to: jsonSchema,
    /** Digests of the plan. */
    before: planDigestSchema,
    after: planDigestSchema,
    by: z.string(),
  }),
  mark: z.object({
    service: z.string(),
    /** Newest moment first. */
    marks: z.array(markSchema),
    /** The one that was just made; null otherwise. */
    added: markSchema.nullable(),
    /** The one that was just removed; null otherwise. */
    removed: markSchema.nullable(),
  }),
  incident: z.object({
    /** Open and closed, the newest first; of one service where one was named. */
    incidents: z.array(incidentSchema),
    /** What was just done; null otherwise. */
    done: z.object({ act: z.enum(["opened", "changed", "closed"]), incident: incidentSchema }).nullable(),
  }),
  timeline: z.object({
    service: z.string(),
    since: z.iso.datetime(),
    now: z.iso.datetime(),
    schedule: z.string().nullable(),
    /** All lists: oldest first. */
    points: z.array(
      z.object({
        id: pointIdSchema,
        at: z.iso.datetime(),
        /** `failed`: a check at its capture. `suspect`: read after the begin of an open incident. */
        state: z.enum(["good", "failed", "damaged", "suspect"]),
        /** By this machine: its bytes were read at this instant or later and were sound. */
        verifiedAt: z.string().nullable(),
        held: z.array(z.string()),
        /** As declared; null when that is over. `vault locks` asks the store. */
        lockedUntil: z.string().nullable(),
      }),
    ),
    /** Only those that do not follow the points of the service. */
    components: z.array(
      z.object({
        component: nameSchema,
        points: z.array(z.object({ id: pointIdSchema, at: z.iso.datetime(), lost: z.boolean() })),
      }),
    ),
    marks: z.array(markSchema),
    incidents: z.array(incidentSchema),
    /** Those of this machine's journal, and those that only the vault knows. */
    runs: z.array(
      z.object({
        number: z.int().positive(),
        uid: z.uuid(),
        service: z.string(),
        purpose: z.enum(["recover", "undo"]),
        state: runStateSchema,
        beganAt: z.iso.datetime(),
        endedAt: z.iso.datetime().nullable(),
        /** When it first changed what is live; null if it did not, as far as is known. */
        changedAt: z.iso.datetime().nullable(),
      }),
    ),
    /** Logs of components: any second in them can be reached from a point before it. */
    logs: z.array(logSpanSchema),
    /** Stretches of logs that nobody has. */
    logGaps: z.array(z.object({ component: nameSchema, from: z.iso.datetime(), to: z.iso.datetime() })),
    /** When points were due and were not taken; `to` is null for what goes on. */
    gaps: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime().nullable(), missed: z.int().positive() })),
  }),
  browse: browseSchema,
  extract: extractSchema,
  assess: assessmentSchema,
  reconcile: z.object({
    service: z.string(),
    run: runNumberSchema,
    batches: z.array(mendProposalSchema.extend({ component: z.string(), applied: z.boolean() })),
    /** Kept sides that are not made of rows. */
    left: z.array(z.object({ component: z.string(), side: z.string() })),
  }),
  mend: mendProposalSchema.extend({
    service: z.string(),
    component: z.string(),
    /** `undo`: what was proposed was taken back. */
    direction: z.enum(["mend", "undo"]),
    applied: z.boolean(),
  }),
  find: findSchema,
  mount: mountSchema,
  diff: diffSchema,
  capture: recoveryPointSchema,
  /** Of `capture --continuous`, when it has ended: what the vault has. */
  "capture-log": z.object({ service: z.string(), spans: z.array(logSpanSchema) }),
  plan: planSchema,
  /** Of `plan --diff`. */
  "plan-diff": z.object({
    from: planSchema,
    to: planSchema,
    /** `from` was shown earlier; otherwise it is that of another moment. */
    shown: z.boolean(),
    diff: z.object({
      /** The digests are equal. */
      same: z.boolean(),
      subject: z.array(valueChangeSchema),
      declaration: z.array(valueChangeSchema),
      steps: z.array(
        z.object({
          step: stepIdSchema,
          change: z.enum(["added", "removed", "changed"]),
          title: z.string(),
          from: z.string().nullable(),
          to: z.string().nullable(),
          parts: z.array(z.string()),
        }),
      ),
      durations: z.array(z.object({ step: stepIdSchema, fromMs: z.number().nullable(), toMs: z.number().nullable() })),
      totalMs: z.object({ from: z.number(), to: z.number() }),
      heldMs: z.object({ from: z.number(), to: z.number() }),
      losses: z.array(
        z.object({ component: nameSchema, from: lossForecastSchema.nullable(), to: lossForecastSchema.nullable() }),
      ),
      warnings: z.object({ gone: z.array(z.string()), added: z.array(z.string()) }),
    }),
  }),
  /** One run: after recover, resume, cancel, undo, and for `runs NUMBER`. */
  run: z.object({
    record: runRecordSchema,
    plan: planSchema,
    events: z.array(runEventSchema),
    summary: runSummarySchema,
  }),
  runs: z.array(runRecordSchema),
  commit: z.object({ run: runNumberSchema, discarded: z.array(z.string()) }),
  validate: z.object({
    file: z.string(),
    services: z.array(z.object({ name: nameSchema, components: z.array(nameSchema) })),
  }),
  "validate-live": z.object({
    ok: z.boolean(),
    subjects: z.array(z.object({ service: z.string(), subject: z.string(), report: preflightSchema })),
  }),
  notify: z.object({
    /** Services whose next point is overdue, and since when. */
    overdue: z.array(z.object({ service: z.string(), since: z.iso.datetime() })),
    /** Whom was told what; `problem` is null where it was delivered. */
    outcomes: z.array(z.object({ target: z.string(), event: z.string(), problem: z.string().nullable() })),
  }),
  ready: readinessSchema,
  metrics: z.object({
    /** As Prometheus is told them; those without a sample are left out of its text. */
    families: z.array(
      z.object({
        name: z.string(),
        type: z.enum(["gauge"]),
        help: z.string(),
        samples: z.array(z.object({ labels: z.record(z.string(), z.string()), value: z.number() })),
      }),
    ),
  }),
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
  /** The JSON Schema of refloat.yaml. */
  schema: z.object({ schema: jsonObjectSchema }),
  completion: z.object({ shell: z.enum(["bash", "zsh", "fish"]), script: z.string() }),
  init: z.object({
    file: z.string(),
    services: z.array(nameSchema),
    notes: z.array(z.string()),
    first: z.array(z.string()),
  }),
} as const;

export type ResultKind = keyof typeof resultSchemas;
