/**
 * migrate: brings restored data up to what a newer release needs, by the release's own declared command, and only where the
 * release's checks fail without it. The command must be idempotent: after a crash it may run again.
 */
import { type MakeHandler, presenceByOutput, stepTimeoutMs, textOf, withStep } from "./step-bench.ts";
import { endTrial, freePort, releaseFolder, runtimeOf, tryRelease } from "./trial.ts";

export const createMigrateStep: MakeHandler<"migrate"> = (parts) => ({
  kind: "migrate",
  timeoutMs: stepTimeoutMs.data,
  retries: 0,

  prepare: async (context) => {
    const release = await releaseFolder(parts, context);
    const port = await freePort(parts, context);
    return {
      name: `${context.action.component}_migrate${context.run.number}`,
      release: release.path,
      label: release.label,
      port,
    };
  },

  check: presenceByOutput,

  clear: (context) => endTrial(parts, context, textOf(context.intent, "name")),

  apply: async (context) => {
    const release = textOf(context.intent, "release");
    const label = textOf(context.intent, "label");
    const { port } = context.intent;
    const { component } = context.action;
    let before: string | null = null;
    if (typeof port === "number") {
      const trial = await tryRelease(parts, context, { name: textOf(context.intent, "name"), release, port });
      if (trial.passed) return { kind: "done", output: { needed: false, label } };
      before = trial.why;
    }
    const { output } = await withStep(parts, context, async (access) =>
      runtimeOf(access.driver(component).runtime, component).migrate(await access.context(component), release),
    );
    return { kind: "done", output: { needed: true, label, before, said: output } };
  },

  compensate: (context) => endTrial(parts, context, textOf(context.intent, "name")),
});
