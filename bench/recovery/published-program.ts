/** The command as people install it: built, and without the sources that a clone would run instead. */
import { cp, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { measureProcess } from "./measured-process.ts";

const root = join(import.meta.dirname, "../..");

/** @param folder is made, and belongs to the caller @returns the path of its `refloat.cjs` */
export const publishProgram = async (folder: string): Promise<string> => {
  await measureProcess(process.execPath, [join(root, "scripts/build.ts")], { cwd: root });
  await mkdir(folder, { recursive: true });
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true });
  for (const name of ["dist", "schema", "package.json"]) await symlink(join(root, name), join(folder, name));
  return join(folder, "bin/refloat.cjs");
};
