/**
 * switch: puts the incoming object behind the component's stable name. The identities before are journaled first, so that a
 * resumed run can tell by looking whether the switch has happened; anything that is neither before nor after goes to a person.
 */
import type { ComponentAccess } from "../core/components/component-access.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { mayHaveWrites } from "../core/run/written-units.ts";
import type { Exchange, ExchangeObservation } from "../core/ports/driver.ts";
import type { StepContext } from "../core/ports/engine.ts";
import type { DisarmedItem } from "../model/arming.ts";
import type { Position } from "../model/facts.ts";
import { type JsonObject, toJsonObject } from "../model/json.ts";
import {
  type Action,
  type MakeHandler,
  nothing,
  type StepParts,
  ownOutput,
  restoredInstance,
  retiredNameTaken,
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
  if (undone !== undefined) return { incoming: undone.incoming, outgoing: undone.outgoing };
  return {
    incoming: restoredInstance(context, component).name,
    outgoing: textOf(context.intents.get(stepId(`restore:${component}`)), "retired"),
  };
};

/**
 * A journal copied from another machine may end before a switch that was made: the incoming name is free, and the old side bears
 * the name that only this run gives. Then the world is read backwards, so that `check` finds the switch done. In a run of this
 * machine's own such a world is somebody else's doing, and to call that a switch would be a lie.
 */
const asBeforeTheSwitch = (
  { run }: SwitchContext,
  seen: ExchangeObservation,
  toNothing: boolean,
): ExchangeObservation =>
  run.fromCopy && seen.incoming === null && seen.outgoing !== null && (seen.stable !== null) !== toNothing
    ? { stable: seen.outgoing, incoming: seen.stable, outgoing: null }
    : seen;

/** Only the journal of the run that is undone knows that nothing stood there; an old side that is simply lost is a conflict. */
const goesToNothing = (context: SwitchContext): boolean =>
  context.plan.undoes?.exchanges[context.action.component]?.toNothing === true;

const notThere = (incoming: string, component: string): RefloatError =>
  new RefloatError("cutover.conflict", `${incoming}, which is to become ${component}, is not there`);

type Remembered = {
  readonly exchange: Exchange;
  readonly before: ExchangeObservation;
  /** Where the new side stood before anybody could write to it; null where that is not known. */
  readonly newPosition: Position | null;
};

const remembered = (intent: JsonObject): Remembered => ({
  newPosition: null,
  ...(intent as unknown as Omit<Remembered, "newPosition"> & Partial<Pick<Remembered, "newPosition">>),
});

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

const hasServer = (parts: StepParts, context: SwitchContext): Promise<boolean> =>
  withStep(
    parts,
    context,
    async (access) => access.driver(context.action.component).switching.serve !== undefined,
    stableView,
  );

/** An exchange that was killed before the names changed hands may have stopped the old side already. */
const serve = (parts: StepParts, context: SwitchContext, exchange: Exchange): Promise<void> =>
  withStep(
    parts,
    context,
    async (access) => {
      const { component } = context.action;
      await access.driver(component).switching.serve?.(await access.context(component), exchange);
    },
    stableView,
  );

/** What does not act there until somebody says so. Only told here, and asked for again by who arms it. */
const disarmedBehind = (parts: StepParts, context: SwitchContext): Promise<readonly DisarmedItem[]> =>
  withStep(
    parts,
    context,
    async (access) => {
      const { component } = context.action;
      return (await access.driver(component).arming?.disarmed(await access.context(component))) ?? [];
    },
    stableView,
  );

const positionOf = (parts: StepParts, context: SwitchContext, location: string): Promise<Position | null> =>
  withStep(
    parts,
    context,
    async (access) => {
      const { component } = context.action;
      return (await access.driver(component).writes?.position(await access.context(component), location)) ?? null;
    },
    stableView,
  );

/**
 * Why the old side could not serve again, as far as its files tell: who reads the report is not to count on an undo that is refused.
 * What cannot be looked at says nothing; the switch is done.
 */
const unfitSide = async (
  context: SwitchContext,
  access: ComponentAccess,
  { outgoing, before }: { readonly outgoing: string; readonly before: ExchangeObservation },
): Promise<string | null> => {
  const { component } = context.action;
  if (context.plan.purpose !== "recover" || before.stable === null) return null;
  const { ofReturn } = access.driver(component).switching;
  try {
    return (await ofReturn?.(await access.context(component), outgoing))?.refusal ?? null;
  } catch {
    context.signal.throwIfAborted();
    return null;
  }
};

/** Which side does the stable name stand for now? Nothing is the new side only where the other one was put away by us. */
const sideOf = (component: string, now: ExchangeObservation, before: ExchangeObservation): "old" | "new" => {
  if (now.stable === before.stable) return "old";
  const isPutAway = now.stable !== null || now.outgoing === before.stable;
  if (now.stable === before.incoming && isPutAway) return "new";
  throw new RefloatError(
    "cutover.conflict",
    `${component} stands for ${now.stable ?? "nothing"}, which is neither the old side (${before.stable ?? "nothing"}) nor the new one (${before.incoming ?? "nothing"})`,
    {
      hint: "somebody changed it during the cutover; put the name back on one of the two sides by hand, then resume",
    },
  );
};

/**
 * An undo was free of loss when it was planned, and the new side has served until its fence: asked once more, now that it stands still.
 * @throws RefloatError undo.would-lose
 */
const refuseNewWrites = async (context: SwitchContext, access: ComponentAccess): Promise<void> => {
  const { component } = context.action;
  const { undoes } = context.plan;
  const since = undoes?.positions?.[component];
  const { writes } = access.driver(component);
  if (undoes === null || undoes.acceptLoss || since === undefined || writes === undefined) return;
  const report = await writes.writesSince(await access.context(component), { location: null, since });
  if (!mayHaveWrites(report)) return;
  const written = [...report.units.map(({ name }) => name), ...report.gaps];
  throw new RefloatError(
    "undo.would-lose",
    `${component} has taken writes since this undo was planned: ${written.join(", ")}`,
    {
      hint: "--accept-loss takes a point of the new side first, so that nothing is gone for good",
      nextCommand: `refloat undo ${undoes.run} --accept-loss`,
    },
  );
};

export const createSwitchStep: MakeHandler<"switch"> = (parts) => ({
  kind: "switch",
  timeoutMs: stepTimeoutMs.server,
  retries: 2,

  prepare: async (context) => {
    const exchange = exchangeOf(context);
    const seen = await observe(parts, context, exchange);
    const toNothing = goesToNothing(context);
    const before = asBeforeTheSwitch(context, seen, toNothing);
    if (before.incoming === null && !toNothing) throw notThere(exchange.incoming, context.action.component);
    if (before.outgoing !== null)
      throw retiredNameTaken("cutover.conflict", context.action.component, exchange.outgoing);
    if (before.incoming !== null && toNothing) {
      throw new RefloatError(
        "cutover.conflict",
        `${exchange.incoming} is there, and nothing was when it was recovered: it is not known what it is`,
        { hint: "rename or drop it by hand" },
      );
    }
    // Journaled before the switch: a kill right after it must not leave an undo that cannot tell what the new side has taken.
    const newPosition =
      context.plan.purpose === "recover" && before === seen
        ? await positionOf(parts, context, exchange.incoming)
        : null;
    return toJsonObject({ exchange, before, newPosition });
  },

  check: async (context) => {
    const { exchange, before, newPosition } = remembered(context.intent);
    const now = await observe(parts, context, exchange);
    if (sideOf(context.action.component, now, before) === "old") return { presence: "absent" };
    // The names are exchanged, and nobody has heard whether a server was started behind them: it is asked for again.
    if (ownOutput(context) === undefined && (await hasServer(parts, context))) return { presence: "partial" };
    const own = ownOutput(context);
    if (own !== undefined) return { presence: "done", output: own };
    const disarmed = await disarmedBehind(parts, context);
    const unfit = await withStep(
      parts,
      context,
      (access) => unfitSide(context, access, { outgoing: exchange.outgoing, before }),
      stableView,
    );
    return {
      presence: "done",
      output: toJsonObject({ ...exchange, heldMs: 0, oldPosition: null, newPosition, disarmed, unfit }),
    };
  },

  clear: nothing,

  apply: (context) =>
    withStep(
      parts,
      context,
      async (access) => {
        const { component } = context.action;
        const { exchange, before, newPosition } = remembered(context.intent);
        const now = await access.driver(component).switching.observe(await access.context(component), exchange);
        // What stands behind the name after an exchange is not what an undo would lose.
        if (sideOf(component, now, before) === "old") await refuseNewWrites(context, access);
        const driver = access.driver(component);
        const report = await driver.switching.exchange(await access.context(component), exchange, before);
        return {
          kind: "done",
          output: toJsonObject({
            incoming: exchange.incoming,
            outgoing: report.outgoing,
            heldMs: report.heldMs,
            oldPosition: report.position,
            newPosition,
            disarmed: (await driver.arming?.disarmed(await access.context(component))) ?? [],
            unfit: await unfitSide(context, access, { outgoing: report.outgoing, before }),
          }),
        };
      },
      stableView,
    ),

  compensate: async (context) => {
    const { component } = context.action;
    const { exchange, before } = remembered(context.intent);
    const now = await observe(parts, context, exchange);
    if (sideOf(component, now, before) === "old") {
      await serve(parts, context, exchange);
      return;
    }
    const outgoing = ownOutput(context)?.["outgoing"];
    const back: Exchange = {
      incoming: typeof outgoing === "string" ? outgoing : exchange.outgoing,
      outgoing: exchange.incoming,
      isReturn: true,
    };
    await withStep(
      parts,
      context,
      async (access) => {
        const driver = access.driver(component);
        const driverContext = await access.context(component);
        const seen = await driver.switching.observe(driverContext, back);
        if (seen.incoming === null && before.stable !== null) throw notThere(back.incoming, component);
        await driver.switching.exchange(driverContext, back, seen);
        await driver.reload?.(driverContext);
      },
      stableView,
    );
  },
});
