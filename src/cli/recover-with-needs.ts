/** recover --with-needs: first what the service needs and what does not work, then the service; each by a run of its own, all plans shown before the one yes. */
import { refuseBrokenLinks } from "../core/planner/refuse-broken-links.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import type { PlanRequest } from "../core/recovery/draft-recovery.ts";
import { formatList } from "../core/text/quantity.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type ServiceNeed, askNeeds } from "../operations/needs.ts";
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
  for (const { service, health, found } of needs) output.say(`${healthWord[health].padEnd(8)} ${service}: ${found}`);
  refuseUnknown(needs, request.service);
  const services = [...needs.flatMap(({ service, health }) => (health === "ill" ? [service] : [])), request.service];
  for (const service of services) await refuseIfBusy(bench, service, null);
  const plans = [];
  for (const service of services) {
    const planned = await during(output, bench.clock, `planning ${service}`, () =>
      plan(bench, { ...request, service, incidentAt: request.incidentAt ?? null }, signal),
    );
    await showPlan(planned, bench, output);
    refuseBrokenLinks(planned);
    plans.push(planned);
  }
  await requireYes(context, {
    question: `Recover ${formatList(services)} now, in this order?`,
    unasked: "a recovery changes what is live",
    nextCommand: `refloat recover ${request.service} --with-needs --yes`,
  });
  for (const [index, chosen] of plans.entries()) {
    const result = await executeRun(context, bench, { plan: chosen, record: null }, (listener) =>
      recover(bench, { plan: chosen, incidentAt: request.incidentAt ?? null, listener, signal }),
    );
    const left = services.slice(index + 1);
    if (result.exit !== 0 || left.length === 0) {
      if (left.length > 0)
        output.note(
          `not begun: ${formatList(left)}, which ${left.length === 1 ? "needs" : "need"} ${chosen.intent.service}`,
        );
      return result;
    }
    output.say(`${result.text}\n`);
  }
  throw new RefloatError("bug", "there was nothing to recover");
};

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
