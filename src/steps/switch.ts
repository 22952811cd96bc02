/**
 * switch: puts the incoming object behind the component's stable name. The identities before are journaled first, so that a
 * resumed run can tell by looking whether the switch has happened; anything that is neither before nor after goes to a person.
 */
import { RefloatError } from "../model/refloat-error.ts";
import type { Exchange, ExchangeObservation, Identity } from "../core/ports/driver.ts";
import type { StepContext } from "../core/ports/engine.ts";
import type { JsonObject } from "../model/json.ts";
import {
  type Action,
  type MakeHandler,
  nothing,
  type StepParts,
  ownOutput,
  restoredInstance,
  stableView,
  stepId,
  stepTimeoutMs,
  textOf,
  withStep,
} from "./step-bench.ts";

type SwitchContext = StepContext<Action<"switch">>;

/** Names of the exchange: from this run's own restore, or, when undoing, from what the undone run left. */
const exchangeOf = (context: SwitchContext): Exchange => {
  const { component } = context.action;
  const undone = context.plan.undoes?.exchanges[component];
  if (undone !== undefined) return undone;
  return {
    incoming: restoredInstance(context, component).name,
    outgoing: textOf(context.intents.get(stepId(`restore:${component}`)), "retired"),
  };
};

/**
 * A journal copied from another machine may end before a switch that was made: the incoming name is free, and the old side bears
 * the name that only this run gives. Then the world is read backwards, so that `check` finds the switch done.
 */
const asBeforeTheSwitch = (seen: ExchangeObservation): ExchangeObservation =>
  seen.incoming === null && seen.outgoing !== null && seen.stable !== null
    ? { stable: seen.outgoing, incoming: seen.stable, outgoing: null }
    : seen;

const remembered = (intent: JsonObject): { readonly exchange: Exchange; readonly before: ExchangeObservation } =>
  intent as unknown as { exchange: Exchange; before: ExchangeObservation };

const observe = (parts: StepParts, context: SwitchContext, exchange: Exchange): Promise<ExchangeObservation> =>
  withStep(
    parts,
    context,
    async (access) =>
      access
        .driver(context.action.component)
        .switching.observe(await access.context(context.action.component), exchange),
    stableView,
  );

/** Which side does the stable name stand for now? */
const sideOf = (component: string, now: Identity, before: ExchangeObservation): "old" | "new" => {
  if (now === before.stable) return "old";
  if (now === before.incoming) return "new";
  throw new RefloatError(
    "cutover.conflict",
    `${component} stands for ${now ?? "nothing"}, which is neither the old side (${before.stable ?? "nothing"}) nor the new one (${before.incoming ?? "nothing"})`,
    {
      hint: "somebody changed it during the cutover; put the name back on one of the two sides by hand, then resume",
    },
  );
};

export const createSwitchStep: MakeHandler<"switch"> = (parts) => ({
  kind: "switch",
  timeoutMs: stepTimeoutMs.server,
  retries: 2,

  prepare: async (context) => {
    const exchange = exchangeOf(context);
    const before = asBeforeTheSwitch(await observe(parts, context, exchange));
    if (before.incoming === null) {
      throw new RefloatError(
        "cutover.conflict",
        `${exchange.incoming}, which is to become ${context.action.component}, is not there`,
      );
    }
    return { exchange: { ...exchange }, before: { ...before } };
  },

  check: async (context) => {
    const { exchange, before } = remembered(context.intent);
    const now = await observe(parts, context, exchange);
    if (sideOf(context.action.component, now.stable, before) === "old") return { presence: "absent" };
    return { presence: "done", output: ownOutput(context) ?? { ...exchange, heldMs: 0, position: null } };
  },

  clear: nothing,

  apply: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const { component } = context.action;
        const { exchange, before } = remembered(context.intent);
        const report = await access
          .driver(component)
          .switching.exchange(await access.context(component), exchange, before);
        const position = await access.driver(component).writes?.position(await access.context(component), null);
        return {
          kind: "done",
          output: {
            incoming: exchange.incoming,
            outgoing: report.outgoing,
            heldMs: report.heldMs,
            oldPosition: report.position,
            newPosition: position ?? null,
          },
        };
      },
      stableView,
    ),

  compensate: async (context) => {
    const { component } = context.action;
    const { exchange, before } = remembered(context.intent);
    const now = await observe(parts, context, exchange);
    if (sideOf(component, now.stable, before) === "old") return;
    const outgoing = ownOutput(context)?.["outgoing"];
    const back: Exchange = {
      incoming: typeof outgoing === "string" ? outgoing : exchange.outgoing,
      outgoing: exchange.incoming,
    };
    await withStep(
      parts,
      context,
      async (access) => {
        const driver = access.driver(component);
        const driverContext = await access.context(component);
        await driver.switching.exchange(driverContext, back, await driver.switching.observe(driverContext, back));
        await driver.reload?.(driverContext);
      },
      stableView,
    );
  },
});
