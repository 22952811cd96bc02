/** Restored trees beside the live one: named, restored, counted, dropped. The way of it is platform/path-instance.ts. */
import { basename, dirname } from "node:path";
import type { InstanceOperations } from "../../core/ports/driver.ts";
import type { Facts } from "../../model/facts.ts";
import type { CheckOutcome } from "../../model/outcome.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import {
  dropInstance,
  footprintOf,
  inspectInstance,
  locateInstance,
  restoreInstance,
} from "../../platform/path-instance.ts";
import { instancePath, retiredPath } from "../../platform/path-names.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { countTree } from "../../platform/tree-walk.ts";
import { type FilesContext, type FilesOptions, stablePathOf } from "./files-options.ts";

const count = (value: number): string => value.toLocaleString("en-US");

const failing = <Result>(what: string, act: () => Promise<Result>): Promise<Result> =>
  translateSystemErrors("target.failed", what, act);

/** Name of the release that was behind a captured link, else of the path itself. */
export const capturedLabel = (stable: string, facts: Facts): string => {
  const { link } = facts.detail;
  return basename(typeof link === "string" ? link : stable);
};

const compare = async (context: FilesContext, path: string, facts: Facts): Promise<readonly CheckOutcome[]> => {
  const began = context.clock.monotonicMs();
  const unreadable: string[] = [];
  const found = await countTree(path, {
    exclude: [],
    oneFileSystem: false,
    signal: context.signal,
    unreadable: (entry, code) => unreadable.push(`${entry.toString()} (${code})`),
  });
  const durationMs = context.clock.monotonicMs() - began;
  const outcome = (subject: string, status: CheckOutcome["status"], said: string): CheckOutcome => ({
    subject,
    kind: "facts",
    component: context.component,
    status,
    found: said,
    durationMs,
  });
  const differences: CheckOutcome[] = [];
  const captured = { ...facts.counts, sizeBytes: facts.sizeBytes };
  for (const [unit, expected] of Object.entries(captured)) {
    const actual = unit === "sizeBytes" ? found.sizeBytes : unit in found ? found[unit as "files"] : undefined;
    const noun = unit === "sizeBytes" ? "bytes" : unit;
    if (actual !== undefined && actual !== expected)
      differences.push(outcome(`facts: ${noun}`, "failed", `${count(actual)} ${noun}, captured ${count(expected)}`));
  }
  const { newestAt } = facts.detail;
  const newest = found.newestMs === null ? null : new Date(found.newestMs).toISOString();
  if (typeof newestAt === "string" && newest !== new Date(newestAt).toISOString())
    differences.push(
      outcome("facts: newest file", "failed", `newest is of ${newest ?? "never"}, captured ${newestAt}`),
    );
  if (unreadable.length > 0)
    differences.push(outcome("facts: readable", "failed", `cannot be read: ${unreadable.slice(0, 5).join(", ")}`));
  if (differences.length > 0) return differences;
  return [outcome("facts", "passed", `${count(found.files)} files, ${count(found.sizeBytes)} bytes, as captured`)];
};

export const filesInstances: InstanceOperations<FilesOptions> = {
  name: async (context, run) => instancePath(await stablePathOf(context), run),

  retiredName: async (context, run) => retiredPath(await stablePathOf(context), run),

  footprint: async (context, captured) => footprintOf(await instancePath(await stablePathOf(context), 0), captured),

  inspect: async (context, target) => {
    const stable = await stablePathOf(context);
    return failing(`${target.name} cannot be looked at`, () => inspectInstance(stable, target));
  },

  restore: async (context, target, source, captured) => {
    const stable = await stablePathOf(context);
    const { facts } = captured;
    const report = await failing(`${target.name} cannot be restored`, () =>
      restoreInstance({
        target,
        source,
        captured,
        label: capturedLabel(stable, facts),
        signal: context.signal,
        progress: accumulateProgress(context.progress, {
          unit: "files",
          bytesTotal: facts.sizeBytes,
          itemsTotal: facts.counts["files"] ?? 0,
        }),
      }),
    );
    return {
      sizeBytes: report.sizeBytes,
      summary: `${count(report.files)} files, ${count(report.sizeBytes)} bytes into ${basename(target.name)} in ${dirname(target.name)}`,
      warnings: report.warnings,
    };
  },

  outputs: async (context, target) => {
    const place = await locateInstance(await stablePathOf(context), target);
    if (place.presence !== "done")
      throw new RefloatError("source.failed", `${target.name} is not restored, so nothing can be bound to it`);
    return { path: { value: place.path, secret: false } };
  },

  validate: async (context, target, facts) => {
    const place = await locateInstance(await stablePathOf(context), target);
    const path = place.presence === "done" ? place.path : target.name;
    return failing(`${path} cannot be counted`, () => compare(context, path, facts));
  },

  drop: async (context, target) => {
    const stable = await stablePathOf(context);
    await failing(`${target.name} cannot be dropped`, () => dropInstance(stable, target, context.signal));
  },
};
