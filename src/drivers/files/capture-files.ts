/** Capture of a tree: the vault walks it; here are the facts that a restore is held against. */
import { realpath } from "node:fs/promises";
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink, TreeReceipt } from "../../core/ports/vault.ts";
import type { Facts } from "../../model/facts.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { readFileSystemClock } from "../../platform/file-system-clock.ts";
import { lookAt } from "../../platform/path-names.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { type FilesContext, stablePathOf, walkRulesOf } from "./files-options.ts";

const namesShown = 5;

const unsteadyWarnings = (receipt: TreeReceipt): string[] =>
  (["vanished", "changed"] as const).flatMap((reason) => {
    const paths = receipt.unsteady.filter((entry) => entry.reason === reason).map(({ path }) => path);
    if (paths.length === 0) return [];
    const more = paths.length > namesShown ? ` and ${paths.length - namesShown} more` : "";
    const what = reason === "vanished" ? "vanished before they could be read" : "changed while they were read";
    return [`${paths.length} entries ${what}: ${paths.slice(0, namesShown).join(", ")}${more}`];
  });

export const captureFiles = async (
  context: FilesContext,
  sink: CaptureSink,
  previous: CapturedComponent | null,
): Promise<CaptureReport> => {
  const path = await stablePathOf(context);
  return translateSystemErrors("source.failed", `${path} cannot be captured`, async () => {
    const found = await lookAt(path);
    // A link's target is read once: a release that is switched during the capture must not give half of each.
    const root = found.kind === "link" ? await realpath(path) : path;
    const beginAt = context.clock.now().toISOString();
    // Before the first byte is read: whatever is written from here on may or may not be in the point, and counts as after it.
    const sinceMs = await readFileSystemClock(context.workDirectory);
    const { exclude, oneFileSystem } = walkRulesOf(context);
    const total = previous?.facts;
    const receipt = await sink.tree(
      root,
      { exclude, oneFileSystem, as: path },
      context.signal,
      accumulateProgress(context.progress, {
        unit: "files",
        ...(total === undefined ? {} : { bytesTotal: total.sizeBytes, itemsTotal: total.counts["files"] ?? 0 }),
      }),
    );
    return {
      path: receipt.path,
      facts: factsOf(receipt, { beginAt, sinceMs, link: found.kind === "link" ? found.text : null }),
      window: { beginAt, endAt: context.clock.now().toISOString() },
      consistency: "live",
      warnings: unsteadyWarnings(receipt),
    };
  });
};

const factsOf = (
  receipt: TreeReceipt,
  at: { readonly beginAt: string; readonly sinceMs: number; readonly link: string | null },
): Facts => ({
  sizeBytes: receipt.sizeBytes,
  counts: { files: receipt.files, directories: receipt.directories, others: receipt.others },
  units: { files: { rows: receipt.files, sizeBytes: receipt.sizeBytes } },
  position: { takenAt: at.beginAt, mark: { sinceMs: at.sinceMs, files: receipt.files, sizeBytes: receipt.sizeBytes } },
  versions: {},
  detail: {
    newestAt: receipt.newestAt,
    ...(at.link === null ? {} : { link: at.link }),
    // Entries that changed under the walk may be restored with another size than was counted.
    unsteady: receipt.unsteady.length,
  },
});
