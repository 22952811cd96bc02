/** Capture of an application: its release tree, what it runs on, and the packages of that where they are asked for. Its data belongs to other components. */
import { realpath } from "node:fs/promises";
import type { CaptureReport, RunningProcess } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import type { Fingerprint } from "../../model/fingerprint.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { lookAt } from "../../platform/path-names.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { countSockets, hashLayout, treeFacts, unsteadyWarnings } from "../../platform/tree-facts.ts";
import { capturePackages } from "./capture-packages.ts";
import { findLiveProcess } from "./live-process.ts";
import { labelOf } from "./live-release.ts";
import { takeFingerprint } from "./process-fingerprint.ts";
import { type ProcessContext, releasePathOf } from "./process-options.ts";

/** Which process serves matters to the fingerprint only; a point is made all the same. */
const liveOrWarning = async (context: ProcessContext, warnings: string[]): Promise<RunningProcess | null> => {
  try {
    return await findLiveProcess(context);
  } catch (error) {
    if (!(error instanceof RefloatError)) throw error;
    warnings.push(`the fingerprint is of the release's program, not of a process: ${error.message}`);
    return null;
  }
};

const fingerprintOrWarning = async (context: ProcessContext, warnings: string[]): Promise<Fingerprint | null> => {
  const live = await liveOrWarning(context, warnings);
  try {
    return await takeFingerprint(context, live);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    warnings.push(`no fingerprint could be taken: ${error.message}`);
    return null;
  }
};

export const captureProcess = async (
  context: ProcessContext,
  sink: CaptureSink,
  previous: CapturedComponent | null,
): Promise<CaptureReport> => {
  const stable = await releasePathOf(context);
  return translateSystemErrors("source.failed", `the release ${stable} cannot be captured`, async () => {
    const found = await lookAt(stable);
    const root = await realpath(stable);
    const beginAt = context.clock.now().toISOString();
    const total = previous?.facts;
    const receipt = await sink.tree(
      root,
      { exclude: [], oneFileSystem: false, as: stable },
      context.signal,
      accumulateProgress(context.progress, {
        unit: "files",
        ...(total === undefined ? {} : { bytesTotal: total.sizeBytes, itemsTotal: total.counts["files"] ?? 0 }),
      }),
    );
    const warnings = unsteadyWarnings(receipt);
    // A release stands still; one that moved under the walk has no layout to compare a restore with.
    const schemaHash = warnings.length > 0 ? undefined : await layoutOf(context, root, warnings);
    const rules = { exclude: [], oneFileSystem: false, signal: context.signal, unreadable: () => undefined };
    const sockets = await countSockets(root, receipt, rules);
    const endAt = context.clock.now().toISOString();
    const fingerprint = await fingerprintOrWarning(context, warnings);
    return {
      path: receipt.path,
      facts: treeFacts(receipt, {
        link: found.kind === "link" ? found.text : null,
        sockets,
        versions: { release: await labelOf(root) },
        ...(schemaHash === undefined ? {} : { schemaHash }),
      }),
      window: { beginAt, endAt },
      consistency: "live",
      warnings,
      ...(fingerprint === null ? {} : { fingerprint: await withPackages(context, sink, fingerprint, warnings) }),
    };
  });
};

const withPackages = async (
  context: ProcessContext,
  sink: CaptureSink,
  fingerprint: Fingerprint,
  warnings: string[],
): Promise<Fingerprint> =>
  context.options.packages === "captured"
    ? { ...fingerprint, archives: [...(await capturePackages(context, sink, fingerprint, warnings))] }
    : fingerprint;

const layoutOf = async (context: ProcessContext, root: string, warnings: string[]): Promise<string | undefined> => {
  const unreadable: string[] = [];
  const hash = await hashLayout(root, {
    exclude: [],
    oneFileSystem: false,
    signal: context.signal,
    unreadable: (path, code) => unreadable.push(`${path.toString()} (${code})`),
  });
  if (unreadable.length === 0) return hash;
  warnings.push(`the layout is not recorded: ${unreadable.slice(0, 3).join(", ")} cannot be read`);
  return undefined;
};
