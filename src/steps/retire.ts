/**
 * retire: what stands behind the component's name on the side that a failback leaves is put beside it, closed to all. Only then can nobody write
 * to it any more, and it is proven that nobody has since the point that is at home; where somebody has, the cutover is taken back.
 */
import { hasWrites, mayHaveWrites, writtenUnits } from "../core/run/written-units.ts";
import { toJsonObject } from "../model/json.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { positionAtHome } from "./made-point.ts";
import { awayNames, observePut, putAwayOf, putIt, whereIs } from "./put-away.ts";
import { type MakeHandler, nothing, ownOutput, retiredNameTaken, stepTimeoutMs, withStep } from "./step-bench.ts";

export const createRetireStep: MakeHandler<"retire"> = (parts) => ({
  kind: "retire",
  timeoutMs: stepTimeoutMs.data,
  retries: 2,

  prepare: async (context) => {
    const { component } = context.action;
    const names = await awayNames(parts, context);
    const { stable, incoming, outgoing } = await observePut(parts, context, names, "away");
    if (stable === null)
      throw new RefloatError(
        "cutover.conflict",
        `nothing stands behind the name of ${component} on the side that is left`,
      );
    if (outgoing !== null) throw retiredNameTaken("cutover.conflict", component, names.kept);
    if (incoming !== null) throw retiredNameTaken("cutover.conflict", component, names.free);
    return { ...names, identity: stable };
  },

  check: async (context) => {
    if ((await whereIs(parts, context)) === "behind") return { presence: "absent" };
    const output = ownOutput(context);
    // It is away, and nobody has heard whether something was written before: that is asked again.
    return output === undefined ? { presence: "partial" } : { presence: "done", output };
  },

  clear: nothing,

  apply: async (context) => {
    const { component } = context.action;
    await putIt(parts, context, "away");
    const { kept } = putAwayOf(context.intent);
    const since = positionAtHome(context, component);
    const report = await withStep(parts, context, async (access) => {
      const { writes } = access.driver(component);
      if (writes === undefined || since === undefined) return null;
      return writes.writesSince(await access.context(component), { location: kept, since });
    });
    const gaps = report?.gaps ?? [];
    const output = toJsonObject({ outgoing: kept, proven: report !== null && !mayHaveWrites(report), gaps });
    if (report !== null && hasWrites(report)) {
      return {
        kind: "failed",
        message: `${component} was written to after the last point, past hold and fence: ${writtenUnits(report)
          .map(({ name }) => name)
          .join(", ")}`,
        hint: "find who writes to it without being held or fenced, stop that, and plan again",
        output,
      };
    }
    for (const gap of gaps) await context.warn(`whether ${component} was written to after the last point: ${gap}`);
    return { kind: "done", output };
  },

  compensate: (context) => putIt(parts, context, "back"),
});
