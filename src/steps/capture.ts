/** capture: before an undo that loses writes, a point of the side that is about to be left. */
import { type MakeHandler, noIntent, nothing, presenceByOutput, stepTimeoutMs } from "./step-bench.ts";

export const createCaptureStep: MakeHandler<"capture"> = (parts) => ({
  kind: "capture",
  timeoutMs: stepTimeoutMs.data,
  retries: 1,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,
  apply: async (context) => ({
    kind: "done",
    output: { point: await parts.takePoint(context.plan.service, context.signal) },
  }),
  /** A point is worth keeping, whatever becomes of the run. */
  compensate: nothing,
});
