/** plan: what a recovery would do, lose and take; changes nothing. */
import { z } from "zod";
import { compareJointPlans, comparePlans } from "../../operations/diff-plans.ts";
import type { PlanRequest } from "../../core/recovery/draft-recovery.ts";
import { plan } from "../../operations/plan.ts";
import { renderPlanDiff } from "../../render/plan-diff-screen.ts";
import { renderJointPlanDiff } from "../../render/joint-plan-screen.ts";
import { type CommandContext, type CommandResult, answer, defineCommand } from "../command.ts";
import { planning } from "../live-progress.ts";
import { planRequestInput, planRequestOptions } from "../plan-request.ts";
import { drawJointPlan } from "../recover-jointly.ts";
import { jointPlanText, planText } from "../show-plan.ts";
import { serviceArgument, serviceInput } from "../words.ts";

export const planCommand = defineCommand({
  name: "plan",
  group: "At 3 a.m.",
  summary: "what a recovery does, loses and takes; changes nothing",
  about: [
    "Picks the recovery point, looks at what is live and at the disks, and prints the plan: its steps in waves, the critical path (*), " +
      "what each component loses and what is kept, how long it takes and for how long traffic is held, warnings, and the digest.",
    "Changes nothing. The plan is remembered by its digest: refloat recover --plan DIGEST does exactly what was shown.",
  ],
  arguments: [serviceArgument],
  options: [
    ...planRequestOptions,
    {
      name: "with-needs",
      about:
        "one plan for it and for the services that it needs and that do not work, asked by their probes and checks",
    },
    {
      name: "diff",
      value: "OTHER",
      about:
        "what differs from a plan that was shown (its digest), or from the plan of another moment: steps, file, times, losses",
    },
  ],
  examples: [
    { line: "refloat plan shop", about: "all of shop, from its newest point" },
    { line: 'refloat plan shop --at "2 hours ago" --only db', about: "only the database, from before the damage" },
    { line: "refloat plan shop --at 7f3a91c2 --no-cutover", about: "restore beside live and check, then stop" },
    { line: "refloat plan shop --failback 42", about: "home again, from where run 42 recovered it" },
    { line: "refloat plan shop --diff 4c1e90ab", about: "what has changed since that plan was shown" },
    { line: "refloat plan shop --with-needs", about: "with the identity database, if it does not work" },
    { line: "refloat plan shop --at 14:20 --diff 14:00", about: "the plan of 14:20 beside that of 14:00" },
  ],
  exits: [3, 4],
  input: planRequestInput
    .extend({
      service: serviceInput,
      withNeeds: z.boolean().default(false),
      diff: z.string().trim().min(1, "--diff needs a digest or a time").nullable().default(null),
    })
    .refine(
      ({ withNeeds, only, failback }) => !withNeeds || (only === null && failback === null),
      "--with-needs recovers whole services to a point: it goes neither with --only nor with --failback",
    ),
  act: async ({ diff, withNeeds, ...request }, context) => {
    const { output, signal } = context;
    const bench = await context.bench();
    if (withNeeds) return planWithNeeds(context, request, diff);
    if (diff !== null) {
      const compared = await planning(context, bench.clock, "planning", () =>
        comparePlans(bench, request, diff, signal),
      );
      const screen = output.screen(bench.host.timeZone);
      return answer("plan-diff", compared, renderPlanDiff(compared.from, compared.to, compared.diff, screen));
    }
    const planned = await planning(context, bench.clock, "planning", () => plan(bench, request, signal));
    return answer("plan", planned, await planText(planned, bench, output));
  },
});

const planWithNeeds = async (
  context: CommandContext,
  request: PlanRequest,
  diff: string | null,
): Promise<CommandResult> => {
  const { output, signal } = context;
  const bench = await context.bench();
  if (diff !== null) {
    const compared = await planning(context, bench.clock, "asking what the service needs, and planning", () =>
      compareJointPlans(bench, request, diff, signal),
    );
    const screen = output.screen(bench.host.timeZone);
    return answer("joint-plan-diff", compared, renderJointPlanDiff(compared, compared.to.digest, screen));
  }
  const joint = await drawJointPlan(context, bench, request);
  return answer("joint-plan", joint, await jointPlanText(joint, bench, output));
};
