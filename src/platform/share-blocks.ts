import { constants } from "node:fs";
import { copyFile, rm } from "node:fs/promises";

/**
 * Where the file system can (xfs, btrfs) it gives a file's blocks to a second one, which takes no room until it is written to.
 * @param to is not there @returns false where it cannot: then nothing is there
 */
export const shareBlocks = async (from: string, to: string): Promise<boolean> => {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    await rm(to, { force: true });
    return false;
  }
};
