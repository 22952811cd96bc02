/**
 * What is remembered of started processes, one small file for each name: which process, on which port, of which release. The file
 * may be older than the truth; the marker in the process's own environment is what proves that a process is the one.
 */
import { mkdir, open, readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import type { ProcessContext } from "./process-options.ts";

const identitySchema = z.object({ pid: z.int(), startTicks: z.int() });

const recordSchema = z.object({
  name: z.string(),
  /** The process that holds the port; the one that was started until a port is held. */
  process: identitySchema,
  port: z.int(),
  release: z.string(),
});
export type ProcessRecord = z.infer<typeof recordSchema>;

/** Both are in the environment of all that a start leads to: two installations on one machine do not take each other's. */
export const instanceVariables = (context: ProcessContext, name: string): Readonly<Record<string, string>> => ({
  REFLOAT_INSTANCE: `${context.service}/${context.component}/${name}`,
  REFLOAT_STATE: context.stateDirectory,
});

export const instancePrefix = (context: ProcessContext): string => `${context.service}/${context.component}/`;

const folderOf = (context: ProcessContext): string => join(context.stateDirectory, "processes");
const fileName = (name: string): string => encodeURIComponent(name).replaceAll(".", "%2E");
const recordPath = (context: ProcessContext, name: string): string => join(folderOf(context), `${fileName(name)}.json`);

export const logPathOf = (context: ProcessContext, name: string): string =>
  join(folderOf(context), `${fileName(name)}.log`);

export const writeRecord = async (context: ProcessContext, record: ProcessRecord): Promise<void> => {
  await mkdir(folderOf(context), { recursive: true, mode: 0o700 });
  await writeFileAtomically(recordPath(context, record.name), JSON.stringify(record));
};

const readRecordFile = async (path: string): Promise<ProcessRecord | null> => {
  try {
    return recordSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    // Absent, or unreadable by this version: the marker in the environment still finds the process.
    return null;
  }
};

export const readRecord = (context: ProcessContext, name: string): Promise<ProcessRecord | null> =>
  readRecordFile(recordPath(context, name));

export const listRecords = async (context: ProcessContext): Promise<readonly ProcessRecord[]> => {
  const names = await readdir(folderOf(context)).catch(() => []);
  const records = await Promise.all(
    names.filter((name) => name.endsWith(".json")).map((name) => readRecordFile(join(folderOf(context), name))),
  );
  return records.filter((record) => record !== null);
};

export const removeRecord = async (context: ProcessContext, name: string): Promise<void> => {
  await rm(recordPath(context, name), { force: true });
};

const tailBytes = 16_384;

/** What the application has said since `offset`, at most the last 16 KiB. */
export const readLogTail = async (context: ProcessContext, name: string, offset: number): Promise<string> => {
  const handle = await open(logPathOf(context, name), "r").catch(() => null);
  if (handle === null) return "";
  try {
    const { size } = await handle.stat();
    const start = Math.max(offset, size - tailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.max(0, size - start)), 0, null, start);
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await handle.close();
  }
};
