/**
 * What each command answers with `--json`: the schema of `data` in its envelope. Part of the public contract: within v1 a key may be
 * added, none changes its meaning or goes.
 */
import { disarmedComponentSchema } from "../model/arming.ts";
import { assessmentSchema } from "../model/assessment.ts";
import { quiesceSchema, serviceDeclarationSchema } from "../model/declaration.ts";
import { nameSchema, pointIdSchema } from "../model/identifiers.ts";
import { incidentSchema } from "../model/incident.ts";
import { jsonObjectSchema, jsonSchema } from "../model/json.ts";
import { checkOutcomeSchema, silentComponentSchema } from "../model/outcome.ts";
import { readinessSchema } from "../model/readiness.ts";
import { runRecordSchema } from "../model/run.ts";
import { browseSchema, diffSchema, extractSchema, findSchema, mountSchema } from "./granular-schemas.ts";
import { z } from "zod";
import { pointResults, recoveryPointSchema } from "./point-results.ts";
import { runResults } from "./run-results.ts";
import { vaultResults } from "./vault-results.ts";

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

export const resultSchemas = {
  ...pointResults,
  ...runResults,
  ...vaultResults,
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
        /** Components that do not answer: down, or not to be asked from here. */
        silent: z.array(silentComponentSchema),
        runs: z.array(runRecordSchema),
        /** Commands that work on the newest run that has stopped, the most sensible first; empty while none has. */
        words: z.array(z.string()),
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
        /** What a recovery has switched off and nobody has armed. */
        disarmed: z.array(disarmedComponentSchema),
        /** Components of which that cannot be told, and why. */
        undisclosed: z.array(z.object({ component: nameSchema, problem: z.string() })),
        /** The moment that all data could be brought back to now: of each component the last point, or the end of its log. */
        recoverableTo: z.iso.datetime().nullable(),
      }),
    ),
  }),
  browse: browseSchema,
  extract: extractSchema,
  assess: assessmentSchema,
  find: findSchema,
  mount: mountSchema,
  diff: diffSchema,
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
  discover: z.object({
    service: z.string(),
    processes: z.array(
      z.object({
        component: z.string(),
        /** Names alone, never values. */
        tree: z.object({
          pids: z.array(z.int()),
          variables: z.array(z.object({ name: z.string(), meaning: z.looseObject({ kind: z.string() }) })).nullable(),
          hosts: z.array(z.object({ name: z.string(), variable: z.string() })),
          libraries: z.array(
            z.object({ path: z.string(), package: z.string().optional(), sha256: z.string().optional() }),
          ),
          packages: z.array(z.object({ name: z.string(), version: z.string() })),
          files: z.array(z.string()),
          ports: z.array(z.int()),
          peers: z.array(z.object({ host: z.string(), port: z.int(), local: z.boolean() })),
          mounts: z.array(z.object({ path: z.string(), type: z.string(), source: z.string() })),
          hidden: z.boolean(),
        }),
        /** Below the service; an `item` is added to the list at the path. */
        additions: z.array(
          z.object({
            path: z.array(z.string()),
            as: z.enum(["value", "item"]),
            value: jsonSchema,
            because: z.string(),
          }),
        ),
        notes: z.array(z.string()),
      }),
    ),
    /** Components that run and do not run now. */
    away: z.array(z.string()),
    /** As `patch -p0` takes it; null when the file has a form that it would not fit. */
    patch: z.string().nullable(),
  }),
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
