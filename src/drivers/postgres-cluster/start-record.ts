/** Remembers beside the data folder how its server was started, since the folder that comes behind the name was started in another way. */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { writeSiblingRecord } from "../../platform/sibling-record.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { StartOptions } from "./postmaster.ts";

const recordSchema = z.object({ options: z.string(), log: z.string() });

const recordPath = (stable: string): string => join(dirname(stable), `.${basename(stable)}.refloat-start`);

/** @param how with `replace: false` what is remembered already stays */
export const rememberStart = async (
  stable: string,
  options: StartOptions,
  how: { readonly replace: boolean },
): Promise<void> => {
  if (!how.replace && (await pathExists(recordPath(stable)))) return;
  await writeSiblingRecord(recordPath(stable), JSON.stringify(options));
};

/** Without a record: as a server of its folder alone. */
export const rememberedStart = async (stable: string): Promise<StartOptions> =>
  (await pathExists(recordPath(stable)))
    ? recordSchema.parse(JSON.parse(await readFile(recordPath(stable), "utf8")))
    : { options: "", log: join(stable, "refloat-server.log") };
