/** What a switch has done to the sequences of a recovered cluster, kept in its folder for the report: the act itself tells nobody. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { pathExists } from "../../platform/tree-files.ts";

const pathIn = (folder: string): string => join(folder, "refloat-sequences.json");

export const writeSequenceRecord = (folder: string, said: readonly string[]): Promise<void> =>
  writeFile(pathIn(folder), JSON.stringify(said), { mode: 0o600 });

export const readSequenceRecord = async (folder: string): Promise<readonly string[]> =>
  (await pathExists(pathIn(folder)))
    ? z.array(z.string()).parse(JSON.parse(await readFile(pathIn(folder), "utf8")))
    : [];

/** A cluster may have been captured with one. */
export const removeSequenceRecord = (folder: string): Promise<void> => rm(pathIn(folder), { force: true });
