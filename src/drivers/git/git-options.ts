/** The keys of a `git` component, and the path that they name once references are resolved. */
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { bindStablePath, stablePathPattern } from "../../platform/path-operations.ts";

export const gitOptionsSchema = z
  .strictObject({
    path: z.string().regex(stablePathPattern, "path is absolute and not / itself, such as /srv/shop/config").meta({
      description:
        "Folder of the repository, absolute: a working tree with its .git, or a bare one. It is switched as a whole.",
    }),
    uncommitted: z.enum(["leave-out", "refuse"]).optional().meta({
      description:
        "What a capture does with changes that are in no commit: leave-out (the default) names them in a warning, refuse makes no point.",
    }),
    reload: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "Command that tells the reader of the files, such as systemctl reload shop." }),
  })
  .meta({ description: "A Git repository: all refs and what they lead to, at recorded commits." });
export type GitOptions = z.infer<typeof gitOptionsSchema>;

export type GitContext = DriverContext<GitOptions>;

/** The stable path: absolute, without a trailing slash. */
export const stablePathOf = (context: GitContext): Promise<string> =>
  bindStablePath(context.bind, context.options.path, `path of ${context.component}`);
