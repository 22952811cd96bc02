import { readProcess } from "../../../platform/process-table.ts";

/** Does a process of this machine exist? One of another user does, although it may not be signalled. */
export const isProcessAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
};

/** Does it exist, and is it the one that began then, not a later one with its id? What cannot be looked at is taken for the same. */
export const isSameProcessAlive = (pid: number, startTicks: number | undefined): boolean => {
  if (!isProcessAlive(pid)) return false;
  const row = readProcess(pid);
  return row === null || startTicks === undefined || row.startTicks === startTicks;
};
