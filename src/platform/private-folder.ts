import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a folder that only its user may enter, and those above it that are missing. Not by `mkdir`'s own `recursive`, which
 * never returns where a parent cannot be made at all (`/proc/x/y`).
 * @throws the system's error
 */
export const makePrivateFolder = async (path: string): Promise<void> => {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    // A parent that was made by somebody else meanwhile is as good; one that cannot be made throws here.
    if (!(await isFolder(dirname(path)))) await makePrivateFolder(dirname(path));
    else throw error;
    await makePrivateFolder(path);
  }
};

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
