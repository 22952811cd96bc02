/**
 * Puts what stands behind the name of a component away from it, or back, on the side that a failback leaves. The identities before are journaled
 * first, as for a switch: a resumed run looks whether it has happened, and anything that is neither before nor after goes to a person.
 */
import { awayNumber } from "../core/failback/away-number.ts";
import type { Exchange, ExchangeObservation } from "../core/ports/driver.ts";
import type { StepContext } from "../core/ports/engine.ts";
import type { JsonObject } from "../model/json.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { type Action, type StepParts, withStep } from "./step-bench.ts";

export type PutContext = StepContext<Action<"retire" | "reinstate">>;

export type PutAway = {
  /** A name that stands for nothing. */
  readonly free: string;
  /** Where it is kept. */
  readonly kept: string;
  /** Of what is put away: it survives the renaming. */
  readonly identity: string;
};

/** @throws RefloatError bug for a plan of one side */
export const awayNames = async (parts: StepParts, context: PutContext): Promise<Omit<PutAway, "identity">> => {
  const uid = context.plan.failback?.runUid;
  if (uid === undefined) throw new RefloatError("bug", `${context.step.id} is of a plan that has one side`);
  return withStep(parts, context, async (access) => {
    const { instances } = access.driver(context.action.component);
    const driverContext = await access.context(context.action.component);
    return {
      free: await instances.name(driverContext, awayNumber(uid)),
      kept: await instances.retiredName(driverContext, awayNumber(uid)),
    };
  });
};

export const putAwayOf = (intent: JsonObject): PutAway => intent as unknown as PutAway;

const exchangeOf = ({ free, kept }: Omit<PutAway, "identity">, way: "away" | "back"): Exchange =>
  way === "away"
    ? { incoming: free, outgoing: kept, putsAway: true }
    : { incoming: kept, outgoing: free, putsAway: true };

export const observePut = (
  parts: StepParts,
  context: PutContext,
  names: Omit<PutAway, "identity">,
  way: "away" | "back",
): Promise<ExchangeObservation> =>
  withStep(parts, context, async (access) => {
    const { component } = context.action;
    return access.driver(component).switching.observe(await access.context(component), exchangeOf(names, way));
  });

/** Where is it? Seen by the names of putting it away. @throws RefloatError cutover.conflict */
export const whereIs = async (parts: StepParts, context: PutContext): Promise<"behind" | "away"> => {
  const put = putAwayOf(context.intent);
  const now = await observePut(parts, context, put, "away");
  if (now.stable === put.identity && now.outgoing === null) return "behind";
  if (now.stable === null && now.outgoing === put.identity) return "away";
  const { component } = context.action;
  throw new RefloatError(
    "cutover.conflict",
    `${component} of the side that is left stands for ${now.stable ?? "nothing"} and ${put.kept} for ${now.outgoing ?? "nothing"}; what was there before is ${put.identity}`,
    { hint: "somebody changed it during the run; put it back by hand, behind its name or away from it, then resume" },
  );
};

/** Idempotent. */
export const putIt = async (parts: StepParts, context: PutContext, way: "away" | "back"): Promise<void> => {
  const put = putAwayOf(context.intent);
  const isThere = (await whereIs(parts, context)) === (way === "away" ? "away" : "behind");
  await withStep(parts, context, async (access) => {
    const driver = access.driver(context.action.component);
    const driverContext = await access.context(context.action.component);
    const expected =
      way === "away"
        ? { stable: put.identity, incoming: null, outgoing: null }
        : { stable: null, incoming: put.identity, outgoing: null };
    if (!isThere) await driver.switching.exchange(driverContext, exchangeOf(put, way), expected);
    // An exchange that was killed may have had more to do than the names: to finish what it has put away, to start a server that it had stopped.
    else if (driver.switching.serve !== undefined)
      await (way === "away"
        ? driver.switching.exchange(driverContext, exchangeOf(put, way), expected)
        : driver.switching.serve(driverContext, exchangeOf(put, "away")));
    if (way === "back") await driver.reload?.(driverContext);
    return undefined;
  });
};
