/** The worker processes of an nginx: those that a reload leaves behind finish their requests by the old configuration. */
import { readFile } from "node:fs/promises";
import { RefloatError } from "../../model/refloat-error.ts";
import { type ProcessIdentity, isRunning, listProcesses, readProcess } from "../../platform/process-table.ts";
import { describeSystemError } from "../../platform/system-error.ts";

/** @throws RefloatError target.failed when no nginx runs by this file */
export const readMaster = async (pidFile: string): Promise<ProcessIdentity> => {
  const hint = "declare pid: as nginx.conf does, and see that nginx runs";
  const text = await readFile(pidFile, "utf8").catch((error: unknown) => {
    throw new RefloatError("target.failed", `${pidFile} cannot be read: ${describeSystemError(error)}`, {
      cause: error,
      hint,
    });
  });
  const row = /^\d+$/.test(text.trim()) ? readProcess(Number(text.trim())) : null;
  if (isRunning(row)) return row;
  throw new RefloatError("target.failed", `no nginx runs by ${pidFile}`, { hint });
};

export const listWorkers = ({ pid }: ProcessIdentity): readonly ProcessIdentity[] =>
  listProcesses().filter((row) => row.parent === pid && isRunning(row));
