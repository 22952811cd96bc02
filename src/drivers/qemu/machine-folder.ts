/** The folder of a virtual machine: the layer of its disk, its console, its control socket, and a record of what it was made from. */
import { createHash } from "node:crypto";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ProvisionOwner } from "../../core/ports/provision.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { writeFileAtomically } from "../../platform/atomic-file.ts";
import { programError, runProgram } from "../../platform/subprocess.ts";
import { type BoundMachine, layerWords, machineFiles } from "./machine-words.ts";
import type { QemuContext } from "./qemu-options.ts";

const recordSchema = z.object({
  uuid: z.string(),
  /** Digest of the declaration that it was made by. */
  declared: z.string(),
  /** What the base of its disk was then: a layer over another one holds nothing that makes sense. */
  base: z.string().nullable(),
});
export type MachineRecord = z.infer<typeof recordSchema>;

const folderMode = 0o700;
const tailBytes = 16_384;

export const machineFolder = ({ stateDirectory }: Pick<QemuContext, "stateDirectory">): string =>
  join(stateDirectory, "machine");
export const machineFile = (context: QemuContext, name: keyof typeof machineFiles): string =>
  join(machineFolder(context), machineFiles[name]);
const recordPath = (context: QemuContext): string => join(machineFolder(context), "machine.json");

export const missingQemu = (program: string, debianPackage: string, cause: unknown): RefloatError => {
  const known = programError(program, cause);
  return known.code === "program.missing"
    ? new RefloatError("program.missing", known.message, { cause, hint: `Debian: apt-get install ${debianPackage}` })
    : known;
};

/** The same for every machine of this entry and run; in the form of RFC 9562, version 8. */
const uuidOf = ({ service, component }: QemuContext, { runUid }: ProvisionOwner): string => {
  const hex = createHash("sha256").update([service, component, runUid].join("\0")).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
};

/** Changes whenever the image is written to or replaced; null where there is none. */
const identityOf = async (base: BoundMachine["base"]): Promise<string | null> => {
  if (base === null) return null;
  try {
    const { dev, ino, size, mtimeMs } = await stat(base.path);
    return [dev, ino, size, mtimeMs].join(":");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
};

export const isBaseUnchanged = async (record: MachineRecord, { base }: BoundMachine): Promise<boolean> =>
  (await identityOf(base)) === record.base;

export const isFolderThere = async (context: QemuContext): Promise<boolean> =>
  stat(machineFolder(context)).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );

/** @returns null where there is none, or none that this version reads */
export const readMachineRecord = async (context: QemuContext): Promise<MachineRecord | null> => {
  try {
    return recordSchema.parse(JSON.parse(await readFile(recordPath(context), "utf8")));
  } catch {
    return null;
  }
};

/**
 * Makes the folder with all that a machine begins with. The base must be there.
 * @throws RefloatError program.missing, program.failed; config.invalid for an image that is not there; the system's error for a full disk
 */
export const makeMachineFolder = async (
  context: QemuContext,
  bound: BoundMachine,
  owner: ProvisionOwner,
): Promise<MachineRecord> => {
  const base = await identityOf(bound.base);
  if (base === null && bound.base !== null)
    throw new RefloatError("config.invalid", `disk of ${context.component}, ${bound.base.path}, is not there`, {
      hint: "make it, or let an entry above make it",
    });
  const record: MachineRecord = { uuid: uuidOf(context, owner), declared: bound.declared, base };
  await mkdir(machineFolder(context), { mode: folderMode });
  await writeFileAtomically(recordPath(context), JSON.stringify(record));
  if (bound.base !== null) await makeLayer(context, bound.base);
  return record;
};

/** In place of one that is there. */
export const makeLayer = async (context: QemuContext, base: NonNullable<BoundMachine["base"]>): Promise<void> => {
  const [program, ...words] = layerWords(base);
  try {
    await runProgram(program, words, {
      signal: context.signal,
      cwd: machineFolder(context),
      marker: context.marker,
    });
  } catch (error) {
    context.signal.throwIfAborted();
    throw missingQemu(program, "qemu-utils", error);
  }
};

/** What a file of the machine has got since `offset`, at most its last 16 KiB. Empty where it is not there. */
export const readTail = async (context: QemuContext, name: "console" | "log", offset: number): Promise<string> => {
  const handle = await open(machineFile(context, name), "r").catch(() => null);
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

export const sizeOf = async (context: QemuContext, name: "console" | "log"): Promise<number> =>
  stat(machineFile(context, name)).then(
    ({ size }) => size,
    () => 0,
  );
