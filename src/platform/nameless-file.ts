/** Files that only this process has, by its descriptor: whoever kills us leaves nothing of them behind. */
import { constants } from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";

/** `__O_TMPFILE`, which Node does not name; the same on x86-64 and arm64. */
const tmpfile = 0o20_000_000;

/** Of a file system, or a kernel, that makes no files without a name. */
const unsupported = new Set(["EOPNOTSUPP", "ENOTSUP", "EISDIR", "EINVAL"]);

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";

/** It has a name for no longer than it takes to open it: an empty folder may be left by a kill in that moment. */
export const openUnlinked = async (folder: string): Promise<FileHandle> => {
  const own = await mkdtemp(join(folder, "refloat-"));
  try {
    return await open(join(own, "file"), "wx+", 0o600);
  } finally {
    await rm(own, { recursive: true, force: true });
  }
};

/** Empty, for reading and writing, with rights for this user alone; it never has a name where the file system of the folder can do that. */
export const openNameless = async (folder: string): Promise<FileHandle> => {
  const { O_DIRECTORY, O_EXCL, O_RDWR } = constants;
  try {
    return await open(folder, tmpfile + O_DIRECTORY + O_EXCL + O_RDWR, 0o600);
  } catch (error) {
    if (!unsupported.has(codeOf(error))) throw error;
  }
  return openUnlinked(folder);
};
