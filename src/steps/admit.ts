/** admit: traffic goes to the new side. The last act of a cutover; what comes after it is undone only by a person's word. */
import { RefloatError } from "../model/refloat-error.ts";
import type { ComponentAccess } from "../core/components/component-access.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { type MakeHandler, besideId, nothing, ownOutput, stableView, stepTimeoutMs, withStep } from "./step-bench.ts";
import { type TrafficEntry, expectedTraffic, rememberedTraffic, trafficContext, trafficEntries } from "./traffic.ts";

/** Where an entry must point: its `to:` bound to the new side, or where it pointed before when it names nothing. */
const destination = async (
  context: StepContext,
  access: ComponentAccess,
  entry: TrafficEntry,
  index: number,
): Promise<string> => {
  if (entry.declared.to !== undefined) return (await access.bind(null)(entry.declared.to)).value;
  const before = rememberedTraffic(context.intents.get(besideId(context, "hold")))[index]?.address;
  if (before === undefined || before === null) {
    throw new RefloatError(
      "cutover.refused",
      `cutover entry ${entry.declared.kind} has no to: and its present address is not known`,
    );
  }
  return before;
};

export const createAdmitStep: MakeHandler<"admit"> = (parts) => ({
  kind: "admit",
  timeoutMs: stepTimeoutMs.server,
  retries: 3,

  // Told before anything is directed there: what takes the run back knows by it which address is of its making.
  prepare: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const addresses: string[] = [];
        for (const [index, entry] of trafficEntries(parts, context).entries()) {
          const to = await destination(context, access, entry, index);
          addresses.push(entry.driver.addressOf?.(to) ?? to);
        }
        return { addresses };
      },
      stableView,
    ),

  check: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const output = ownOutput(context);
        for (const [index, entry] of trafficEntries(parts, context).entries()) {
          const seen = await entry.driver.observe(trafficContext(parts, context, access), entry.declared.options);
          const to = await destination(context, access, entry, index);
          const address = entry.driver.addressOf?.(to) ?? to;
          const there = seen.admitted === null ? output !== undefined : seen.admitted && seen.address === address;
          if (!there) return { presence: "absent" };
        }
        return output === undefined ? { presence: "absent" } : { presence: "done", output };
      },
      stableView,
    ),

  clear: nothing,

  apply: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const addresses: string[] = [];
        for (const [index, entry] of trafficEntries(parts, context).entries()) {
          const to = await destination(context, access, entry, index);
          const from = expectedTraffic(context, index);
          await entry.driver.admit(trafficContext(parts, context, access), entry.declared.options, to, from);
          addresses.push(to);
        }
        return { kind: "done", output: { addresses, admittedAt: parts.clock.now().toISOString() } };
      },
      stableView,
    ),

  compensate: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        for (const entry of trafficEntries(parts, context)) {
          await entry.driver.hold(trafficContext(parts, context, access), entry.declared.options);
        }
      },
      stableView,
    ),
});
