/**
 * A trial: a release is started beside the live one, on a free port, bound to the restored instances; its checks are asked;
 * it is stopped again. Shared by `try` and `migrate`; each kind decides what the verdict means.
 */
import { describeOutcomes, failedChecks } from "../core/components/check-verdict.ts";
import type { RunningProcess } from "../core/ports/driver.ts";
import type { StepContext } from "../core/ports/engine.ts";
import type { JsonObject } from "../model/json.ts";
import type { CheckOutcome } from "../model/outcome.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { askInvariants } from "./ask-invariant.ts";
import { type Action, type StepParts, restoredInstance, textOf } from "./step-bench.ts";
import { keptRelease, ownOutputs, withRuntime } from "./with-runtime.ts";

type TrialContext = StepContext<Action<"try" | "migrate">>;

/** What a trial must remember before it begins: its name, the release and a port that is free now. */
export const prepareTrial = (parts: StepParts, context: TrialContext): Promise<JsonObject> =>
  withRuntime(parts, context, async (application) => {
    const { runtime, driverContext } = application;
    const { kind, component, release } = context.action;
    const { path, label } =
      release === "restored"
        ? { path: restoredInstance(context, component).name, label: "restored" }
        : await keptRelease(application);
    const port = await runtime.freePort(driverContext, await runtime.live(driverContext));
    return { name: `${component}_${kind}${context.run.number}`, release: path, label, port };
  });

export type Trial = { readonly passed: boolean; readonly why: string; readonly outcomes: readonly CheckOutcome[] };

/** A release that does not even start is a verdict, not an error: that is what a trial is for. */
export const tryRelease = (parts: StepParts, context: TrialContext, port: number): Promise<Trial> => {
  const { component } = context.action;
  const name = textOf(context.intent, "name");
  const release = textOf(context.intent, "release");
  return withRuntime(
    parts,
    context,
    async ({ runtime, driverContext, access }) => {
      let started: RunningProcess | null = null;
      try {
        started = await runtime.start(driverContext, { name, release, port });
        const outcomes = await access.runChecks(component);
        const failed = failedChecks(outcomes);
        // What does not work answers for nothing.
        const names = context.action.kind === "try" && failed.length === 0 ? context.action.invariants : [];
        const asked = await askInvariants(parts, context, access, names);
        const against = [...failed, ...asked.failed];
        return {
          passed: against.length === 0,
          why: describeOutcomes(against),
          outcomes: [...outcomes, ...asked.outcomes],
        };
      } catch (error) {
        if (error instanceof RefloatError && error.code === "program.failed") {
          return { passed: false, why: error.message, outcomes: [] };
        }
        throw error;
      } finally {
        if (started !== null) await runtime.stop(driverContext, started);
      }
    },
    { outputs: ownOutputs(component, port, release) },
  );
};

/** Ends what a killed trial left running. */
export const endTrial = (parts: StepParts, context: TrialContext): Promise<void> =>
  withRuntime(parts, context, async ({ runtime, driverContext }) => {
    const left = await runtime.find(driverContext, textOf(context.intent, "name"));
    if (left !== null) await runtime.stop(driverContext, left);
  });
