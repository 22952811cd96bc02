/** A folder as an undo needs it: names, sizes and times of all of its files. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

export const lookOf = async (path: string): Promise<readonly string[]> => {
  const names = await readdir(path, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.toSorted().map(async (file) => {
      const { size, mtimeMs } = await stat(file);
      return `${file} ${size} ${mtimeMs}`;
    }),
  );
};
