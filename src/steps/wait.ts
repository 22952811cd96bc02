/** wait: nothing is done but waiting for all that the step needs, so that a large plan need not name each need of each step. */
import { type MakeHandler, noIntent, nothing, presenceByOutput, stepTimeoutMs } from "./step-bench.ts";

export const createWaitStep: MakeHandler<"wait"> = () => ({
  kind: "wait",
  timeoutMs: stepTimeoutMs.server,
  retries: 0,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,
  apply: async () => ({ kind: "done", output: {} }),
  compensate: nothing,
});
