/**
 * start: the release that will serve, bound to the stable names, on the port where traffic will come. Its checks, asked at
 * that port, are the private door: nothing is admitted before they pass.
 */
import { describeOutcomes, failedChecks } from "../core/components/check-verdict.ts";
import type { StepContext } from "../core/ports/engine.ts";
import { toJsonObject } from "../model/json.ts";
import { askInvariants } from "./ask-invariant.ts";
import {
  type Action,
  type MakeHandler,
  type StepParts,
  besideId,
  nothing,
  numberOf,
  ownOutput,
  stableView,
  stepTimeoutMs,
  textOf,
} from "./step-bench.ts";
import { keptRelease, ownOutputs, withRuntime } from "./with-runtime.ts";

type StartContext = StepContext<Action<"start">>;

const fenceIntent = (context: StartContext) =>
  context.intents.get(besideId(context, `fence:${context.action.component}`));

/** What served on the side to which the undo of a failback goes back. */
const leftProcess = ({ action, plan }: StartContext) =>
  action.side === "away" ? plan.failback?.left?.processes[action.component] : undefined;

/** Folder of the release: of the undone run's old side, the restored one now behind its name, or the one that was live. */
const releaseToStart = async (parts: StepParts, context: StartContext): Promise<string> => {
  const { component, release } = context.action;
  const left = leftProcess(context);
  if (left !== undefined) return left.release;
  const undone = context.plan.undoes?.releases[component];
  if (undone !== undefined) return undone;
  if (release === "kept") return textOf(fenceIntent(context), "release");
  const live = await withRuntime(parts, context, keptRelease, stableView);
  return live.path;
};

export const createStartStep: MakeHandler<"start"> = (parts) => ({
  kind: "start",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,

  prepare: async (context) => ({
    name: `${context.action.component}_r${context.run.number}`,
    release: await releaseToStart(parts, context),
    port: leftProcess(context)?.port ?? numberOf(fenceIntent(context), "nextPort"),
  }),

  check: (context) =>
    withRuntime(
      parts,
      context,
      async ({ runtime, driverContext }) => {
        const found = await runtime.find(driverContext, textOf(context.intent, "name"));
        if (found === null) return { presence: "absent" };
        const output = ownOutput(context);
        // It runs, but nobody has heard what its checks say: they are asked again.
        return output === undefined ? { presence: "partial" } : { presence: "done", output };
      },
      stableView,
    ),

  clear: nothing,

  apply: (context) => {
    const { component } = context.action;
    const name = textOf(context.intent, "name");
    const release = textOf(context.intent, "release");
    const port = numberOf(context.intent, "port");
    return withRuntime(
      parts,
      context,
      async ({ runtime, driverContext, access }) => {
        const process = await runtime.start(driverContext, { name, release, port });
        const checks = await access.runChecks(component);
        const refused = failedChecks(checks);
        const asked = await askInvariants(
          parts,
          context,
          access,
          refused.length === 0 ? context.action.invariants : [],
        );
        const failed = [...refused, ...asked.failed];
        const output = toJsonObject({ process, outcomes: [...checks, ...asked.outcomes] });
        if (failed.length === 0) return { kind: "done", output };
        const message = `${component} fails its checks on the new side: ${describeOutcomes(failed)}`;
        return { kind: "failed", message, output };
      },
      { ...stableView, outputs: ownOutputs(component, port, release) },
    );
  },

  compensate: (context) =>
    withRuntime(
      parts,
      context,
      async ({ runtime, driverContext }) => {
        const running = await runtime.find(driverContext, textOf(context.intent, "name"));
        if (running !== null) await runtime.stop(driverContext, running);
      },
      stableView,
    ),
});
