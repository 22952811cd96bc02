/** The command as people install it, in a folder of its own: built, and without the sources that a clone would run instead. */
import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { bundleProgram } from "./bundle-program.ts";

const root = join(import.meta.dirname, "..");

/** @param folder is made, and belongs to the caller @returns the path of its `refloat.cjs` */
export const publishProgram = async (folder: string): Promise<string> => {
  await mkdir(folder, { recursive: true });
  await bundleProgram(join(folder, "dist"));
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true });
  for (const name of ["schema", "package.json", "node_modules"]) await symlink(join(root, name), join(folder, name));
  return join(folder, "bin/refloat.cjs");
};
