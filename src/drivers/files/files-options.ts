/** The keys of a `files` component, and the path that they name once references are resolved. */
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { bindStablePath, stablePathPattern } from "../../platform/path-operations.ts";

export const filesOptionsSchema = z
  .strictObject({
    path: z.string().regex(stablePathPattern, "path is absolute and not / itself, such as /srv/shop/uploads").meta({
      description: "Folder or single file, absolute. Where it is a link to a release, the release is captured.",
    }),
    exclude: z
      .array(z.string().min(1))
      .optional()
      .meta({ description: "What is not captured: patterns as in a .gitignore file, relative to path." }),
    oneFileSystem: z
      .boolean()
      .optional()
      .meta({ description: "Do not go into other file systems mounted below path; false when left out." }),
    snapshot: z.enum(["btrfs"]).optional().meta({
      description:
        "Read the files from a read-only snapshot of the file system: all of them as of one instant, and a service that is held still may go on at once.",
    }),
    reload: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "Command that tells the reader of the files, such as systemctl reload haproxy." }),
  })
  .meta({ description: "A folder, a single file or a release on disk." });
export type FilesOptions = z.infer<typeof filesOptionsSchema>;

export type FilesContext = DriverContext<FilesOptions>;

/** The stable path: absolute, without a trailing slash. */
export const stablePathOf = (context: FilesContext): Promise<string> =>
  bindStablePath(context.bind, context.options.path, `path of ${context.component}`);

export const walkRulesOf = (context: FilesContext) => ({
  exclude: context.options.exclude ?? [],
  oneFileSystem: context.options.oneFileSystem ?? false,
  signal: context.signal,
});
