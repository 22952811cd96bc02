/** fence: the old writer is stopped and proven to be gone, before any name changes hands. */
import type { RunningProcess } from "../core/ports/driver.ts";
import type { JsonObject } from "../model/json.ts";
import { ownOutputs, runtimeOf } from "./trial.ts";
import { type MakeHandler, nothing, ownOutput, stableLocation, stepTimeoutMs, textOf, withStep } from "./step-bench.ts";

/** The process that served before, as `prepare` saw it; null when none did. */
export const fencedProcess = (intent: JsonObject | undefined): RunningProcess | null =>
  (intent?.["process"] ?? null) as unknown as RunningProcess | null;

export const createFenceStep: MakeHandler<"fence"> = (parts) => ({
  kind: "fence",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,

  prepare: (context) =>
    withStep(parts, context, async (access) => {
      const { component } = context.action;
      const runtime = runtimeOf(access.driver(component).runtime, component);
      const driverContext = await access.context(component);
      const process = await runtime.live(driverContext);
      const release = await runtime.liveRelease(driverContext);
      // Chosen while the old side still listens: afterwards its own port would look free, and the new side would take it.
      const nextPort = (await runtime.freePort(driverContext, process)) ?? process?.port ?? null;
      return {
        process: process === null ? null : { ...process },
        release: release.path,
        label: release.label,
        nextPort,
      };
    }),

  check: (context) =>
    withStep(parts, context, async (access) => {
      const { component } = context.action;
      const output = ownOutput(context);
      const old = fencedProcess(context.intent);
      if (old === null) return output === undefined ? { presence: "absent" } : { presence: "done", output };
      const runtime = runtimeOf(access.driver(component).runtime, component);
      const alive = await runtime.alive(await access.context(component), old);
      return alive ? { presence: "absent" } : { presence: "done", output: output ?? { stopped: old.pid } };
    }),

  clear: nothing,

  apply: (context) =>
    withStep(parts, context, async (access) => {
      const { component } = context.action;
      const old = fencedProcess(context.intent);
      if (old !== null)
        await runtimeOf(access.driver(component).runtime, component).stop(await access.context(component), old);
      return { kind: "done", output: { stopped: old?.pid ?? null } };
    }),

  /** The names are back on the old side by now, so the old release starts on what it had. */
  compensate: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const { component } = context.action;
        const old = fencedProcess(context.intent);
        if (old === null) return;
        const runtime = runtimeOf(access.driver(component).runtime, component);
        const driverContext = await access.context(component);
        if (await runtime.alive(driverContext, old)) return;
        await runtime.start(driverContext, {
          name: `${component}_back${context.run.number}`,
          release: textOf(context.intent, "release"),
          port: old.port,
        });
      },
      {
        locate: stableLocation,
        outputs: ownOutputs(
          context.action.component,
          fencedProcess(context.intent)?.port ?? null,
          textOf(context.intent, "release"),
        ),
      },
    ),
});
