/** Durable writes: temporary file, fsync, rename, fsync of the folder. After a crash there is the old content or the new. */
import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

export const syncDirectory = async (path: string): Promise<void> => {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

type Numbers = { readonly uid: number; readonly gid: number };

/**
 * @param mode of a new file, e.g. 0o600
 * @param owner whose it is from the first; ours when left out, or where we are not root
 */
export const writeFileAtomically = async (
  path: string,
  content: Uint8Array | string,
  mode = 0o600,
  owner: Numbers | null = null,
): Promise<void> => {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      if (owner !== null && process.getuid?.() === 0) await handle.chown(owner.uid, owner.gid);
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
};
