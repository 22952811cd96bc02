/** recover: plan, ask, restore beside, check, cut over, probe, report. */
import { z } from "zod";
import { refuseBrokenLinks } from "../../core/planner/refuse-broken-links.ts";
import type { Workbench } from "../../core/ports/workbench.ts";
import { type ShownPlan, isJoint } from "../../model/joint-plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { fitJointPlan, fitPlan } from "../../operations/fit-plan.ts";
import { implyIncident } from "../../operations/incident.ts";
import { plan } from "../../operations/plan.ts";
import { readPlan, recover, refuseIfBusy } from "../../operations/recover.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { requireYes } from "../confirmation.ts";
import { executeRun } from "../execute-run.ts";
import { incidentInput, readIncident } from "../incident.ts";
import { planning } from "../live-progress.ts";
import { planRequestInput, planRequestOptions } from "../plan-request.ts";
import { executeJointly, recoverWithNeeds } from "../recover-jointly.ts";
import { showJointPlan, showPlan } from "../show-plan.ts";
import { serviceArgument, serviceInput } from "../words.ts";

const recoverInput = planRequestInput
  .extend({
    service: serviceInput.nullable().default(null),
    plan: z
      .string()
      .regex(/^[0-9a-f]{4,64}$/, "--plan takes the digest of a plan that was shown, or its first characters")
      .nullable()
      .default(null),
    incident: incidentInput,
    withNeeds: z.boolean().default(false),
  })
  .refine(({ service, plan }) => service !== null || plan !== null, "recover needs a service, or the digest of a plan")
  .refine(
    ({ plan, at, only, cutover, acceptLoss, approve, failback }) =>
      plan === null || (at === null && only === null && cutover && !acceptLoss && !approve && failback === null),
    "--plan does what was shown: --at, --only, --no-cutover, --accept-loss, --failback and --approve were decided with it",
  )
  .refine(
    ({ withNeeds, plan, only, failback, service }) =>
      !withNeeds || (plan === null && only === null && failback === null && service !== null),
    "--with-needs recovers whole services: it goes with a service, and neither with --plan nor with --only or --failback",
  );
type RecoverInput = z.infer<typeof recoverInput>;

export const recoverCommand = defineCommand({
  name: "recover",
  group: "At 3 a.m.",
  summary: "plan, ask, restore beside, check, cut over, probe, report",
  about: [
    "Shows the plan, asks, and executes it: restores to new locations beside what is live, starts and checks the restored side, fences " +
      "the old side, switches the names that users reach the service by, probes it as a user would, and reports. Nothing live changes " +
      "before the restored side has passed its checks; a cutover that fails is undone.",
    "Where nobody can be asked (a script, --json) it needs --yes, or --plan with the digest of a plan that was shown. Every step is " +
      "journaled: after a crash or Ctrl-C, refloat resume goes on where it stopped.",
  ],
  arguments: [{ ...serviceArgument, required: false }],
  options: [
    ...planRequestOptions,
    {
      name: "plan",
      value: "DIGEST",
      about:
        "execute exactly the plan that was shown under this digest; asks nothing. Refused, with what has changed, when it no longer fits",
    },
    {
      name: "with-needs",
      about:
        "with the services that it needs and that do not work, asked by their probes and checks: one plan, executed as one graph",
    },
    {
      name: "incident",
      value: "TIME",
      about:
        "when the first wrong answer was given: the clock of the RTO starts there, not now; last is the last point from before it, and an " +
        "incident is opened",
    },
  ],
  examples: [
    { line: 'refloat recover shop --at "2 hours ago" --only db', about: "only the database; shows the plan and asks" },
    { line: "refloat recover --plan 4c1e90ab", about: "what refloat plan has shown" },
    { line: "refloat recover shop --yes --json", about: "for a script: the newest point, events as JSON lines" },
    { line: "refloat recover shop --no-cutover", about: "a rehearsal beside live" },
    { line: "refloat recover shop --failback 42", about: "home again, from where run 42 recovered it" },
    { line: "refloat recover shop --with-needs", about: "the identity database too, if it does not work" },
  ],
  exits: [3, 4, 5, 6, 7],
  input: recoverInput,
  act: async (input, context) => {
    const bench = await context.bench();
    const incidentAt = readIncident(input.incident, bench);
    if (input.withNeeds && input.service !== null) {
      const { at, cutover, acceptLoss, approve, service } = input;
      if (incidentAt !== null) await openImplied(context, bench, service, incidentAt);
      return recoverWithNeeds(context, bench, { service, at, only: null, cutover, acceptLoss, approve, incidentAt });
    }
    const chosen = await choosePlan(input, incidentAt, bench, context);
    if (isJoint(chosen)) {
      await showJointPlan(chosen, bench, context.output);
      for (const part of chosen.parts) refuseBrokenLinks(part);
      if (incidentAt !== null) await openImplied(context, bench, chosen.intent.asked, incidentAt);
      return executeJointly(context, bench, chosen, incidentAt);
    }
    await showPlan(chosen, bench, context.output);
    // Before a person is asked to say yes to what would be refused.
    refuseBrokenLinks(chosen);
    if (input.plan === null) {
      await requireYes(context, {
        question: "Recover now?",
        unasked: chosen.intent.cutover ? "a recovery changes what is live" : "a recovery restores beside what is live",
        nextCommand: `refloat recover --plan ${chosen.digest.slice(0, 8)}`,
      });
    }
    const { service } = chosen.intent;
    if (incidentAt !== null) await openImplied(context, bench, service, incidentAt);
    return executeRun(context, bench, { plan: chosen, record: null }, (listener) =>
      recover(bench, { plan: chosen, incidentAt, listener, signal: context.signal }),
    );
  },
});

/** After the yes: who only looked has said nothing about the service. */
const openImplied = async (
  { output, shell }: CommandContext,
  bench: Workbench,
  service: string,
  since: string,
): Promise<void> => {
  const by = `${shell.userName}@${bench.host.hostname}`;
  const { problem } = await implyIncident(bench, { service, since, by });
  output.note(
    problem === null
      ? `an incident of ${service} is open: no point expires until refloat incident close ${service}`
      : `no incident could be opened, so points may expire: ${problem}`,
  );
};

const choosePlan = async (
  input: RecoverInput,
  incidentAt: string | null,
  bench: Workbench,
  context: CommandContext,
): Promise<ShownPlan> => {
  const { signal } = context;
  const { service, plan: digest, ...request } = input;
  if (digest !== null) {
    const shown = await readPlan(bench, digest);
    const named = isJoint(shown) ? shown.intent.asked : shown.intent.service;
    if (service !== null && service !== named)
      throw new RefloatError("usage", `plan ${digest} is one of ${named}, not of ${service}`, {
        nextCommand: `refloat recover --plan ${digest}`,
      });
    for (const { intent } of isJoint(shown) ? shown.parts : [shown])
      await refuseIfBusy(bench, intent.service, intent.undoes?.runUid ?? null);
    await planning(context, bench.clock, "comparing the plan with the world", () =>
      isJoint(shown) ? fitJointPlan(bench, shown, signal) : fitPlan(bench, shown, signal),
    );
    return shown;
  }
  // The form of the input has seen to it that one of the two is there.
  if (service === null) throw new RefloatError("bug", "recover was given neither service nor plan");
  await refuseIfBusy(bench, service, null);
  return planning(context, bench.clock, "planning", () => plan(bench, { ...request, service, incidentAt }, signal));
};
