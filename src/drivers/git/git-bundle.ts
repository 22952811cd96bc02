/** The `git` driver: a repository at recorded commits, restored beside, switched by path. Its readers are told by the declared `reload`. */
import { dirname } from "node:path";
import type { ComponentDriver, DriverBundle, Footprint } from "../../core/ports/driver.ts";
import { createPathInstances, createPathSwitching } from "../../platform/path-operations.ts";
import { runReload } from "../../platform/run-reload.ts";
import { captureGit } from "./capture.ts";
import { capturedStateSchema } from "./captured-state.ts";
import { type GitOptions, gitOptionsSchema, stablePathOf } from "./git-options.ts";
import { preflightGit } from "./preflight.ts";
import { restoreGit } from "./restore.ts";
import { validateGit } from "./validate.ts";
import { gitWrites } from "./writes.ts";

/** The bundle, and the pack that Git makes of it. */
const filesAtPeak = 2;
const blockBytes = 4_096;

const gitDriver: ComponentDriver<GitOptions> = {
  type: "git",
  summary: "A Git repository at recorded commits, with all its refs, switched by path.",
  options: gitOptionsSchema,
  outputs: { path: { description: "Absolute path of the repository.", secret: false } },
  stableOutputs: async (context) => ({ path: { value: await stablePathOf(context), secret: false } }),
  preflight: preflightGit,
  capture: captureGit,
  instances: {
    ...createPathInstances<GitOptions>(stablePathOf, async (_context, _target, path) => ({
      path: { value: path, secret: false },
    })),
    footprint: async (context, captured): Promise<readonly Footprint[]> => {
      const { bare, files, treeBytes } = capturedStateSchema.parse(captured.facts.detail);
      const tree = bare ? 0 : treeBytes + files * blockBytes;
      return [
        {
          path: dirname(await stablePathOf(context)),
          bytes: filesAtPeak * captured.facts.sizeBytes + tree + blockBytes,
        },
      ];
    },
    restore: restoreGit,
    validate: validateGit,
  },
  switching: createPathSwitching<GitOptions>(stablePathOf),
  writes: gitWrites,
  reload: (context) => runReload(context, context.options.reload),
};

export const gitBundle: DriverBundle = {
  name: "git",
  components: [gitDriver as ComponentDriver],
  checks: [],
  traffic: [],
};
