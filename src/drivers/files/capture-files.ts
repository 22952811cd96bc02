/** Capture of a tree: the vault walks it; here are the facts that a restore is held against. */
import { realpath } from "node:fs/promises";
import type { CaptureReport } from "../../core/ports/driver.ts";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { readFileSystemClock } from "../../platform/file-system-clock.ts";
import { lookAt } from "../../platform/path-names.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { countSockets, treeFacts, unsteadyWarnings } from "../../platform/tree-facts.ts";
import { snapshotPattern, withSnapshot } from "./btrfs-snapshot.ts";
import { type FilesContext, stablePathOf, walkRulesOf } from "./files-options.ts";

export const captureFiles = async (
  context: FilesContext,
  sink: CaptureSink,
  previous: CapturedComponent | null,
  pinned?: () => void,
): Promise<CaptureReport> => {
  const path = await stablePathOf(context);
  return translateSystemErrors("source.failed", `${path} cannot be captured`, async () => {
    const found = await lookAt(path);
    // A link's target is read once: a release that is switched during the capture must not give half of each.
    const live = found.kind === "link" ? await realpath(path) : path;
    const beginAt = context.clock.now().toISOString();
    // Before the first byte is read: whatever is written from here on may or may not be in the point, and counts as after it.
    const sinceMs = await readFileSystemClock(context.workDirectory);
    const read = async (root: string): Promise<Omit<CaptureReport, "window" | "consistency">> => {
      const { exclude, oneFileSystem } = walkRulesOf(context);
      const total = previous?.facts;
      const receipt = await sink.tree(
        root,
        { exclude: root === live ? exclude : [...exclude, snapshotPattern], oneFileSystem, as: path },
        context.signal,
        accumulateProgress(context.progress, {
          unit: "files",
          ...(total === undefined ? {} : { bytesTotal: total.sizeBytes, itemsTotal: total.counts["files"] ?? 0 }),
        }),
      );
      const sockets = await countSockets(root, receipt, { ...walkRulesOf(context), unreadable: () => undefined });
      return {
        path: receipt.path,
        facts: treeFacts(receipt, {
          link: found.kind === "link" ? found.text : null,
          sockets,
          position: { takenAt: beginAt, mark: { sinceMs, files: receipt.files, sizeBytes: receipt.sizeBytes } },
        }),
        warnings: unsteadyWarnings(receipt),
      };
    };
    if (context.options.snapshot === undefined) {
      const report = await read(live);
      return { ...report, window: { beginAt, endAt: context.clock.now().toISOString() }, consistency: "live" };
    }
    return withSnapshot(context, live, async ({ root, takenAt }) => {
      pinned?.();
      return { ...(await read(root)), window: { beginAt: takenAt, endAt: takenAt }, consistency: "snapshot" };
    });
  });
};
