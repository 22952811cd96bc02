/** recover --with-needs: first what the service needs and what does not work, then the service; each by a run of its own, all plans shown before the one yes. */
import { refuseBrokenLinks } from "../core/planner/refuse-broken-links.ts";
import { refuseIfShort } from "../core/planner/refuse-if-short.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { PlanRequest } from "../core/recovery/draft-recovery.ts";
import { formatList } from "../core/text/quantity.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { fitPlan } from "../operations/fit-plan.ts";
import { type ServiceNeed, askNeed, askNeeds } from "../operations/needs.ts";
import { plan } from "../operations/plan.ts";
import { recover, refuseIfBusy } from "../operations/recover.ts";
import type { CommandContext, CommandResult } from "./command.ts";
import { requireYes } from "./confirmation.ts";
import { executeRun } from "./execute-run.ts";
import { during } from "./live-progress.ts";
import { showPlan } from "./show-plan.ts";

export const recoverWithNeeds = async (
  context: CommandContext,
  bench: Workbench,
  request: PlanRequest,
): Promise<CommandResult> => {
  const { output, signal } = context;
  const needs = await during(output, bench.clock, "asking what the service needs", () =>
    askNeeds(bench, request.service, signal),
  );
  for (const need of needs) output.say(healthLine(need));
  refuseUnknown(needs, request.service);
  const services = [...needs.flatMap(({ service, health }) => (health === "ill" ? [service] : [])), request.service];
  for (const service of services) await refuseIfBusy(bench, service, null);
  const plans: Plan[] = [];
  for (const [runsBefore, service] of services.entries()) {
    const planned = await during(output, bench.clock, `planning ${service}`, () =>
      plan(bench, { ...request, service, incidentAt: request.incidentAt ?? null, runsBefore }, signal),
    );
    await showPlan(planned, bench, output);
    refuseBrokenLinks(planned);
    plans.push(planned);
  }
  refuseIfShort(...plans);
  await requireYes(context, {
    question: `Recover ${formatList(services)} now, in this order?`,
    unasked: "a recovery changes what is live",
    nextCommand: `refloat recover ${request.service} --with-needs --yes`,
  });
  for (const [index, chosen] of plans.entries()) {
    const notBegun = (from: number): void => tellNotBegun(context, services.slice(from));
    if (index > 0) {
      try {
        if (!(await isStillDue(context, bench, chosen, request.service))) continue;
      } catch (error) {
        notBegun(index);
        throw error;
      }
    }
    const result = await executeRun(context, bench, { plan: chosen, record: null }, (listener) =>
      recover(bench, { plan: chosen, incidentAt: request.incidentAt ?? null, listener, signal }),
    );
    if (result.exit !== 0 || index === plans.length - 1) {
      notBegun(index + 1);
      return result;
    }
    output.say(`${result.text}\n`);
  }
  throw new RefloatError("bug", "there was nothing to recover");
};

/**
 * Hours may have passed since the yes. A service that was ill for want of what is back now is left alone, and another one is recovered as it was shown.
 * @throws RefloatError plan.outdated, plan.no-space
 */
const isStillDue = async (
  { output, signal }: CommandContext,
  bench: Workbench,
  shown: Plan,
  asked: string,
): Promise<boolean> => {
  const { service } = shown.intent;
  if (service !== asked) {
    const need = await during(output, bench.clock, `asking ${service} again`, () => askNeed(bench, service, signal));
    output.say(healthLine(need));
    refuseUnknown([need], asked);
    if (need.health === "works") return false;
  }
  await during(output, bench.clock, "comparing the plan with the world", () => fitPlan(bench, shown, signal));
  return true;
};

const tellNotBegun = ({ output }: CommandContext, services: readonly string[]): void => {
  if (services.length > 0) output.note(`not begun: ${formatList(services)}`);
};

const healthLine = ({ service, health, found }: ServiceNeed): string =>
  `${healthWord[health].padEnd(8)} ${service}: ${found}`;

const healthWord = { works: "works", ill: "ILL", unknown: "unknown" } as const satisfies Record<
  ServiceNeed["health"],
  string
>;

/** To put a service that may be whole back to an older point would lose what it has taken since. */
const refuseUnknown = (needs: readonly ServiceNeed[], asked: string): void => {
  const unknown = needs.filter(({ health }) => health === "unknown").map(({ service }) => service);
  const [first] = unknown;
  if (first === undefined) return;
  throw new RefloatError("plan.impossible", `whether ${formatList(unknown)} must be recovered cannot be told`, {
    state: "nothing was changed",
    hint: `declare a probe or a check for ${first}; or look for yourself, and recover ${asked} without --with-needs`,
    nextCommand: `refloat plan ${first}`,
  });
};
