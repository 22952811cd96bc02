/**
 * Switches a server by the path of its data folder. No server may run on either side while the two names are exchanged:
 *
 * 1. What must not be switched (company, a manager) is refused, before any server is stopped.
 * 2. The live server is stopped and does not answer any more; so is that of the instance, whose own files go.
 * 3. The names are exchanged in one act.
 * 4. The server is started at the stable place, as the live one was.
 *
 * A process that was killed between 3 and 4 leaves a name that is switched and does not serve: `serve` is asked for then.
 */
import type { DriverContext, Exchange, ExchangeObservation, SwitchOperations } from "../../core/ports/driver.ts";
import type { Position } from "../../model/facts.ts";
import { isOwnName } from "../path-names.ts";
import { type StablePathOf, createPathSwitching } from "../path-operations.ts";
import { translateSystemErrors } from "../system-error.ts";
import { pathExists } from "../tree-files.ts";

/** What one technology knows of its server. `folder`: where its data are; each act is idempotent, and nothing there is no error. */
export type FolderServer<Options> = {
  readonly pathOf: StablePathOf<Options>;
  /** Is it a data folder of this technology? */
  readonly holdsData: (folder: string) => Promise<boolean>;
  /** @throws RefloatError cutover.refused when this server can never be switched */
  readonly refuseSwitch: (context: DriverContext<Options>, stable: string) => Promise<void>;
  /** The same, by what is to come. Asked for right before the live server is stopped. */
  readonly refuseIncoming: (context: DriverContext<Options>, stable: string, incoming: string) => Promise<void>;
  /** Stops what runs behind the stable name, and proves it. @throws RefloatError fence.failed */
  readonly stopLive: (context: DriverContext<Options>, stable: string) => Promise<void>;
  /** After the stop: one that is seen in no process table here may still answer. @throws RefloatError fence.failed */
  readonly refuseAnswering: (context: DriverContext<Options>, folders: readonly string[]) => Promise<void>;
  /** When nothing runs behind the stable name any more, and the instance is still one: takes along what the live side did last. Idempotent. */
  readonly carryOver?: (context: DriverContext<Options>, stable: string, incoming: string) => Promise<void>;
  /** Stops the server of an instance under whatever name its folder has now, and removes what made it one. */
  readonly quiet: (context: DriverContext<Options>, folder: string) => Promise<void>;
  /** Starts what is behind the stable name and waits until it takes work; `up`: that it runs is enough. */
  readonly serve: (context: DriverContext<Options>, stable: string, asked: "up" | "proven") => Promise<void>;
  /** Does a server of this machine run on a folder? */
  readonly runs: (folder: string) => Promise<boolean>;
  /** Would a server that is started on it have data? As `holdsData` when left out. */
  readonly hasFiles?: (folder: string) => Promise<boolean>;
  /** The declared line that starts it; undefined where none is declared. */
  readonly startLine: (options: Options) => string | undefined;
  /** What is gone once a server that was killed is started again, for people; nothing that it had committed when left out. */
  readonly losesWhenKilled?: string;
  readonly refusal?: NonNullable<SwitchOperations<Options>["refusal"]>;
  readonly forewarnings?: NonNullable<SwitchOperations<Options>["forewarnings"]>;
  /** Of a folder on which no server runs. */
  readonly positionOf: (context: DriverContext<Options>, folder: string) => Promise<Position | null>;
  /** Of a folder on which no server runs. */
  readonly ofReturn?: NonNullable<SwitchOperations<Options>["ofReturn"]>;
  /** What a person is told after the switch. */
  readonly settle: (context: DriverContext<Options>, stable: string) => Promise<readonly string[]>;
  /** Before a folder is removed for good: its server, and what of it lies elsewhere. */
  readonly beforeDiscard: (context: DriverContext<Options>, folder: string, stable: string) => Promise<void>;
};

const isSame = (a: ExchangeObservation, b: ExchangeObservation): boolean =>
  a.stable === b.stable && a.incoming === b.incoming && a.outgoing === b.outgoing;

const isSwitched = (seen: ExchangeObservation, expected: ExchangeObservation): boolean =>
  seen.stable === expected.incoming && seen.outgoing === expected.stable && seen.stable !== expected.stable;

export const createFolderServerSwitching = <Options>(server: FolderServer<Options>): SwitchOperations<Options> => {
  const byPath = createPathSwitching<Options>(server.pathOf);

  const exchangeStopped = async (
    context: DriverContext<Options>,
    stable: string,
    exchange: Exchange,
    expected: ExchangeObservation,
  ) => {
    const seen = await byPath.observe(context, exchange);
    // What is not as it was seen before is refused by the exchange itself, before any server is stopped.
    const isBetween = seen.stable === null && seen.incoming === expected.incoming && seen.outgoing === expected.stable;
    if (!isSwitched(seen, expected) && (isSame(seen, expected) || isBetween)) {
      if (expected.incoming !== null) {
        await server.refuseSwitch(context, stable);
        await server.refuseIncoming(context, stable, exchange.incoming);
      }
      await server.stopLive(context, stable);
      await server.refuseAnswering(context, [stable, exchange.incoming, exchange.outgoing]);
      if (seen.stable !== null && seen.incoming !== null) await server.carryOver?.(context, stable, exchange.incoming);
      // Parked by an exchange that was killed, it stands under the outgoing name.
      for (const folder of [exchange.incoming, exchange.outgoing])
        if (await pathExists(folder)) await server.quiet(context, folder);
    }
    return byPath.exchange(context, exchange, expected);
  };

  return {
    ...(server.refusal === undefined ? {} : { refusal: server.refusal }),
    ...(server.forewarnings === undefined ? {} : { forewarnings: server.forewarnings }),

    stopped: async (context) => {
      const stable = await server.pathOf(context);
      const { hasFiles = server.holdsData } = server;
      if (!(await pathExists(stable)) || !(await hasFiles(stable)) || (await server.runs(stable))) return null;
      return {
        start: server.startLine(context.options) ?? null,
        loses: server.losesWhenKilled === undefined ? [] : [server.losesWhenKilled],
      };
    },

    observe: async (context, exchange) => {
      const seen = await byPath.observe(context, exchange);
      if (seen.stable !== null) await server.refuseSwitch(context, await server.pathOf(context));
      return seen;
    },

    exchange: async (context, exchange, expected) => {
      const stable = await server.pathOf(context);
      const began = context.clock.monotonicMs();
      const { outgoing } = await exchangeStopped(context, stable, exchange, expected);
      // Nothing is behind the name when a switch that found nothing there is undone.
      if (expected.incoming !== null) await server.serve(context, stable, exchange.isReturn === true ? "up" : "proven");
      const isKept = expected.stable !== null && (await pathExists(outgoing));
      const position = isKept ? await server.positionOf(context, outgoing) : null;
      return { heldMs: context.clock.monotonicMs() - began, position, outgoing };
    },

    serve: async (context) => {
      const stable = await server.pathOf(context);
      if (await pathExists(stable)) await server.serve(context, stable, "up");
    },

    settle: async (context) => server.settle(context, await server.pathOf(context)),

    ...(server.ofReturn === undefined ? {} : { ofReturn: server.ofReturn }),

    discard: async (context, outgoing) => {
      const stable = await server.pathOf(context);
      await translateSystemErrors("target.failed", `${outgoing} cannot be removed`, async () => {
        // A name that no recovery gave is refused below, before anything of it is touched.
        if (isOwnName(outgoing) && (await server.holdsData(outgoing)))
          await server.beforeDiscard(context, outgoing, stable);
      });
      await byPath.discard(context, outgoing);
    },
  };
};
