/**
 * The points that a failback takes itself: one while users work, and behind hold and fence another one where anything was written since. Which
 * of them a step works with, and which components the second one leaves as the first one has them.
 */
import { z } from "zod";
import type { StepContext } from "../core/ports/engine.ts";
import { type Position, positionSchema } from "../model/facts.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type StepParts, stepId } from "./step-bench.ts";

const takenSchema = z.object({
  /** Null where nothing was written since the point before. */
  point: z.string().nullable(),
  positions: z.record(z.string(), positionSchema).catch({}),
  /** Of a second one: components of which the first has everything. */
  unwritten: z.array(z.string()).catch([]),
});
export type TakenPoint = z.infer<typeof takenSchema>;

export const firstPointId = stepId("capture@away");
const lastPointId = stepId("capture:final@away");

const taken = (context: StepContext, id: typeof lastPointId): TakenPoint | null =>
  takenSchema.safeParse(context.outputs.get(id)).data ?? null;

/** Behind the hold: does the instance that was restored from the first point have all that there is? */
export const isUnwritten = (context: StepContext, component: string): boolean =>
  taken(context, lastPointId)?.unwritten.includes(component) === true;

/** Where the data that is at home stood on the side that is left; undefined where its driver tells none. */
export const positionAtHome = (context: StepContext, component: string): Position | undefined =>
  taken(context, isUnwritten(context, component) ? firstPointId : lastPointId)?.positions[component];

const isFinal = ({ action }: StepContext): boolean => "stage" in action && action.stage === "final";

/** What the step is to restore, or to compare with: of the plan's own point, or of the one that this run has made. */
export const capturedFor = async (
  parts: StepParts,
  context: StepContext,
  component: string,
): Promise<CapturedComponent | undefined> => {
  const { point, failback } = context.plan;
  if (point !== null) return point.components[component];
  if (failback === undefined) return undefined;
  const id = taken(context, isFinal(context) && !isUnwritten(context, component) ? lastPointId : firstPointId)?.point;
  if (id == null) throw new RefloatError("bug", `${context.step.id} works with a point that this run has not made`);
  return (await (await parts.vault()).points.read(id)).manifest.components[component];
};
