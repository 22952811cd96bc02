import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a folder that only its user may enter, and those above it that are missing. Several may do so at once. Not by `mkdir`'s
 * own `recursive`, which never returns where a parent cannot be made at all (`/proc/x/y`).
 * @throws the system's error
 */
export const makePrivateFolder = async (path: string): Promise<void> => {
  try {
    await makeOne(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(path) === path) throw error;
    // A parent that cannot be made throws here; one that somebody else has made meanwhile is as good.
    await makePrivateFolder(dirname(path));
    await makeOne(path);
  }
};

const makeOne = async (path: string): Promise<void> => {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !(await stat(path)).isDirectory()) throw error;
  }
};
