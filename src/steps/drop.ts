/** drop: the instance of a failback's first point makes room, where something was written since; the last point is restored under its name. */
import { isUnwritten } from "./made-point.ts";
import {
  type MakeHandler,
  noIntent,
  nothing,
  presenceByOutput,
  restoredInstance,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

export const createDropStep: MakeHandler<"drop"> = (parts) => ({
  kind: "drop",
  timeoutMs: stepTimeoutMs.data,
  retries: 2,
  prepare: noIntent,
  // The name is that of the next restore: whether something stands there says nothing of this step.
  check: presenceByOutput,
  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      const { component } = context.action;
      if (isUnwritten(context, component)) return { kind: "done", output: { kept: true } };
      const target = restoredInstance(context, component);
      await access.driver(component).instances.drop(await access.context(component), target);
      return { kind: "done", output: { kept: false } };
    }),

  compensate: nothing,
});
