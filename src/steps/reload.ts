/** reload: tells the reader of switched files (a proxy, a daemon) to read them again. */
import {
  type MakeHandler,
  noIntent,
  nothing,
  presenceByOutput,
  stableView,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

export const createReloadStep: MakeHandler<"reload"> = (parts) => ({
  kind: "reload",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,
  prepare: noIntent,
  check: presenceByOutput,
  clear: nothing,

  apply: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const { component } = context.action;
        await access.driver(component).reload?.(await access.context(component));
        return { kind: "done", output: {} };
      },
      stableView,
    ),

  /** The files are still the new ones here; `switch` reloads after it has put the old ones back. */
  compensate: nothing,
});
