/** What is remembered of a freeze until a thaw has succeeded: written before anything is frozen, so that no crash leaves one unknown. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { quiesceSchema } from "../../model/declaration.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { syncDirectory, writeFileAtomically } from "../atomic-file.ts";

const frozenRecordSchema = z.object({
  service: z.string(),
  sinceAt: z.string(),
  untilAt: z.string(),
  /** As declared: secrets are references. */
  quiesce: quiesceSchema,
  failure: z.object({ at: z.string(), reason: z.string() }).nullable(),
});
export type FrozenRecord = z.infer<typeof frozenRecordSchema>;

const recordPath = (folder: string, service: string): string => join(folder, `${service}.json`);

/** Held by the keeper as long as it lives; see process-lock.ts for who may open it. */
export const keeperLockPath = (folder: string, service: string): string => join(folder, `${service}.lock`);

/** @throws RefloatError journal.failed when there is one that cannot be read: then something may be frozen */
export const readFrozenRecord = async (folder: string, service: string): Promise<FrozenRecord | null> => {
  const path = recordPath(folder, service);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new RefloatError("journal.failed", `${path} cannot be read, and ${service} may be frozen`, { cause: error });
  }
  try {
    return frozenRecordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new RefloatError("journal.failed", `${path} is damaged, and ${service} may be frozen`, {
      cause: error,
      hint: "let the service write again by its thaw: line, then remove the file",
    });
  }
};

export const writeFrozenRecord = (folder: string, record: FrozenRecord): Promise<void> =>
  writeFileAtomically(recordPath(folder, record.service), JSON.stringify(record));

export const removeFrozenRecord = async (folder: string, service: string): Promise<void> => {
  await rm(recordPath(folder, service), { force: true });
  await syncDirectory(folder);
};
