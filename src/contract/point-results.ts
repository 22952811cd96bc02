/** Answers about recovery points: what there is, what was taken, marks, incidents, the timeline. Part of the public contract: result-schemas.ts. */
import { serviceDeclarationSchema } from "../model/declaration.ts";
import { nameSchema, pointIdSchema } from "../model/identifiers.ts";
import { incidentSchema } from "../model/incident.ts";
import { logSpanSchema } from "../model/log-span.ts";
import { compositionSchema, pointManifestSchema } from "../model/manifest.ts";
import { markSchema } from "../model/mark.ts";
import { runStateSchema } from "../model/run.ts";
import { z } from "zod";

const reachableSchema = z.object({ component: nameSchema, fromAt: z.iso.datetime(), toAt: z.iso.datetime() });

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
  /** What the vault has of logs of its components, oldest first. */
  logs: z.array(logSpanSchema),
  /** Between which moments any second can be reached: from the last point before it the log leads there. */
  reachable: z.array(reachableSchema),
});

export const pointResults = {
  points: servicePointsSchema,
  /** Where no service was named. */
  "all-points": z.object({ services: z.array(servicePointsSchema) }),
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
    /** What the vault has of logs of components. */
    logs: z.array(logSpanSchema),
    reachable: z.array(reachableSchema),
    /** Stretches of logs that nobody has. */
    logGaps: z.array(z.object({ component: nameSchema, from: z.iso.datetime(), to: z.iso.datetime() })),
    /** Of `--changes`: what the logs tell of the largest transactions, and of those that changed definitions. `words`: what `--at` takes. */
    changes: z
      .array(z.object({ component: nameSchema, at: z.iso.datetime(), what: z.string(), words: z.string() }))
      .optional(),
    /** When points were due and were not taken; `to` is null for what goes on. */
    gaps: z.array(z.object({ from: z.iso.datetime(), to: z.iso.datetime().nullable(), missed: z.int().positive() })),
  }),
  capture: recoveryPointSchema,
  /** Of `capture --continuous`, when it has ended: what the vault has. */
  "capture-log": z.object({ service: z.string(), spans: z.array(logSpanSchema) }),
} as const;
