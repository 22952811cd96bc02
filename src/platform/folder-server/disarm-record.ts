/**
 * What was disarmed of a restored server, in its data folder: written before anything of it can act, and kept with it whatever becomes of the machine
 * that recovered it. What is recorded is the technology's own.
 */
import { lstat, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { writeFileAtomically } from "../atomic-file.ts";

export const disarmRecordName = "refloat-disarmed.json";

export type DisarmRecords<Content> = {
  /** Null where nothing was recorded. @throws RefloatError target.failed for one that cannot be read */
  readonly read: (folder: string) => Promise<Content | null>;
  /** Whole or not at all, by the owner of the folder. */
  readonly write: (folder: string, content: Content) => Promise<void>;
  /** Idempotent. */
  readonly remove: (folder: string) => Promise<void>;
};

/** @param hint for one that cannot be read: what it says, and what to do without it */
export const disarmRecordsOf = <Content>(schema: z.ZodType<Content>, hint: string): DisarmRecords<Content> => ({
  read: async (folder) => {
    const path = join(folder, disarmRecordName);
    try {
      return schema.parse(JSON.parse(await readFile(path, "utf8")));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw new RefloatError("target.failed", `what a recovery has disarmed cannot be read in ${path}`, {
        cause,
        hint,
      });
    }
  },
  write: async (folder, content) => {
    const { uid, gid } = await lstat(folder);
    const text = `${JSON.stringify(content, null, 2)}\n`;
    await writeFileAtomically(join(folder, disarmRecordName), text, 0o600, { uid, gid });
  },
  remove: (folder) => rm(join(folder, disarmRecordName), { force: true }),
});
