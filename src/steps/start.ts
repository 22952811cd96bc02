/**
 * start: the release that will serve, bound to the stable names, on the port where traffic will come. Its checks, asked at
 * that port, are the private door: nothing is admitted before they pass.
 */
import { type JsonObject, toJsonObject } from "../model/json.ts";
import { describeOutcomes, failedChecks } from "../core/components/check-verdict.ts";
import type { RunningProcess } from "../core/ports/driver.ts";
import type { StepContext } from "../core/ports/engine.ts";
import {
  type Action,
  type MakeHandler,
  nothing,
  type StepParts,
  ownOutput,
  stableLocation,
  stepId,
  stepTimeoutMs,
  textOf,
  withStep,
} from "./step-bench.ts";
import { ownOutputs, runtimeOf } from "./trial.ts";

type StartContext = StepContext<Action<"start">>;

/** Folder of the release: of the undone run's old side, the restored one now behind its name, or the one that was live. */
const releaseToStart = (parts: StepParts, context: StartContext): Promise<string> =>
  withStep(
    parts,
    context,
    async (access) => {
      const { component, release } = context.action;
      const undone = context.plan.undoes?.releases[component];
      if (undone !== undefined) return undone;
      if (release === "kept") return textOf(context.intents.get(stepId(`fence:${component}`)), "release");
      return (await runtimeOf(access.driver(component).runtime, component).liveRelease(await access.context(component)))
        .path;
    },
    { locate: stableLocation },
  );

export const createStartStep: MakeHandler<"start"> = (parts) => ({
  kind: "start",
  timeoutMs: stepTimeoutMs.server,
  retries: 1,

  prepare: async (context) => {
    const { component } = context.action;
    const nextPort = context.intents.get(stepId(`fence:${component}`))?.["nextPort"];
    return {
      name: `${component}_r${context.run.number}`,
      release: await releaseToStart(parts, context),
      port: typeof nextPort === "number" ? nextPort : null,
    };
  },

  check: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const { component } = context.action;
        const runtime = runtimeOf(access.driver(component).runtime, component);
        const found = await runtime.find(await access.context(component), textOf(context.intent, "name"));
        if (found === null) return { presence: "absent" };
        const output = ownOutput(context);
        // It runs, but nobody has heard what its checks say: they are asked again.
        return output === undefined ? { presence: "partial" } : { presence: "done", output };
      },
      { locate: stableLocation },
    ),

  clear: nothing,

  apply: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const { component } = context.action;
        const runtime = runtimeOf(access.driver(component).runtime, component);
        const process = await runtime.start(await access.context(component), {
          name: textOf(context.intent, "name"),
          release: textOf(context.intent, "release"),
          port: plannedPort(context.intent),
        });
        const outcomes = await checkAtItsPort(parts, context, process);
        const failed = failedChecks(outcomes);
        const output = toJsonObject({ process, outcomes });
        return failed.length === 0
          ? { kind: "done", output }
          : {
              kind: "failed",
              message: `${component} fails its checks on the new side: ${describeOutcomes(failed)}`,
              output,
            };
      },
      {
        locate: stableLocation,
        outputs: ownOutputs(context.action.component, plannedPort(context.intent), textOf(context.intent, "release")),
      },
    ),

  compensate: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const { component } = context.action;
        const runtime = runtimeOf(access.driver(component).runtime, component);
        const driverContext = await access.context(component);
        const running = await runtime.find(driverContext, textOf(context.intent, "name"));
        if (running !== null) await runtime.stop(driverContext, running);
      },
      { locate: stableLocation },
    ),
});

const plannedPort = (intent: JsonObject): number | null => {
  const port = intent["port"];
  return typeof port === "number" ? port : null;
};

const checkAtItsPort = (parts: StepParts, context: StartContext, process: RunningProcess) => {
  const { component } = context.action;
  return withStep(parts, context, (access) => access.runChecks(component), {
    locate: stableLocation,
    outputs: ownOutputs(component, process.port, process.release),
  });
};
