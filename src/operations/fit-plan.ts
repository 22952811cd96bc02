/** Whether a plan that was shown still fits the world: before it is executed it is drawn up once more, and refused with what has changed. */
import { askedAgain } from "../core/planner/asked-again.ts";
import { diffPlans, intentChanges } from "../core/planner/diff-plans.ts";
import { planDigest } from "../core/planner/plan-digest.ts";
import { refuseIfShort } from "../core/planner/refuse-if-short.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { joinAsNow } from "../core/recovery/draft-joint.ts";
import { draftPlan } from "../core/recovery/draft-plan.ts";
import { askNeed } from "../core/recovery/service-needs.ts";
import { formatList } from "../core/text/quantity.ts";
import { type PlanDigest, shortId } from "../model/identifiers.ts";
import type { JointPlan } from "../model/joint-plan.ts";
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
    throw outdated(shown.digest, changesOf(shown, now), againOf(shown));
  }
  refuseIfShort(now);
};

/**
 * The parts of a joint plan, all of them, and that the services which were left alone work still.
 * @throws RefloatError plan.outdated, plan.no-space, and whatever keeps one of the plans from being made now
 */
export const fitJointPlan = async (bench: Workbench, shown: JointPlan, signal: AbortSignal): Promise<void> => {
  if (shown.intent.purpose === "undo") return;
  const again = `refloat plan ${shown.intent.asked} --with-needs`;
  for (const { service } of shown.forecast.leftAlone) {
    const { health, found } = await askNeed(bench, service, signal);
    if (health !== "works") throw outdated(shown.digest, `${service} worked then, and does not now: ${found}`, again);
  }
  const drawn: Plan[] = [];
  for (const [runsBefore, part] of shown.parts.entries()) drawn.push(await draftNow(bench, part, signal, runsBefore));
  const now = await joinAsNow(bench, shown.intent.asked, drawn);
  for (const [index, part] of shown.parts.entries()) {
    const other = now.parts[index];
    if (other === undefined || digestOf(other) === digestOf(part)) continue;
    throw outdated(shown.digest, `${part.intent.service}: ${changesOf(part, other)}`, again);
  }
  refuseIfShort(...now.parts);
};

const changesOf = (shown: Plan, now: Plan): string =>
  formatList(
    intentChanges(diffPlans(shown, now)).filter((change) => !change.startsWith("replays.")),
    4,
  );

const draftNow = async (bench: Workbench, shown: Plan, signal: AbortSignal, runsBefore = 0): Promise<Plan> => {
  try {
    return await draftPlan(bench, { ...askedAgain(shown, "planned"), runsBefore }, signal);
  } catch (error) {
    const { point, service } = shown.intent;
    if (!(error instanceof RefloatError) || error.code !== "point.unknown" || point === null) throw error;
    throw outdated(
      shown.digest,
      `its point ${shortId(point.id)} is no longer in the vault`,
      `refloat points ${service}`,
    );
  }
};

/** A log that has grown leads to the same position: where it ends is what was shown. */
const digestOf = ({ intent }: Plan): string => {
  const { replays: _shown, ...rest } = intent;
  return planDigest(rest);
};

const againOf = ({ digest, intent }: Plan): string => `refloat plan ${intent.service} --diff ${shortId(digest)}`;

const outdated = (digest: PlanDigest, what: string, nextCommand: string): RefloatError =>
  new RefloatError("plan.outdated", `plan ${shortId(digest)} no longer fits: ${what}`, {
    state: "nothing was begun",
    hint: "look at what a plan of now does, and decide again",
    nextCommand,
    context: { digest },
  });
