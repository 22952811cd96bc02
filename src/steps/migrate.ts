/**
 * migrate: brings restored data up to what a newer release needs, by the release's own declared command, and only where the
 * release's checks fail without it. The command must be idempotent: after a crash it may run again.
 */
import { type MakeHandler, numberOf, presenceByOutput, stepTimeoutMs, textOf } from "./step-bench.ts";
import { endTrial, prepareTrial, tryRelease } from "./trial.ts";
import { ownOutputs, withRuntime } from "./with-runtime.ts";

export const createMigrateStep: MakeHandler<"migrate"> = (parts) => ({
  kind: "migrate",
  timeoutMs: stepTimeoutMs.data,
  retries: 0,

  prepare: (context) => prepareTrial(parts, context),
  check: presenceByOutput,
  clear: (context) => endTrial(parts, context),

  apply: async (context) => {
    await endTrial(parts, context);
    const label = textOf(context.intent, "label");
    const release = textOf(context.intent, "release");
    const port = numberOf(context.intent, "port");
    const trial = port === null ? null : await tryRelease(parts, context, port);
    if (trial?.passed === true) return { kind: "done", output: { needed: false, label } };
    const { output } = await withRuntime(
      parts,
      context,
      ({ runtime, driverContext }) => runtime.migrate(driverContext, release),
      // Its environment is that of the application, which names its port, and nothing of this release listens now.
      { outputs: ownOutputs(context.action.component, port, release) },
    );
    return { kind: "done", output: { needed: true, label, before: trial?.why ?? null, said: output } };
  },

  compensate: (context) => endTrial(parts, context),
});
