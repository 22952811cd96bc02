/** What a run has made, or was about to: written before terraform makes it, so that nothing else is ever destroyed. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { removeSiblingRecord, writeSiblingRecord } from "../../platform/sibling-record.ts";

const madeSchema = z.object({
  run: z.number(),
  runUid: z.string(),
  state: z.enum(["begun", "whole"]),
  /** Addresses of resources in the state. */
  addresses: z.array(z.string()).readonly(),
});
type MadeResources = z.infer<typeof madeSchema>;
type Place = Pick<DriverContext, "stateDirectory">;

const pathOf = ({ stateDirectory }: Place): string => join(stateDirectory, "terraform-made.json");

export const readMadeResources = async (place: Place): Promise<MadeResources | null> => {
  const path = pathOf(place);
  try {
    return madeSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new RefloatError("instance.exists", `${path} is not a record that Refloat wrote`, { cause: error });
  }
};

/** Durable when it resolves. */
export const writeMadeResources = (place: Place, made: MadeResources): Promise<void> =>
  writeSiblingRecord(pathOf(place), JSON.stringify(made));

export const removeMadeResources = (place: Place): Promise<void> => removeSiblingRecord(pathOf(place));
