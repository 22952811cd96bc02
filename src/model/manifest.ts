/**
 * The manifest of a recovery point: written last, as `/refloat/point.json` in a snapshot of its own (tags `refloat-point`,
 * `service=NAME`). Without it the point does not exist. It alone answers what must be restored, in what order, for the
 * service to work.
 */
import { z } from "zod";
import { auditPlaceSchema } from "./audit-entry.ts";
import { holdSchema, serviceDeclarationSchema } from "./declaration.ts";
import { factsSchema } from "./facts.ts";
import { fingerprintSchema } from "./fingerprint.ts";
import { graphSchema } from "./graph.ts";
import { nameSchema, type PointId, pointIdSchema, runNumberSchema, snapshotIdSchema } from "./identifiers.ts";
import { checkOutcomeSchema } from "./outcome.ts";

export const capturedComponentSchema = z.object({
  name: nameSchema,
  driver: z.string(),
  /** The snapshot that holds the component's data. */
  snapshot: snapshotIdSchema,
  /** Root of the component's tree inside that snapshot, e.g. `/srv/shop/uploads` or `/db`. */
  path: z.string(),
  facts: factsSchema,
  fingerprint: fingerprintSchema.optional(),
  /** Logical bytes, and bytes that this capture added to the vault after deduplication and compression. */
  sizeBytes: z.int().nonnegative(),
  newBytes: z.int().nonnegative(),
  /** The instants between which the source was read; for a database snapshot both are the snapshot's instant. */
  window: z.object({ beginAt: z.iso.datetime(), endAt: z.iso.datetime() }),
  /** What the driver can vouch for by itself. */
  consistency: z.enum(["snapshot", "crash", "live"]),
  finishedAt: z.iso.datetime(),
  /** What a person should know: a file vanished while being read. */
  warnings: z.array(z.string()),
});
export type CapturedComponent = z.infer<typeof capturedComponentSchema>;

const frozenSchema = z.object({
  fromAt: z.iso.datetime(),
  toAt: z.iso.datetime(),
  heldMs: z.int().nonnegative(),
  /** By which of the ways of `quiesce:`; by its lines when left out. */
  by: holdSchema.optional(),
});

export const pointManifestSchema = z.object({
  schemaVersion: z.literal(1),
  service: nameSchema,
  /** What a person named the point by at its capture; `keep: { tags }` holds on to it. */
  tags: z.array(z.string()).optional(),
  /** Taken by an undo of this run, of the side that it left: not what `last` means, unless nothing else is there. */
  leftBy: z.object({ run: runNumberSchema, uid: z.string() }).optional(),
  /** Captured without the rest of the service, on a schedule of their own: all that the point has itself. */
  only: z.array(nameSchema).optional(),
  /** The declaration as of then. Secrets are references. */
  declaration: serviceDeclarationSchema,
  graph: graphSchema,
  captureOrder: z.array(nameSchema),
  recoveryOrder: z.array(nameSchema),
  /** When capture began: the moment that `--at` compares with is `consistentAt`. */
  beganAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** All that was committed in the referrers before this instant is in the point. The earliest window's begin. */
  consistentAt: z.iso.datetime(),
  consistency: z.object({
    /**
     * `single`: one component. `ordered`: read in the order of the data references. `unordered`: no order was declared.
     * `composed`: parts of several points, put together; never stored.
     * `quiesced`: the service was held still, by its own lines, until every component was read or its view was fixed.
     */
    mode: z.enum(["single", "ordered", "unordered", "quiesced", "composed"]),
    windowMs: z.int().nonnegative(),
    /** True only if every declared invariant passed at capture and there was one for each pair. */
    proven: z.boolean(),
    /** Of a quiesced point: the time that the service was held, from the begin of `freeze` to the end of `thaw`, or while the lock was waited for and had. */
    frozen: frozenSchema.optional(),
    /** Why a point of a service with `quiesce:` is not quiesced. */
    unquiesced: z.string().optional(),
  }),
  components: z.record(nameSchema, capturedComponentSchema),
  /** Declared checks asked of the source at capture: a failed one marks the point, it does not stop it. */
  checks: z.array(checkOutcomeSchema),
  invariants: z.array(checkOutcomeSchema),
  /** The newest entry of the capturing machine's audit log: what the log is held against when it is cut short. */
  audit: auditPlaceSchema.optional(),
  host: z.object({ hostname: z.string() }),
  tool: z.object({ name: z.literal("refloat"), version: z.string() }),
});
export type PointManifest = z.infer<typeof pointManifestSchema>;

/** What a point is made of that stands for parts of several. */
export const compositionSchema = z.object({
  /** The newest first. */
  members: z.array(
    z.object({
      component: nameSchema,
      /** The point that the part came with. */
      point: pointIdSchema,
      /** When its reading began. */
      at: z.iso.datetime(),
      /** How much older it is than the newest part. */
      skewMs: z.int().nonnegative(),
    }),
  ),
  /** Declared, and captured never before. */
  absent: z.array(nameSchema),
});
export type Composition = z.infer<typeof compositionSchema>;

/** A manifest with the identity the vault gave it. */
export type RecoveryPoint = {
  readonly id: PointId;
  readonly manifest: PointManifest;
  /** Names of components whose snapshot is no longer in the vault: the point is damaged. */
  readonly missing: readonly string[];
  /** Id of the vault that it was made in, for one that was copied from there. */
  readonly madeIn?: string;
  /** Of one that was captured without the rest of its service, where it stands for all of it. */
  readonly composed?: Composition;
};
