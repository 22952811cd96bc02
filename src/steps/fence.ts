/** fence: the old writer is stopped and proven to be gone, before any name changes hands. */
import type { RunningProcess } from "../core/ports/driver.ts";
import { type JsonObject, toJsonObject } from "../model/json.ts";
import { type MakeHandler, besideId, nothing, ownOutput, stableView, stepTimeoutMs, textIn } from "./step-bench.ts";
import { keptRelease, ownOutputs, withRuntime } from "./with-runtime.ts";

/** The process that served before, as `prepare` saw it; null when none did. */
const fencedProcess = (intent: JsonObject): RunningProcess | null =>
  (intent["process"] ?? null) as unknown as RunningProcess | null;

export const createFenceStep: MakeHandler<"fence"> = (parts) => ({
  kind: "fence",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,

  prepare: (context) =>
    withRuntime(parts, context, async (application) => {
      const { runtime, driverContext } = application;
      const process = await runtime.live(driverContext);
      // A release that is gone is no reason to stop when it is the very thing that is recovered.
      const isRecovered = context.plan.scope.includes(context.action.component);
      const release = isRecovered ? await runtime.liveRelease(driverContext) : await keptRelease(application);
      // Chosen while the old side still listens: afterwards its own port would look free, and the new side would take it.
      const nextPort = (await runtime.freePort(driverContext, process)) ?? process?.port ?? null;
      return toJsonObject({ process, release: release?.path ?? null, label: release?.label ?? null, nextPort });
    }),

  check: (context) =>
    withRuntime(parts, context, async ({ runtime, driverContext }) => {
      const output = ownOutput(context);
      const old = fencedProcess(context.intent);
      if (old !== null && (await runtime.alive(driverContext, old))) return { presence: "absent" };
      // A supervisor or a person may have started it again since; once the new side starts, what is live is the new side.
      const isNewSideBegun = context.intents.has(besideId(context, `start:${context.action.component}`));
      if (!isNewSideBegun && (await runtime.live(driverContext)) !== null) return { presence: "absent" };
      if (old === null && output === undefined) return { presence: "absent" };
      return { presence: "done", output: output ?? { stopped: old?.pid ?? null } };
    }),

  clear: nothing,

  apply: (context) =>
    withRuntime(parts, context, async ({ runtime, driverContext }) => {
      const old = fencedProcess(context.intent);
      if (old !== null) await runtime.stop(driverContext, old);
      const again = await runtime.live(driverContext);
      if (again !== null) await runtime.stop(driverContext, again);
      return { kind: "done", output: { stopped: old?.pid ?? again?.pid ?? null } };
    }),

  /** The names are back on the old side by now, so the old release starts on what it had. */
  compensate: async (context) => {
    const old = fencedProcess(context.intent);
    if (old === null) return;
    const { component } = context.action;
    // Both sides of a failback may have run under one name.
    const side = context.action.side === "away" ? "away" : "back";
    const release = textIn(context.intent, "release") ?? old.release;
    await withRuntime(
      parts,
      context,
      async ({ runtime, driverContext }) => {
        if (await runtime.alive(driverContext, old)) return;
        await runtime.start(driverContext, {
          name: `${component}_${side}${context.run.number}`,
          release,
          port: old.port,
        });
      },
      { ...stableView, outputs: ownOutputs(component, old.port, release) },
    );
  },
});
