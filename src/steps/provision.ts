/**
 * provision: what the service needs is there before anything is restored. What is found is used and belongs to nobody here; what is
 * made is this run's, and this run's alone may remove it. Which of the two it is, is journaled before any effect.
 */
import { describeOutcomes, failedChecks } from "../core/components/check-verdict.ts";
import type { ComponentAccess } from "../core/components/component-access.ts";
import { sha256Of } from "../core/planner/plan-digest.ts";
import type { ProvisionOwner, ProvisionSight } from "../core/ports/driver.ts";
import type { StepContext, StepResult } from "../core/ports/engine.ts";
import { type JsonObject, toJsonObject } from "../model/json.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type Action, type MakeHandler, type StepParts, ownOutput, stepTimeoutMs, withStep } from "./step-bench.ts";

type ProvisionStep = StepContext<Action<"provision">>;

export const ownerOf = ({ run }: StepContext): ProvisionOwner => ({ run: run.number, runUid: run.uid });

/** Was it there before the run, as `prepare` of its provision step saw it? */
export const wasFound = (intent: JsonObject | undefined): boolean => intent?.["found"] === true;

/** @throws RefloatError instance.exists for what is there and was made, or half made, by somebody else meanwhile */
const refuseForeign = (context: ProvisionStep, sight: Exclude<ProvisionSight, { presence: "absent" }>): void => {
  if (sight.owner?.runUid === context.run.uid) return;
  const { provision } = context.action;
  const by = sight.owner === null ? "Refloat has not made it" : `run ${sight.owner.run} has begun it`;
  const half = sight.presence === "partial" ? "half there" : "there by now";
  throw new RefloatError("instance.exists", `${provision} is ${half}, and ${by}: ${sight.found}`, {
    hint: "make it whole or remove it by hand, then resume",
    ...(sight.owner === null ? {} : { nextCommand: `refloat runs ${sight.owner.run}` }),
  });
};

const inspect = async (access: ComponentAccess, name: string): Promise<ProvisionSight> => {
  const { driver, context } = await access.provision(name);
  return driver.inspect(context);
};

const remove = (parts: StepParts, context: ProvisionStep): Promise<void> =>
  withStep(parts, context, async (access) => {
    if (wasFound(context.intent)) return;
    const { driver, context: driverContext } = await access.provision(context.action.provision);
    await driver.destroy(driverContext, ownerOf(context));
  });

export const createProvisionStep: MakeHandler<"provision"> = (parts) => ({
  kind: "provision",
  timeoutMs: stepTimeoutMs.data,
  retries: 1,

  prepare: (context) =>
    withStep(parts, context, async (access) => {
      const sight = await inspect(access, context.action.provision);
      // A run that is taken over from another machine may have made it there.
      const isOwn = sight.presence !== "absent" && sight.owner?.runUid === context.run.uid;
      if (sight.presence === "partial") refuseForeign(context, sight);
      return { found: sight.presence === "done" && !isOwn };
    }),

  check: (context) =>
    withStep(parts, context, async (access) => {
      const sight = await inspect(access, context.action.provision);
      if (sight.presence === "absent") return { presence: "absent" };
      if (!wasFound(context.intent)) refuseForeign(context, sight);
      if (sight.presence === "partial") return { presence: "partial" };
      const output = ownOutput(context);
      // It is there, and nobody has heard what its checks say: `apply` asks them, and makes nothing anew.
      return output === undefined ? { presence: "absent" } : { presence: "done", output };
    }),

  clear: (context) => remove(parts, context),
  apply: (context) => withStep(parts, context, (access) => bringAbout(context, access)),
  compensate: (context) => remove(parts, context),
});

const bringAbout = async (context: ProvisionStep, access: ComponentAccess): Promise<StepResult> => {
  const { provision, shown } = context.action;
  const { driver, context: driverContext } = await access.provision(provision);
  const before = await driver.inspect(driverContext);
  let summary = before.presence === "absent" ? "" : `${before.found}, which was there`;
  if (before.presence === "absent") {
    if (wasFound(context.intent))
      throw new RefloatError("provision.absent", `${provision} was there when the run began, and is gone`, {
        hint: "somebody removed it meanwhile: plan anew, so that what will be made is shown",
      });
    if (shown !== undefined) {
      const { detail } = await driver.preview(driverContext);
      if (sha256Of(detail.join("\n")) !== shown)
        return {
          kind: "failed",
          message: `what would be made of ${provision} is no longer what the plan has shown`,
          hint: `cancel the run and plan anew: refloat plan ${context.plan.service}`,
          output: {},
        };
    }
    ({ summary } = await driver.apply(driverContext, ownerOf(context)));
    const after = await driver.inspect(driverContext);
    if (after.presence !== "done")
      throw new RefloatError(
        "program.failed",
        `${provision} was made without an error, and is ${after.presence === "absent" ? "not there" : `only half there: ${after.found}`}`,
      );
  }
  const outcomes = await access.runChecks(provision);
  const failed = failedChecks(outcomes);
  const output = toJsonObject({ made: !wasFound(context.intent), summary, outcomes });
  if (failed.length === 0) return { kind: "done", output };
  return { kind: "failed", message: `${provision} fails its checks: ${describeOutcomes(failed)}`, output };
};
