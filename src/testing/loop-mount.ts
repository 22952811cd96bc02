/** A file system of its own in an image file, for tests that freeze or fill one. Needs root and loop devices. */
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { runProgram } from "../platform/subprocess.ts";

export type LoopMount = {
  readonly path: string;
  /** Thaws it, unmounts it and removes the image. Idempotent. */
  readonly remove: () => Promise<void>;
};

const never = new AbortController().signal;
const run = (program: string, ...args: readonly string[]): Promise<unknown> =>
  runProgram(program, args, { signal: never });
const mebibyte = 1_048_576;

/** @param path of the folder that it is mounted on, which is made; the image lies beside it, and takes only what is written */
export const mountImage = async (path: string, type: "ext4" | "xfs"): Promise<LoopMount> => {
  const image = `${path}.image`;
  await mkdir(path);
  await writeFile(image, "");
  await truncate(image, (type === "xfs" ? 320 : 256) * mebibyte);
  await run(`mkfs.${type}`, "-q", image);
  await run("mount", "-o", "loop", image, path);
  return {
    path,
    remove: async () => {
      await run("fsfreeze", "--unfreeze", path).catch(() => undefined);
      await run("umount", path).catch(() => undefined);
      await rm(path, { recursive: true, force: true });
      await rm(image, { force: true });
    },
  };
};

/** Can images be mounted here? Says so where not, since tests are skipped then. */
export const canMountImages = async (folder: string): Promise<boolean> => {
  try {
    const mounted = await mountImage(`${folder}/tried`, "ext4");
    await mounted.remove();
    return true;
  } catch (error) {
    await rm(`${folder}/tried`, { recursive: true, force: true });
    console.warn(`tests of frozen file systems are skipped: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
};
