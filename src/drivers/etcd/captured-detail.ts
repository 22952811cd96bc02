/** What this driver keeps in `facts.detail` and in positions, and where the data lie in the snapshot. */
import { z } from "zod";

/** Below the component's own folder: what is extracted, with one file in it. */
export const dataName = "data";
export const snapshotName = "snapshot.db";

export const capturedDetailSchema = z.object({
  /** Of the cluster that was captured: a restored one has another. */
  clusterId: z.string(),
  /** As it is started with. */
  member: z.object({ name: z.string(), peerUrls: z.array(z.string()) }),
  members: z.int(),
  /** The snapshot is of a revision between these two. */
  firstRevision: z.int(),
  lastRevision: z.int(),
  /** Null when the folder is not on the machine that captured. */
  owner: z.object({ user: z.string(), uid: z.int(), gid: z.int() }).nullable(),
});
export type CapturedDetail = z.infer<typeof capturedDetailSchema>;

/** Where a cluster stood: its revision grows by one with each transaction that writes, and goes on after a restore. */
export const positionMarkSchema = z.object({
  revision: z.int().nullable(),
  /** As of that revision; null when they were not counted. */
  keys: z.int().nullable(),
});
export type PositionMark = z.infer<typeof positionMarkSchema>;
