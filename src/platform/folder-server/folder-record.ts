/**
 * What is kept of a server in its data folder, and so with it whatever becomes of the machine that recovered it: one small file, whole or not at all. Whoever owns the folder
 * owns it: a server that cannot read a file of its folder sends no base backup.
 */
import { lstat, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { writeFileAtomically } from "../atomic-file.ts";

export type FolderRecord<Content> = {
  /** Null where nothing was recorded. @throws RefloatError target.failed for one that cannot be read */
  readonly read: (folder: string) => Promise<Content | null>;
  /** Whole or not at all, by the owner of the folder. */
  readonly write: (folder: string, content: Content) => Promise<void>;
  /** Idempotent. */
  readonly remove: (folder: string) => Promise<void>;
};

/** @param of `what` it tells, and a hint for one that cannot be read: what to do without it */
export const folderRecord = <Content>(
  name: string,
  schema: z.ZodType<Content>,
  { what, hint }: { readonly what: string; readonly hint: string },
): FolderRecord<Content> => ({
  read: async (folder) => {
    const path = join(folder, name);
    try {
      return schema.parse(JSON.parse(await readFile(path, "utf8")));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw new RefloatError("target.failed", `${what} cannot be read in ${path}`, { cause, hint });
    }
  },
  write: async (folder, content) => {
    const { uid, gid } = await lstat(folder);
    const text = `${JSON.stringify(content, null, 2)}\n`;
    await writeFileAtomically(join(folder, name), text, 0o600, { uid, gid });
  },
  remove: (folder) => rm(join(folder, name), { force: true }),
});
