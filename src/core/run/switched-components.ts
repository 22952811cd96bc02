/** What a run's journal says about the names it has switched: needed to undo the run, and to drop its old side. */
import { z } from "zod";
import { type Position, positionSchema } from "../../model/facts.ts";
import type { RunRecord } from "../../model/run.ts";

export type SwitchedComponent = {
  readonly component: string;
  /** The name that the new side had before the switch, and gets back when it is undone. */
  readonly incoming: string;
  /** Where the old side is kept. */
  readonly outgoing: string;
  /** Where the new side stood just after the switch, before its first write. */
  readonly newPosition: Position | null;
  /** Nothing stood behind the name before: there is no old side. */
  readonly fromNothing: boolean;
  /** Why the old side could not serve again, by what its files told at the switch. */
  readonly unfit: string | null;
};

const prefix = "switch:";

const switchOutputSchema = z.object({
  incoming: z.string(),
  outgoing: z.string(),
  newPosition: positionSchema.nullable().catch(null),
  // Of a run of an older version nobody has asked.
  unfit: z.string().nullable().default(null),
});

const switchIntentSchema = z.object({ before: z.object({ stable: z.string().nullable() }) });

/** An output that names no sides (of another version) is left out: nothing may be dropped or put back on a guess. */
export const switchedComponents = (run: RunRecord): readonly SwitchedComponent[] =>
  run.steps.flatMap(({ id, state, intent, output }) => {
    const sides = switchOutputSchema.safeParse(output);
    const fromNothing = switchIntentSchema.safeParse(intent).data?.before.stable === null;
    return id.startsWith(prefix) && state === "done" && sides.success
      ? [{ component: id.slice(prefix.length), ...sides.data, fromNothing }]
      : [];
  });

export type RetiredComponent = { readonly component: string; readonly name: string };

const retiredOutputSchema = z.object({ outgoing: z.string() });

/** What a failback has put away on the side that users have left. */
export const retiredComponents = (run: RunRecord): readonly RetiredComponent[] =>
  run.steps.flatMap(({ id, state, output }) => {
    const put = retiredOutputSchema.safeParse(output).data;
    return id.startsWith("retire:") && state === "done" && put !== undefined
      ? [{ component: id.slice("retire:".length), name: put.outgoing }]
      : [];
  });

const fencedSchema = z.object({
  /** Null where what stands behind its name is gone, while it runs on. */
  release: z.string().nullable(),
  process: z.object({ port: z.int().nullable(), release: z.string() }).nullable().catch(null),
});

/** Applications that a failback has stopped on that side: those that ran. */
export const processesLeft = (
  run: RunRecord,
): Readonly<Record<string, { readonly release: string; readonly port: number | null }>> =>
  Object.fromEntries(
    run.steps.flatMap(({ id, state, intent }) => {
      const seen = fencedSchema.safeParse(intent).data;
      return id.startsWith("fence:") &&
        id.endsWith("@away") &&
        state === "done" &&
        seen !== undefined &&
        seen.process !== null
        ? [
            [
              id.slice("fence:".length, -"@away".length),
              { release: seen.release ?? seen.process.release, port: seen.process.port },
            ],
          ]
        : [];
    }),
  );

/** Folder of the release that each process component ran before the run fenced it. */
export const fencedReleases = (run: RunRecord): Readonly<Record<string, string>> =>
  Object.fromEntries(
    run.steps.flatMap(({ id, intent }) => {
      const release = intent?.["release"];
      return id.startsWith("fence:") && !id.endsWith("@away") && typeof release === "string"
        ? [[id.slice("fence:".length), release]]
        : [];
    }),
  );
