/**
 * The root of a recovery point: `/refloat/root.json` beside its manifest. A hash over the manifest, the members' snapshots and the trees
 * in them, and over the points that stood before it, so that a point cannot be changed, replaced or taken away unnoticed while a later
 * one is there. Points of versions before this have none.
 */
import { z } from "zod";
import { nameSchema, pointIdSchema, snapshotIdSchema } from "./identifiers.ts";

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/);

const rootLinkSchema = z.object({
  point: pointIdSchema,
  service: nameSchema,
  /** Null for a point without a root. */
  root: digestSchema.nullable(),
});
export type RootLink = z.infer<typeof rootLinkSchema>;

export const pointRootSchema = z.object({
  schemaVersion: z.literal(1),
  /** Id of the repository that the point was made in: only there can the seal be checked. */
  vault: z.string(),
  service: nameSchema,
  /** SHA-256 of the manifest as it is stored. */
  manifest: digestSchema,
  /** By name of the component. */
  members: z.array(z.object({ component: nameSchema, snapshot: snapshotIdSchema, tree: digestSchema })),
  /** The newest points of the vault as this one was made, of every service, that no other of them names. */
  after: z.array(rootLinkSchema),
  /** SHA-256 over the canonical form of all above. */
  root: digestSchema,
  /** HMAC-SHA-256 of the root under a key derived from the vault's master key. */
  seal: digestSchema,
});
export type PointRoot = z.infer<typeof pointRootSchema>;
