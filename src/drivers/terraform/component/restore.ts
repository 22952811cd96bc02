/** Restores a configuration with its state into a new folder. Nothing is applied, and no backend is written to. */
import { createHash } from "node:crypto";
import { lstat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { InstanceOperations } from "../../../core/ports/driver.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { accumulateProgress } from "../../../platform/accumulate-progress.ts";
import { writeFileAtomically } from "../../../platform/atomic-file.ts";
import { restoreInstance } from "../../../platform/path-instance.ts";
import { translateSystemErrors } from "../../../platform/system-error.ts";
import { countOf } from "../../../platform/tree-facts.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import { capturedDetailSchema } from "./capture.ts";
import { dataName, otherStateFile, stateFile, stateName } from "./configuration.ts";
import { parseState, resourceCount } from "./state.ts";
import { type TerraformOptions, stablePathOf } from "./component-options.ts";

/** Only its owner may read it: a state holds secrets in plain words. */
const stateMode = 0o600;

export const restoreTerraform: InstanceOperations<TerraformOptions>["restore"] = async (
  context,
  target,
  source,
  captured,
) => {
  const { signal } = context;
  signal.throwIfAborted();
  const stable = await stablePathOf(context);
  const { facts } = captured;
  const detail = capturedDetailSchema.parse(facts.detail);
  const progress = accumulateProgress(context.progress, {
    unit: "files",
    bytesTotal: facts.sizeBytes,
    itemsTotal: facts.counts["files"] ?? 0,
  });
  const finish = async (folder: string): Promise<void> => {
    const state = Buffer.from(await source.read(`${captured.path}/${stateName}`));
    if (createHash("sha256").update(state).digest("hex") !== detail.stateSha256)
      throw new RefloatError("point.damaged", "the state of the point is not what was captured");
    const { lineage } = parseState(state.toString("utf8"), "point.damaged");
    if (lineage === null) return;
    const path = join(folder, detail.isInFolder ? stateFile : otherStateFile);
    // The folder has the owner that it was captured with: whoever applied must be able to apply.
    await writeFileAtomically(path, state, stateMode, await lstat(folder));
  };
  return translateSystemErrors("target.failed", `${target.name} cannot be restored`, async () => {
    const report = await restoreInstance({
      target,
      source,
      captured: { ...captured, path: `${captured.path}/${dataName}` },
      label: basename(stable),
      signal,
      progress,
      finish,
    });
    const { state, backend } = detail;
    return {
      sizeBytes: facts.sizeBytes,
      summary: `${countOf(report.files, "file")} and the state at serial ${state.serial}, ${countOf(resourceCount(state), "resource")}, into ${basename(target.name)} in ${dirname(target.name)}`,
      warnings: [
        ...report.warnings,
        ...(detail.isInFolder
          ? []
          : [
              `the state is kept in a backend (${backend}), which is left as it is; that of the point lies in ${otherStateFile}`,
            ]),
      ],
    };
  });
};

/** What a person does after the switch. */
export const describeNext = async (folder: string): Promise<readonly string[]> => [
  `nothing was applied: terraform -chdir=${folder} init, then plan shows what differs from what runs`,
  ...((await pathExists(join(folder, otherStateFile)))
    ? [
        `the backend has the state that it had; to put the point's in its place: terraform -chdir=${folder} state push ${otherStateFile} (with -force where the backend has a later serial), then remove that file`,
      ]
    : []),
];
