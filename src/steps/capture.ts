/**
 * capture: before an undo that loses writes, a point of the side that is about to be left; and a second one when nobody writes to it
 * any more, if anything was written after the first. Then nothing is only in a side that a commit would drop.
 */
import { z } from "zod";
import type { StepContext } from "../core/ports/engine.ts";
import { mayHaveWrites } from "../core/run/written-units.ts";
import { positionSchema } from "../model/facts.ts";
import { toJsonObject } from "../model/json.ts";
import {
  type Action,
  type MakeHandler,
  type StepParts,
  noIntent,
  nothing,
  presenceByOutput,
  stableView,
  stepId,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

type CaptureContext = StepContext<Action<"capture">>;

export const createCaptureStep: MakeHandler<"capture"> = (parts) => ({
  kind: "capture",
  timeoutMs: stepTimeoutMs.data,
  retries: 1,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: async (context) => {
    const held = context.action.stage === "final";
    const { undoes } = context.plan;
    if (held && !(await wasWrittenSince(parts, context))) return { kind: "done", output: { point: null } };
    const { id, manifest } = await parts.takePoint(context.plan.service, {
      held,
      takenBy: context.run.uid,
      ...(undoes === null ? {} : { leftBy: { run: undoes.run, uid: undoes.runUid } }),
      signal: context.signal,
    });
    const positions = Object.entries(manifest.components).flatMap(([name, { facts }]) =>
      facts.position === undefined ? [] : [[name, facts.position] as const],
    );
    return { kind: "done", output: toJsonObject({ point: id, positions: Object.fromEntries(positions) }) };
  },

  /** A point is worth keeping, whatever becomes of the run. */
  compensate: nothing,
});

const firstSchema = z.object({ positions: z.record(z.string(), positionSchema) });

/** Where that cannot be told, it was. */
const wasWrittenSince = (parts: StepParts, context: CaptureContext): Promise<boolean> =>
  withStep(
    parts,
    context,
    async (access) => {
      const first = firstSchema.safeParse(context.outputs.get(stepId("capture"))).data;
      for (const component of context.plan.scope) {
        const { writes } = access.driver(component);
        if (writes === undefined) continue;
        const since = first?.positions[component];
        if (since === undefined) return true;
        const report = await writes.writesSince(await access.context(component), { location: null, since });
        if (mayHaveWrites(report)) return true;
      }
      return false;
    },
    stableView,
  );
