/**
 * The `files` driver: folders, single files and releases behind a link, captured by the vault's own walk, restored beside, switched
 * by path. Responsible for nothing that runs; the readers of the files are told by the declared `reload`.
 */
import type { ComponentDriver, DriverBundle } from "../../core/ports/driver.ts";
import { createPathInstances, createPathSwitching } from "../../platform/path-operations.ts";
import { runReload } from "../../platform/run-reload.ts";
import { captureFiles } from "./capture-files.ts";
import { type FilesOptions, filesOptionsSchema, stablePathOf } from "./files-options.ts";
import { filesWrites } from "./files-writes.ts";
import { filesCapturedValues, filesInvariantValues } from "./invariant-values.ts";
import { preflightFiles } from "./preflight-files.ts";

const filesDriver: ComponentDriver<FilesOptions> = {
  type: "files",
  summary: "A folder, a single file, or a release behind a link.",
  options: filesOptionsSchema,
  outputs: { path: { description: "Absolute path of the folder or file.", secret: false } },
  stableOutputs: async (context) => ({ path: { value: await stablePathOf(context), secret: false } }),
  preflight: preflightFiles,
  capture: captureFiles,
  capturesFrozen: true,
  instances: createPathInstances(stablePathOf, async (_context, _target, path) => ({
    path: { value: path, secret: false },
  })),
  switching: createPathSwitching(stablePathOf),
  writes: filesWrites,
  reload: (context) => runReload(context, context.options.reload),
  invariantValues: filesInvariantValues,
  capturedValues: filesCapturedValues,
};

export const filesBundle: DriverBundle = {
  name: "files",
  components: [filesDriver as ComponentDriver],
  checks: [],
  traffic: [],
};
