/** The request that a plan answered, to be asked of the world as it is now. */
import type { Plan } from "../../model/plan.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import type { LogTarget } from "../points/log-target.ts";

export type RequestAgain = {
  readonly service: string;
  readonly at: string | null;
  /** The place in a log that was found then: by now another one may bear its name. */
  readonly target?: LogTarget;
  readonly only: readonly string[] | null;
  readonly cutover: boolean;
  readonly acceptLoss: boolean;
  readonly approve: boolean;
  readonly failback?: string;
};

/**
 * @param moment `planned`: the very point that the plan has. `asked`: what was asked for, its instant frozen; the newest now where nothing was
 * @throws RefloatError usage for the plan of an undo
 */
export const askedAgain = ({ digest, intent, forecast }: Plan, moment: "planned" | "asked"): RequestAgain => {
  const approve =
    intent.declaration.approve === undefined && intent.steps.some(({ action }) => action.kind === "approve");
  if (intent.failback !== undefined && intent.undoes === null) {
    const { service, cutover, failback } = intent;
    return { service, at: null, only: null, cutover, acceptLoss: false, approve, failback: failback.runUid };
  }
  if (intent.point === null)
    throw new RefloatError("usage", `plan ${digest.slice(0, 8)} undoes a run and recovers no point`, {
      nextCommand: "refloat runs",
    });
  const { chosen, asked } = forecast;
  const frozen = chosen !== undefined && "at" in chosen ? chosen.at : null;
  const replayed = Object.keys(intent.replays ?? {}).length > 0;
  return {
    service: intent.service,
    at:
      moment === "planned"
        ? replayed && frozen !== null
          ? frozen
          : intent.point.id
        : asked === null
          ? null
          : (asked.instant ?? asked.text),
    ...(moment === "planned" && replayed && chosen?.kind === "log-target"
      ? { target: { ...chosen, text: asked?.text ?? chosen.what } }
      : {}),
    only: intent.scope,
    cutover: intent.cutover,
    acceptLoss: intent.acceptBroken !== undefined,
    approve,
  };
};
