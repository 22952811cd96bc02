/**
 * Switches a cluster by the path of its data folder. No server may run on either side while the two names are exchanged:
 *
 * 1. Whoever has company (standbys, a manager) is refused.
 * 2. The live server is stopped, which ends its sessions, and does not answer any more; so is that of the instance, whose own configuration goes.
 * 3. The names are exchanged in one act.
 * 4. The server is started at the stable place, as the live one was.
 *
 * A process that was killed between 3 and 4 leaves a name that is switched and does not serve: `serve` is asked for then.
 */
import type { SwitchOperations } from "../../core/ports/driver.ts";
import type { Exchange, ExchangeObservation } from "../../core/ports/driver.ts";
import { isOwnName } from "../../platform/path-names.ts";
import { createPathSwitching } from "../../platform/path-operations.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { type ClusterContext, type ClusterOptions, dataPathOf } from "./cluster-options.ts";
import { readMajor } from "./control-data.ts";
import { describeDisarmed } from "./disarm.ts";
import { removeInstanceFiles } from "./instance-server.ts";
import { refuseAnswering, refuseArmedStart, refuseCompany, serveStable, stopLive } from "./live-server.ts";
import { makePosition } from "./position.ts";
import { findPostmaster, stopPostmaster } from "./postmaster.ts";
import { removeTablespaces } from "./tablespaces.ts";
import { stoppedMark } from "./writes.ts";

const byPath = createPathSwitching<ClusterOptions>(dataPathOf);

const isSame = (a: ExchangeObservation, b: ExchangeObservation): boolean =>
  a.stable === b.stable && a.incoming === b.incoming && a.outgoing === b.outgoing;

const isSwitched = (seen: ExchangeObservation, expected: ExchangeObservation): boolean =>
  seen.stable === expected.incoming && seen.outgoing === expected.stable && seen.stable !== expected.stable;

/** An instance's server goes on with its files under whatever name: it is stopped where they are now. */
const quiet = async (context: ClusterContext, folder: string): Promise<void> => {
  if (!(await pathExists(folder))) return;
  await stopPostmaster(context, folder);
  await removeInstanceFiles(folder);
};

const positionOf = async (context: ClusterContext, folder: string) =>
  (await pathExists(folder)) ? makePosition(context.clock.now(), await stoppedMark(context, folder)) : null;

const exchangeStopped = async (
  context: ClusterContext,
  stable: string,
  exchange: Exchange,
  expected: ExchangeObservation,
): Promise<{ readonly heldMs: number; readonly outgoing: string }> => {
  const seen = await byPath.observe(context, exchange);
  // What is not as it was seen before is refused by the exchange itself, before any server is stopped.
  const isBetween = seen.stable === null && seen.incoming === expected.incoming && seen.outgoing === expected.stable;
  if (!isSwitched(seen, expected) && (isSame(seen, expected) || isBetween)) {
    if (expected.incoming !== null) {
      await refuseCompany(context, stable);
      await refuseArmedStart(context, stable, exchange.incoming);
    }
    await stopLive(context, stable);
    await refuseAnswering(context, [stable, exchange.incoming, exchange.outgoing]);
    // Parked by an exchange that was killed, it stands under the outgoing name.
    for (const folder of [exchange.incoming, exchange.outgoing]) await quiet(context, folder);
  }
  return byPath.exchange(context, exchange, expected);
};

export const clusterSwitching: SwitchOperations<ClusterOptions> = {
  observe: async (context, exchange) => {
    const seen = await byPath.observe(context, exchange);
    if (seen.stable !== null) await refuseCompany(context, await dataPathOf(context));
    return seen;
  },

  exchange: async (context, exchange, expected) => {
    const stable = await dataPathOf(context);
    const began = context.clock.monotonicMs();
    const { outgoing } = await exchangeStopped(context, stable, exchange, expected);
    // Nothing is behind the name when a switch that found nothing there is undone.
    if (expected.incoming !== null) await serveStable(context, stable);
    const position = expected.stable === null ? null : await positionOf(context, outgoing);
    return { heldMs: context.clock.monotonicMs() - began, position, outgoing };
  },

  serve: async (context) => {
    const stable = await dataPathOf(context);
    if (await pathExists(stable)) await serveStable(context, stable);
  },

  settle: async (context) => describeDisarmed(await dataPathOf(context)),

  discard: async (context, outgoing) => {
    const stable = await dataPathOf(context);
    await translateSystemErrors("target.failed", `${outgoing} cannot be removed`, async () => {
      // A name that no recovery gave is refused below, before anything of it is touched.
      if (!isOwnName(outgoing) || !(await pathExists(`${outgoing}/PG_VERSION`))) return;
      if ((await findPostmaster(outgoing)) !== null) await stopPostmaster(context, outgoing);
      await removeTablespaces(outgoing, stable, await readMajor(outgoing), context.signal);
    });
    await byPath.discard(context, outgoing);
  },
};
