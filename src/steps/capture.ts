/**
 * capture: before an undo that loses writes, and in a failback, a point of the side that is about to be left; and a second one when nobody
 * writes to it any more, if anything was written after the first. Then nothing is only in a side that a commit would drop.
 */
import { z } from "zod";
import type { StepContext } from "../core/ports/engine.ts";
import { shapeDifferences } from "../core/failback/point-shape.ts";
import { mayHaveWrites } from "../core/run/written-units.ts";
import { positionSchema } from "../model/facts.ts";
import { shortId } from "../model/identifiers.ts";
import { toJsonObject } from "../model/json.ts";
import {
  type Action,
  type MakeHandler,
  type StepParts,
  besideId,
  declarationOf,
  noIntent,
  nothing,
  presenceByOutput,
  stableView,
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
    const { undoes, failback, scope } = context.plan;
    const isLeft = context.action.side === "away";
    const unwritten = held ? await unwrittenSince(parts, context) : [];
    if (scope.length > 0 && unwritten.length === scope.length)
      return { kind: "done", output: { point: null, unwritten: [...unwritten] } };
    const { id, manifest } = await parts.takePoint(context.plan.service, {
      ...(isLeft ? { declaration: declarationOf(context) } : {}),
      held,
      takenBy: context.run.uid,
      ...(undoes === null ? {} : { leftBy: { run: undoes.run, uid: undoes.runUid } }),
      signal: context.signal,
    });
    const positions = Object.entries(manifest.components).flatMap(([name, { facts }]) =>
      facts.position === undefined ? [] : [[name, facts.position] as const],
    );
    const output = toJsonObject({ point: id, positions: Object.fromEntries(positions), unwritten });
    const differences = isLeft && failback !== undefined ? shapeDifferences(failback.shape, manifest.components) : [];
    if (differences.length === 0) return { kind: "done", output };
    return {
      kind: "failed",
      message: `point ${shortId(id)} is not of the shape that was planned: ${differences.join("; ")}`,
      hint: "it is a good point: a plan of now takes its shape",
      output,
    };
  },

  /** A point is worth keeping, whatever becomes of the run. */
  compensate: nothing,
});

const firstSchema = z.object({ positions: z.record(z.string(), positionSchema) });

/** Components of the scope that were not written to since the first point. Where that cannot be told of one, it was. */
const unwrittenSince = (parts: StepParts, context: CaptureContext): Promise<readonly string[]> =>
  withStep(
    parts,
    context,
    async (access) => {
      const first = firstSchema.safeParse(context.outputs.get(besideId(context, "capture"))).data;
      const unwritten: string[] = [];
      for (const component of context.plan.scope) {
        const { writes } = access.driver(component);
        const since = first?.positions[component];
        // A release is code, and nobody's work is lost with it.
        const isWritten =
          writes === undefined
            ? access.driver(component).runtime === undefined && context.action.side === "away"
            : since === undefined ||
              mayHaveWrites(await writes.writesSince(await access.context(component), { location: null, since }));
        if (!isWritten) unwritten.push(component);
        // An undo restores nothing of it: one is enough to know.
        else if (context.action.side !== "away") return [];
      }
      return unwritten;
    },
    stableView,
  );
