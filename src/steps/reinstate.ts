/** reinstate: the undo of a failback puts back behind its name what `retire` has put away on the side that users had left. */
import { RefloatError } from "../model/refloat-error.ts";
import { awayNames, observePut, putIt, whereIs } from "./put-away.ts";
import { type MakeHandler, nothing, ownOutput, stepTimeoutMs } from "./step-bench.ts";

export const createReinstateStep: MakeHandler<"reinstate"> = (parts) => ({
  kind: "reinstate",
  timeoutMs: stepTimeoutMs.server,
  retries: 2,

  prepare: async (context) => {
    const { component } = context.action;
    const kept = context.plan.failback?.left?.retired[component];
    if (kept === undefined) throw new RefloatError("bug", `the plan does not say where ${component} is kept`);
    const { free } = await awayNames(parts, context);
    const { stable, incoming } = await observePut(parts, context, { free, kept }, "back");
    if (incoming === null)
      throw new RefloatError("cutover.conflict", `${kept}, which is to become ${component}, is not there`);
    if (stable !== null)
      throw new RefloatError(
        "cutover.conflict",
        `something stands behind the name of ${component}, where ${kept} is to go back to`,
        { hint: "rename it by hand if somebody needs it, drop it if nobody does, then resume" },
      );
    return { free, kept, identity: incoming };
  },

  check: async (context) => {
    if ((await whereIs(parts, context)) === "away") return { presence: "absent" };
    const output = ownOutput(context);
    return output === undefined ? { presence: "partial" } : { presence: "done", output };
  },

  clear: nothing,

  apply: async (context) => {
    await putIt(parts, context, "back");
    return { kind: "done", output: {} };
  },

  compensate: (context) => putIt(parts, context, "away"),
});
