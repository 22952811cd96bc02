/** hold: no request reaches the old side any more. From here on users notice, so nothing slow comes after it. */
import { type MakeHandler, besideId, nothing, ownOutput, stableView, stepTimeoutMs, withStep } from "./step-bench.ts";
import { expectedTraffic, rememberedTraffic, trafficContext, trafficEntries } from "./traffic.ts";

export const createHoldStep: MakeHandler<"hold"> = (parts) => ({
  kind: "hold",
  timeoutMs: stepTimeoutMs.server,
  retries: 2,

  prepare: (context) =>
    withStep(parts, context, async (access) => {
      const entries = [];
      for (const { declared, driver } of trafficEntries(parts, context)) {
        const { admitted, address } = await driver.observe(trafficContext(parts, context, access), declared.options);
        entries.push({ kind: declared.kind, address, admitted });
      }
      return { entries };
    }),

  check: (context) =>
    withStep(parts, context, async (access) => {
      const output = ownOutput(context);
      // Admitted again means that the run has gone on, not that the hold was lost.
      if (context.outputs.has(besideId(context, "admit"))) return { presence: "done", output: output ?? {} };
      // What tells it held may be a file that a killed attempt has written and nobody has loaded, or a name that is remembered still.
      if (output === undefined) return { presence: "absent" };
      for (const { declared, driver } of trafficEntries(parts, context)) {
        const { admitted } = await driver.observe(trafficContext(parts, context, access), declared.options);
        if (admitted !== false) return { presence: "absent" };
      }
      return { presence: "done", output };
    }),

  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      for (const { declared, driver } of trafficEntries(parts, context)) {
        await driver.hold(trafficContext(parts, context, access), declared.options);
      }
      return { kind: "done", output: { heldAt: parts.clock.now().toISOString() } };
    }),

  compensate: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const before = rememberedTraffic(context.intent);
        const failures: unknown[] = [];
        for (const [index, { declared, driver }] of trafficEntries(parts, context).entries()) {
          const { address, admitted } = before[index] ?? { address: null, admitted: null };
          if (admitted === false) continue;
          try {
            const to = address ?? (declared.to === undefined ? null : (await access.bind(null)(declared.to)).value);
            const from = expectedTraffic(context, index);
            if (to !== null) await driver.admit(trafficContext(parts, context, access), declared.options, to, from);
          } catch (error) {
            context.signal.throwIfAborted();
            // One that does not answer must not keep the users of the others waiting.
            failures.push(error);
          }
        }
        if (failures.length > 0) throw failures[0];
      },
      stableView,
    ),
});
