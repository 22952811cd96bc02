/**
 * A trial: a release is started beside the live one, on a free port, bound to the restored instances; its checks are asked;
 * it is stopped again. Shared by `try` and `migrate`; each kind decides what the verdict means.
 */
import type { Outputs, RunningProcess, RuntimeOperations } from "../core/ports/driver.ts";
import type { StepContext } from "../core/ports/engine.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import type { Action } from "./step-bench.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type StepParts, restoredInstance, withStep } from "./step-bench.ts";

type TrialContext = StepContext<Action<"try" | "migrate" | "start">>;

export const runtimeOf = (runtime: RuntimeOperations | undefined, component: string): RuntimeOperations => {
  if (runtime === undefined) throw new RefloatError("bug", `${component} does not run, yet the plan starts it`);
  return runtime;
};

/** Folder of the release that the action names, before the cutover. */
export const releaseFolder = (
  parts: StepParts,
  context: TrialContext,
): Promise<{ readonly path: string; readonly label: string }> =>
  withStep(parts, context, async (access) => {
    const { component, release } = context.action;
    if (release === "restored") return { path: restoredInstance(context, component).name, label: "restored" };
    return runtimeOf(access.driver(component).runtime, component).liveRelease(await access.context(component));
  });

export const freePort = (parts: StepParts, context: TrialContext): Promise<number | null> =>
  withStep(parts, context, async (access) => {
    const { component } = context.action;
    const runtime = runtimeOf(access.driver(component).runtime, component);
    const driverContext = await access.context(component);
    return runtime.freePort(driverContext, await runtime.live(driverContext));
  });

/** Where a process of ours answers, as outputs that its own environment and checks bind to. */
export const ownOutputs = (component: string, port: number | null, release: string): ReadonlyMap<string, Outputs> =>
  port === null
    ? new Map()
    : new Map([
        [
          component,
          {
            port: { value: String(port), secret: false },
            address: { value: `127.0.0.1:${port}`, secret: false },
            url: { value: `http://127.0.0.1:${port}`, secret: false },
            path: { value: release, secret: false },
          },
        ],
      ]);

export type Trial = { readonly passed: boolean; readonly why: string; readonly outcomes: readonly CheckOutcome[] };

/** A release that does not even start is a verdict, not an error: that is what a trial is for. */
export const tryRelease = async (
  parts: StepParts,
  context: TrialContext,
  request: { readonly name: string; readonly release: string; readonly port: number },
): Promise<Trial> => {
  const { component } = context.action;
  const outputs = ownOutputs(component, request.port, request.release);
  return withStep(
    parts,
    context,
    async (access) => {
      const runtime = runtimeOf(access.driver(component).runtime, component);
      const driverContext = await access.context(component);
      let started: RunningProcess | null = null;
      try {
        started = await runtime.start(driverContext, request);
        const outcomes = await access.runChecks(component);
        const failed = outcomes.filter(({ status }) => status === "failed");
        return {
          passed: failed.length === 0,
          why: failed.map(({ subject, found }) => `${subject}: ${found}`).join("; "),
          outcomes,
        };
      } catch (error) {
        if (error instanceof RefloatError && error.code === "program.failed")
          return { passed: false, why: error.message, outcomes: [] };
        throw error;
      } finally {
        if (started !== null) await runtime.stop(driverContext, started);
      }
    },
    { outputs },
  );
};

/** Ends what a killed trial left running. */
export const endTrial = (parts: StepParts, context: TrialContext, name: string): Promise<void> =>
  withStep(parts, context, async (access) => {
    const { component } = context.action;
    const runtime = runtimeOf(access.driver(component).runtime, component);
    const driverContext = await access.context(component);
    const left = await runtime.find(driverContext, name);
    if (left !== null) await runtime.stop(driverContext, left);
  });
