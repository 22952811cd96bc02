/** Whether a plan that was shown still fits the world: before it is executed it is drawn up once more, and refused with what has changed. */
import { askedAgain } from "../core/planner/asked-again.ts";
import { diffPlans, intentChanges } from "../core/planner/diff-plans.ts";
import { planDigest } from "../core/planner/plan-digest.ts";
import { refuseIfShort } from "../core/planner/refuse-if-short.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { draftPlan } from "../core/recovery/draft-plan.ts";
import { formatList } from "../core/text/quantity.ts";
import { shortId } from "../model/identifiers.ts";
import type { Plan } from "../model/plan.ts";
import { RefloatError } from "../model/refloat-error.ts";

/**
 * An undo looks for itself what has changed since the run that it undoes.
 * @throws RefloatError plan.outdated, plan.no-space, and whatever keeps a plan from being made now
 */
export const fitPlan = async (bench: Workbench, shown: Plan, signal: AbortSignal): Promise<void> => {
  if (shown.intent.undoes !== null) return;
  const now = await draftNow(bench, shown, signal);
  if (digestOf(now) !== digestOf(shown)) {
    const changes = intentChanges(diffPlans(shown, now)).filter((change) => !change.startsWith("replays."));
    throw outdated(shown, formatList(changes, 4));
  }
  refuseIfShort(now);
};

const draftNow = async (bench: Workbench, shown: Plan, signal: AbortSignal): Promise<Plan> => {
  try {
    return await draftPlan(bench, askedAgain(shown, "planned"), signal);
  } catch (error) {
    const { point, service } = shown.intent;
    if (!(error instanceof RefloatError) || error.code !== "point.unknown" || point === null) throw error;
    throw outdated(shown, `its point ${shortId(point.id)} is no longer in the vault`, `refloat points ${service}`);
  }
};

/** A log that has grown leads to the same position: where it ends is what was shown. */
const digestOf = ({ intent }: Plan): string => {
  const { replays: _shown, ...rest } = intent;
  return planDigest(rest);
};

const outdated = (shown: Plan, what: string, next?: string): RefloatError =>
  new RefloatError("plan.outdated", `plan ${shortId(shown.digest)} no longer fits: ${what}`, {
    state: "nothing was begun",
    hint: "look at what a plan of now does, and decide again",
    nextCommand: next ?? `refloat plan ${shown.intent.service} --diff ${shortId(shown.digest)}`,
    context: { digest: shown.digest },
  });
