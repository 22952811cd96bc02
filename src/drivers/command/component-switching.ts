/**
 * Puts an instance of a `command` component behind its stable name, in one of three ways: by its tool, held against
 * identities before and after; by the exchange of two paths, where the name is one; or not at all, which is said before anything
 * is planned.
 */
import type { Exchange, ExchangeObservation, Identity, SwitchOperations } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { createPathSwitching } from "../../platform/path-operations.ts";
import { removePlace } from "./component-instances.ts";
import { instanceNameOf, isGivenName, runOf, stableNameOf } from "./component-names.ts";
import { type CommandComponentOptions, type CommandContext, isPath } from "./component-options.ts";
import { removeInstanceRecord } from "../../platform/instance-record.ts";
import { toolOf } from "./tool-of.ts";

type Switching = SwitchOperations<CommandComponentOptions>;

const byPath = createPathSwitching<CommandComponentOptions>(async (context) => stableNameOf(context));

const describe = ({ stable, incoming, outgoing }: ExchangeObservation): string =>
  `stable ${stable ?? "nothing"}, incoming ${incoming ?? "nothing"}, outgoing ${outgoing ?? "nothing"}`;

const isSame = (a: ExchangeObservation, b: ExchangeObservation): boolean =>
  a.stable === b.stable && a.incoming === b.incoming && a.outgoing === b.outgoing;

const isAfter = (seen: ExchangeObservation, expected: ExchangeObservation): boolean =>
  seen.stable === expected.incoming && seen.outgoing === expected.stable && seen.stable !== expected.stable;

const observeAll = async (
  context: CommandContext,
  exchange: Exchange,
  identify: (name: string) => Promise<Identity>,
): Promise<ExchangeObservation> => ({
  stable: await identify(stableNameOf(context)),
  incoming: await identify(exchange.incoming),
  outgoing: await identify(exchange.outgoing),
});

const byTool: Switching = {
  observe: (context, exchange) => observeAll(context, exchange, (name) => toolOf(context).identity(context, name)),

  exchange: async (context, exchange, expected) => {
    const began = context.clock.monotonicMs();
    const done = () => ({
      heldMs: context.clock.monotonicMs() - began,
      position: null,
      outgoing: exchange.outgoing,
    });
    const seen = await byTool.observe(context, exchange);
    if (isAfter(seen, expected)) return { ...done(), heldMs: 0 };
    if (!isSame(seen, expected) || expected.outgoing !== null)
      throw new RefloatError(
        "cutover.conflict",
        `${stableNameOf(context)} is not as it was seen before the switch: expected ${describe(expected)}; found ${describe(seen)}`,
      );
    await toolOf(context).exchange(context, {
      incoming: expected.incoming === null ? null : exchange.incoming,
      outgoing: exchange.outgoing,
      expected,
    });
    const after = await byTool.observe(context, exchange);
    if (isAfter(after, expected)) return done();
    throw new RefloatError(
      "cutover.conflict",
      `switch of ${context.component} ended well, and ${stableNameOf(context)} is not what it should be: ${describe(after)}`,
      { hint: "identity must print the same of a thing before and after it is switched" },
    );
  },

  discard: (context, outgoing) => removePlace(context, outgoing),
};

/** What was stopped for a switch that was not made serves again, as far as its line can do that. */
const goOn = async (context: CommandContext): Promise<void> => {
  try {
    await toolOf(context).reload(context);
  } catch (error) {
    context.log.warn("what was stopped for a switch could not be started again", { error: String(error) });
  }
};

const byRename: Switching = {
  observe: byPath.observe,
  exchange: async (context, exchange, expected) => {
    const began = context.clock.monotonicMs();
    const seen = await byPath.observe(context, exchange);
    const stops = isSame(seen, expected) && expected.outgoing === null;
    const act = async () => {
      if (stops) await toolOf(context).stop(context);
      return byPath.exchange(context, exchange, expected);
    };
    const report = await act().catch(async (error: unknown) => {
      if (stops && !context.signal.aborted) await goOn(context);
      throw error;
    });
    if (expected.incoming !== null) await toolOf(context).reload(context);
    return { ...report, heldMs: context.clock.monotonicMs() - began };
  },
  discard: async (context, outgoing) => {
    await removePlace(context, outgoing);
    // What the exchange itself remembers beside the path.
    await byPath.discard(context, outgoing);
  },
};

const impossible = (component: string): string =>
  `${component} has no switch of its own and its name is no path, so nothing can be put behind it`;

const never: Switching = {
  refusal: async ({ component }) => impossible(component),
  observe: (context, exchange) =>
    observeAll(context, exchange, async (name) =>
      (await toolOf(context).inspect(context, name)) === "absent" ? null : `name:${name}`,
    ),
  exchange: async ({ component }) => {
    throw new RefloatError("cutover.refused", impossible(component));
  },
  discard: (context, outgoing) => removePlace(context, outgoing),
};

const wayOf = async (context: CommandContext): Promise<Switching> =>
  (await toolOf(context).canSwitch(context)) ? byTool : isPath(context.options.name) ? byRename : never;

export const commandSwitching: Switching = {
  refusal: async (context) => (await (await wayOf(context)).refusal?.(context)) ?? null,
  observe: async (context, exchange) => (await wayOf(context)).observe(context, exchange),
  exchange: async (context, exchange, expected) => (await wayOf(context)).exchange(context, exchange, expected),
  discard: async (context, outgoing) => {
    if (!isGivenName(context, outgoing))
      throw new RefloatError("cutover.refused", `${outgoing} is not a name that a recovery gave, so it is not removed`);
    await (await wayOf(context)).discard(context, outgoing);
    await removeInstanceRecord(context, instanceNameOf(context, runOf(outgoing)));
  },
};
