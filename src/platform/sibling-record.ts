/**
 * Small files that stand beside a tree and remember something about it. Written whole or not at all, under one fixed temporary
 * name, so that a writer that was killed leaves nothing that the next write or removal does not take away.
 */
import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "./atomic-file.ts";

const temporaryOf = (path: string): string => `${path}.tmp`;

export const writeSiblingRecord = async (path: string, text: string): Promise<void> => {
  const handle = await open(temporaryOf(path), "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporaryOf(path), path);
  await syncDirectory(dirname(path));
};

export const removeSiblingRecord = async (path: string): Promise<void> => {
  await rm(temporaryOf(path), { force: true });
  await rm(path, { force: true });
};
