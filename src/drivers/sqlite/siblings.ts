/**
 * What SQLite keeps beside a main file under its name. A -wal or a journal that stays behind when another main file gets the name would be
 * read as that file's own, so siblings go where their main file goes. In a folder they do by themselves.
 */
import { lstat, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { syncDirectory } from "../../platform/atomic-file.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { siblingSuffixes } from "./database-files.ts";

/** Empty ones say nothing, and an index of a WAL that is moved is made anew. */
const isWorthKeeping = async (path: string): Promise<boolean> => !path.endsWith("-shm") && (await lstat(path)).size > 0;

/** Repeatable: what is moved already is not there any more. What stands at the new name is never replaced. */
export const moveSiblings = async (from: string, to: string): Promise<void> => {
  for (const suffix of siblingSuffixes) {
    const path = `${from}${suffix}`;
    if (!(await pathExists(path))) continue;
    if (!(await isWorthKeeping(path))) await rm(path, { force: true });
    else if (!(await pathExists(`${to}${suffix}`))) await rename(path, `${to}${suffix}`);
    else throw new RefloatError("cutover.conflict", `${path} and ${to}${suffix} are both there`);
  }
  await syncDirectory(dirname(from));
};

export const removeSiblings = async (path: string): Promise<void> => {
  for (const suffix of siblingSuffixes) await rm(`${path}${suffix}`, { force: true });
};
