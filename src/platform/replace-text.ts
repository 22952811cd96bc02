/**
 * A text file of somebody else's, changed by compare-and-set: what was read is replaced, and what was written to it meanwhile is not lost.
 * A link stays one, and mode and owner are kept: such files may hold passwords.
 */
import { readFile, realpath, stat } from "node:fs/promises";
import { RefloatError } from "../model/refloat-error.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { describeSystemError } from "./system-error.ts";

/** @throws RefloatError target.failed */
export const readTextFile = async (path: string): Promise<string> =>
  readFile(path, "utf8").catch((error: unknown) => {
    throw new RefloatError("target.failed", `${path} cannot be read: ${describeSystemError(error)}`, {
      cause: error,
      hint: "declare the file as it is named here, and let the user that runs Refloat read and replace it",
    });
  });

/** @throws RefloatError target.failed, cutover.conflict when somebody has written it since it was read as `from` */
export const replaceText = async (path: string, from: string, to: string): Promise<void> => {
  const now = await readTextFile(path);
  if (now !== from)
    throw new RefloatError("cutover.conflict", `${path} was changed by somebody else at this moment`, {
      hint: "see who writes it; nothing was written over it",
    });
  if (to === from) return;
  try {
    const target = await realpath(path);
    const { mode, uid, gid } = await stat(target);
    await writeFileAtomically(target, to, mode & 0o777, { uid, gid });
  } catch (error) {
    throw new RefloatError("target.failed", `${path} cannot be replaced: ${describeSystemError(error)}`, {
      cause: error,
      state: `${path} is as it was`,
      hint: "let the user that runs Refloat write into its folder",
    });
  }
};
