/** What an entry remembers of what it has installed: whose run it was, which packages were there before in which way. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ProvisionOwner } from "../../core/ports/provision.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { removeSiblingRecord, writeSiblingRecord } from "../../platform/sibling-record.ts";
import type { PackagesContext } from "./packages-options.ts";

const recordSchema = z.object({
  run: z.number(),
  runUid: z.string(),
  root: z.string(),
  state: z.enum(["begun", "whole"]),
  packages: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      architecture: z.string(),
      /** Null: it was not there. */
      replaces: z.string().nullable(),
      hasConfiguration: z.boolean(),
    }),
  ),
});
export type InstallRecord = z.infer<typeof recordSchema>;

const pathOf = ({ stateDirectory }: PackagesContext): string => join(stateDirectory, "installed-packages.json");

/** @throws RefloatError instance.exists for a file that no entry has written */
export const readInstallRecord = async (context: PackagesContext): Promise<InstallRecord | null> => {
  const path = pathOf(context);
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return null;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new RefloatError("instance.exists", `${path} is not a record that Refloat wrote`, { cause: error });
  }
};

/** Durable when it resolves. */
export const writeInstallRecord = (context: PackagesContext, record: InstallRecord): Promise<void> =>
  writeSiblingRecord(pathOf(context), JSON.stringify(record));

export const removeInstallRecord = (context: PackagesContext): Promise<void> => removeSiblingRecord(pathOf(context));

export const ownerIn = (record: InstallRecord | null): ProvisionOwner | null =>
  record === null ? null : { run: record.run, runUid: record.runUid };
