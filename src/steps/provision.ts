/**
 * provision: what the service needs is there before anything is restored. What is found is used and belongs to nobody here; what is
 * made is this run's, and this run's alone may remove it. Which of the two it is, is journaled before any effect.
 */
import { describeOutcomes, failedChecks } from "../core/components/check-verdict.ts";
import type { ComponentAccess } from "../core/components/component-access.ts";
import { sha256Of } from "../core/planner/plan-digest.ts";
import type { ProvisionDriver, ProvisionOwner, ProvisionSight } from "../core/ports/provision.ts";
import type { StepContext, StepResult } from "../core/ports/engine.ts";
import { type JsonObject, toJsonObject } from "../model/json.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type Action, type MakeHandler, type StepParts, ownOutput, stepTimeoutMs, withStep } from "./step-bench.ts";
import { untilAnswered } from "./until-answered.ts";

/** Of a plan's digest, as people say it. */
const digestLength = 12;

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

/** What a killed attempt has left is made anew, or, by a driver that can, brought to its end; `apply` looks what there is then. */
const finishOrRemove = (parts: StepParts, context: ProvisionStep): Promise<void> =>
  withStep(parts, context, async (access) => {
    if (wasFound(context.intent)) return;
    const { driver, context: driverContext } = await access.provision(context.action.provision);
    if (driver.finish === undefined) await driver.destroy(driverContext, ownerOf(context));
    else await driver.finish(driverContext, ownerOf(context));
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
      if (sight.presence === "absent" && context.action.found === true) throw gone(context, "the plan was drawn");
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

  clear: (context) => finishOrRemove(parts, context),
  apply: (context) => withStep(parts, context, (access) => bringAbout(parts, context, access)),
  compensate: (context) => remove(parts, context),
});

const gone = ({ action, plan }: ProvisionStep, since: string): RefloatError =>
  new RefloatError("provision.absent", `${action.provision} was there when ${since}, and is gone`, {
    hint: "somebody removed it meanwhile: cancel the run and plan anew, so that what will be made is shown",
    context: { provision: action.provision },
    nextCommand: `refloat plan ${plan.service}`,
  });

type Preview = Awaited<ReturnType<ProvisionDriver["preview"]>>;

/**
 * What is shown in full is made only as somebody has seen it: in the plan, or, where it could not be seen before another entry was there,
 * now. @returns null when it may be made
 */
const refuseUnseen = async (
  parts: StepParts,
  context: ProvisionStep,
  { what, detail }: Preview,
): Promise<StepResult | null> => {
  const { provision, shown } = context.action;
  const digest = sha256Of(detail.join("\n"));
  if (detail.length === 0 ? shown === undefined : digest === shown) return null;
  if (shown !== undefined)
    return {
      kind: "failed",
      message: `what would be made of ${provision} is no longer what the plan has shown`,
      hint: `cancel the run and plan anew: refloat plan ${context.plan.service}`,
      output: {},
    };
  const name = digest.slice(0, digestLength);
  const question = `what is made of ${provision} could not be shown in the plan. ${what}\n${detail.join("\n")}\n`;
  const word = await untilAnswered(context, {
    // A yes is to what was seen: of another text it is none.
    judge: (words) => words.findLast(({ says, evidence }) => says === "failed" || evidence === name) ?? null,
    ask: async (_words, signal) => {
      const me = await parts.person();
      // No approver: `--yes` was said to the plan, which could not show this.
      const evidence = await parts.attendant.perform(`${question}To let it be made, write ${name}`, true, signal);
      return evidence === null ? "nobody" : { says: "done", by: me.name, roles: [...me.roles], evidence };
    },
  });
  const { number } = context.run;
  if (word === null) {
    const next = `refloat done ${number} ${context.step.id} --evidence ${name}, and refloat resume ${number}`;
    return { kind: "waiting", for: "person", message: `${question}To let it be made: ${next}` };
  }
  if (word.says === "failed")
    return { kind: "failed", message: `${word.by} does not let ${provision} be made`, output: { by: word.by } };
  return null;
};

const bringAbout = async (parts: StepParts, context: ProvisionStep, access: ComponentAccess): Promise<StepResult> => {
  const { provision } = context.action;
  const { driver, context: driverContext } = await access.provision(provision);
  const before = await driver.inspect(driverContext);
  // What this run has half made was cleared before: this one was found, and has changed since.
  if (before.presence === "partial")
    throw new RefloatError(
      "provision.absent",
      `${provision} was found, and is only half there by now: ${before.found}`,
      {
        hint: "make it whole by hand, then resume",
        context: { provision },
        nextCommand: `refloat resume ${context.run.number}`,
      },
    );
  let summary = before.presence === "absent" ? "" : `${before.found}, which was there`;
  if (before.presence === "absent") {
    if (wasFound(context.intent)) throw gone(context, "the run began");
    const unseen = await refuseUnseen(parts, context, await driver.preview(driverContext));
    if (unseen !== null) return unseen;
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
