/** Remembers beside a data folder how its server was started, since the folder that comes behind the name was started in another way. */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { z } from "zod";
import { writeSiblingRecord } from "../sibling-record.ts";
import { pathExists } from "../tree-files.ts";

export type StartRecord<Start> = {
  /** @param how with `replace: false` what is remembered already stays */
  readonly remember: (stable: string, start: Start, how: { readonly replace: boolean }) => Promise<void>;
  /** Null when nothing is remembered. */
  readonly recall: (stable: string) => Promise<Start | null>;
};

const recordPath = (stable: string): string => join(dirname(stable), `.${basename(stable)}.refloat-start`);

export const startRecordOf = <Start>(schema: z.ZodType<Start>): StartRecord<Start> => ({
  remember: async (stable, start, how) => {
    if (!how.replace && (await pathExists(recordPath(stable)))) return;
    await writeSiblingRecord(recordPath(stable), JSON.stringify(start));
  },
  recall: async (stable) =>
    (await pathExists(recordPath(stable)))
      ? schema.parse(JSON.parse(await readFile(recordPath(stable), "utf8")))
      : null,
});
