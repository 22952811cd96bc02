/**
 * What Refloat itself remembers of what it has a tool make, an instance or what is provisioned: which run it is of, and whether making
 * it came to its end. A tool may not be able to tell a torn one from a whole one, nor whose it is; so it is asked only what is there.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { DriverContext, InstanceTarget } from "../core/ports/driver.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { removeSiblingRecord, writeSiblingRecord } from "./sibling-record.ts";

const recordSchema = z.object({
  name: z.string(),
  run: z.number(),
  runUid: z.string(),
  state: z.enum(["begun", "whole"]),
});
type InstanceRecord = z.infer<typeof recordSchema>;
type Place = Pick<DriverContext, "stateDirectory">;

const recordPath = ({ stateDirectory }: Place, name: string): string =>
  join(stateDirectory, `instance-${createHash("sha256").update(name).digest("hex").slice(0, 16)}.json`);

export const readInstanceRecord = async (place: Place, name: string): Promise<InstanceRecord | null> => {
  const path = recordPath(place, name);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new RefloatError("instance.exists", `${path} is not a record that Refloat wrote`, { cause: error });
  }
};

/** Durable when it resolves. */
export const writeInstanceRecord = (
  place: Place,
  { name, run, runUid }: InstanceTarget,
  state: InstanceRecord["state"],
): Promise<void> => writeSiblingRecord(recordPath(place, name), JSON.stringify({ name, run, runUid, state }));

export const removeInstanceRecord = (place: Place, name: string): Promise<void> =>
  removeSiblingRecord(recordPath(place, name));
