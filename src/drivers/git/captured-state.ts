/** What this driver keeps in `facts.detail`. */
import { z } from "zod";
import { repositoryStateSchema } from "./repository-state.ts";

export const capturedStateSchema = repositoryStateSchema.extend({
  /** Name of the file in the component's folder. */
  bundle: z.string(),
  owner: z.object({ user: z.string(), uid: z.int(), gid: z.int() }),
});

/** Where a repository stood. */
export const positionMarkSchema = z.object({ commit: z.string().nullable(), refs: z.record(z.string(), z.string()) });
export type PositionMark = z.infer<typeof positionMarkSchema>;
