/**
 * Instance and switch operations of a driver whose data is a tree at a stable path: what `files` and the releases of `process` have
 * in common. What the outputs are is the driver's own.
 */
import { basename, dirname } from "node:path";
import type {
  DriverContext,
  InstanceOperations,
  InstanceTarget,
  Outputs,
  SwitchOperations,
} from "../core/ports/driver.ts";
import type { Bind } from "../core/ports/environment.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { accumulateProgress } from "./accumulate-progress.ts";
import { dropInstance, footprintOf, inspectInstance, locateInstance, restoreInstance } from "./path-instance.ts";
import { instancePath, plainPath, retiredPath } from "./path-names.ts";
import { discardRetired, exchangeStablePath, observePaths } from "./stable-path.ts";
import { translateSystemErrors } from "./system-error.ts";
import { capturedLabel, compareTreeWithFacts, countOf } from "./tree-facts.ts";

/** The schema's side of it: absolute, not the root, or made of references. */
export const stablePathPattern = /^(\/+[^/]|\$\{)/;

/** Binds a declared path. @returns it absolute and without a trailing slash @throws RefloatError config.invalid */
export const bindStablePath = async (bind: Bind, declared: string, what: string): Promise<string> => {
  const { value, secret } = await bind(declared);
  if (secret) throw new RefloatError("config.invalid", `the ${what} holds a secret, and paths are printed`);
  if (value.startsWith("/") && plainPath(value) !== "/") return plainPath(value);
  throw new RefloatError("config.invalid", `the ${what} is "${value}", which is no absolute path of a folder or file`);
};

export type StablePathOf<Options> = (context: DriverContext<Options>) => Promise<string>;

const targetErrors = <Result>(what: string, act: () => Promise<Result>): Promise<Result> =>
  translateSystemErrors("target.failed", what, act);

/** @param outputsAt the outputs of an instance, given where it stands now */
export const createPathInstances = <Options>(
  stablePathOf: StablePathOf<Options>,
  outputsAt: (context: DriverContext<Options>, target: InstanceTarget, path: string) => Promise<Outputs>,
): InstanceOperations<Options> => ({
  name: async (context, run) => instancePath(await stablePathOf(context), run),

  retiredName: async (context, run) => retiredPath(await stablePathOf(context), run),

  footprint: async (context, captured) => footprintOf(await instancePath(await stablePathOf(context), 0), captured),

  inspect: async (context, target) => {
    const stable = await stablePathOf(context);
    return targetErrors(`${target.name} cannot be looked at`, () => inspectInstance(stable, target));
  },

  restore: async (context, target, source, captured) => {
    const stable = await stablePathOf(context);
    const { facts } = captured;
    const progress = accumulateProgress(context.progress, {
      unit: "files",
      bytesTotal: facts.sizeBytes,
      itemsTotal: facts.counts["files"] ?? 0,
    });
    const label = capturedLabel(stable, facts);
    const report = await targetErrors(`${target.name} cannot be restored`, () =>
      restoreInstance({ target, source, captured, label, signal: context.signal, progress }),
    );
    return {
      sizeBytes: report.sizeBytes,
      summary: `${countOf(report.files, "file")} into ${basename(target.name)} in ${dirname(target.name)}`,
      warnings: report.warnings,
    };
  },

  outputs: async (context, target) => {
    const place = await locateInstance(await stablePathOf(context), target);
    if (place.presence === "done") return outputsAt(context, target, place.path);
    throw new RefloatError("source.failed", `${target.name} is not restored, so nothing can be bound to it`);
  },

  validate: async (context, target, facts) => {
    const place = await locateInstance(await stablePathOf(context), target);
    const path = place.presence === "done" ? place.path : target.name;
    return targetErrors(`${path} cannot be counted`, () => compareTreeWithFacts(context, path, facts));
  },

  drop: async (context, target) => {
    const stable = await stablePathOf(context);
    await targetErrors(`${target.name} cannot be dropped`, () => dropInstance(stable, target, context.signal));
  },
});

export const createPathSwitching = <Options>(stablePathOf: StablePathOf<Options>): SwitchOperations<Options> => {
  const switching = async <Result>(
    context: DriverContext<Options>,
    act: (stable: string) => Promise<Result>,
  ): Promise<Result> => {
    const stable = await stablePathOf(context);
    return targetErrors(`${stable} cannot be switched`, () => act(stable));
  };
  return {
    observe: (context, exchange) => switching(context, (stable) => observePaths(stable, exchange)),
    exchange: (context, exchange, expected) =>
      switching(context, async (stable) => {
        const { heldMs } = await exchangeStablePath(stable, exchange, expected, context);
        // A tree has no position of its own: what was written last is found by comparing the two sides.
        return { heldMs, position: null, outgoing: exchange.outgoing };
      }),
    discard: (context, outgoing) => switching(context, (stable) => discardRetired(stable, outgoing, context.signal)),
  };
};
