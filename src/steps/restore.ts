/** restore: the component's data from the vault to a new location. */
import { knownLines } from "../core/logs/known-lines.ts";
import type { StepContext } from "../core/ports/engine.ts";
import type { JsonObject } from "../model/json.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { capturedFor, isUnwritten } from "./made-point.ts";
import {
  type Action,
  type MakeHandler,
  type StepParts,
  isSwitched,
  noIntent,
  ownOutput,
  restoredInstance,
  retiredNameTaken,
  stepQuietMs,
  stepTimeoutMs,
  withStep,
} from "./step-bench.ts";

export const createRestoreStep: MakeHandler<"restore"> = (parts) => ({
  kind: "restore",
  timeoutMs: stepTimeoutMs.data,
  quietMs: stepQuietMs,
  retries: 2,

  prepare: (context) => (context.action.stage === "final" ? noIntent() : namesOf(parts, context)),

  check: (context) =>
    withStep(parts, context, async (access) => {
      const { component } = context.action;
      const output = ownOutput(context);
      // After the switch the instance bears the stable name; asking for it by its own would find nothing and restore it again.
      if (isSwitched(context, component) && output !== undefined) return { presence: "done", output };
      const target = restoredInstance(context, component);
      const presence = await access.driver(component).instances.inspect(await access.context(component), target);
      const kept = context.action.stage === "final" && isUnwritten(context, component) ? { kept: true } : {};
      return { presence, output: output ?? { instance: target.name, ...kept } };
    }),

  clear: (context) => drop(parts, context),

  apply: (context) =>
    withStep(parts, context, async (access) => {
      const { component } = context.action;
      const target = restoredInstance(context, component);
      if (context.action.stage === "final" && isUnwritten(context, component))
        return { kind: "done", output: { instance: target.name, kept: true } };
      const captured = await capturedFor(parts, context, component);
      if (captured === undefined)
        throw new RefloatError("bug", `the plan restores ${component}, which its point does not have`);
      const vault = await parts.vault();
      const { repository, logs } = vault;
      const { service, replays } = context.plan;
      const planned = replays?.[component];
      const driver = access.driver(component);
      const report = await driver.instances.restore(
        await access.context(component),
        target,
        await repository.openSnapshot(captured.snapshot),
        captured,
        planned === undefined ? undefined : { ...planned, logs: await logs.reader({ service, component }) },
        await knownLines(vault, driver, { service, component }),
      );
      return {
        kind: "done",
        output: {
          instance: target.name,
          sizeBytes: report.sizeBytes,
          summary: report.summary,
          warnings: report.warnings,
        },
      };
    }),

  compensate: async (context) => {
    // Its instance goes with the step that named it.
    if (context.action.stage === "final") return;
    // What serves now is never dropped: once switched, only undo and commit decide about it.
    if (!isSwitched(context, context.action.component)) await drop(parts, context);
  },
});

type RestoreContext = StepContext<Action<"restore">>;

const drop = (parts: StepParts, context: RestoreContext) =>
  withStep(parts, context, async (access) => {
    const { component } = context.action;
    await access
      .driver(component)
      .instances.drop(await access.context(component), restoredInstance(context, component));
  });

const namesOf = (parts: StepParts, context: RestoreContext): Promise<JsonObject> =>
  withStep(parts, context, async (access) => {
    const { component } = context.action;
    const { instances, switching } = access.driver(component);
    const driverContext = await access.context(component);
    const instance = await instances.name(driverContext, context.run.number);
    const retired = await instances.retiredName(driverContext, context.run.number);
    // Found in the cutover, it would be found while traffic is held. A run from a copy may have put its own old side there.
    if (context.plan.cutover && !context.run.fromCopy) {
      const { outgoing } = await switching.observe(driverContext, { incoming: instance, outgoing: retired });
      if (outgoing !== null) throw retiredNameTaken("instance.exists", component, retired);
    }
    return { instance, retired };
  });
