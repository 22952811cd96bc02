/** Which processes hold a file open, whatever name they opened it by: from /proc, by device and inode. */
import { readdirSync, readlinkSync, statSync } from "node:fs";
import { type ProcessRow, isRunning, readProcess } from "./process-table.ts";

export type FileIdentity = { readonly device: number; readonly inode: number };

export type FileHolders = {
  readonly holders: readonly ProcessRow[];
  /** Processes of other users that nobody but root can look into: they may hold it as well. */
  readonly unseen: number;
};

const attempt = <Result>(read: () => Result): Result | NodeJS.ErrnoException => {
  try {
    return read();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
};

/** The link is read first: asking the file system about a pipe or a socket of each process would take ten times as long. */
const holdsOne = (folder: string, name: string, keys: ReadonlySet<string>): boolean => {
  const link = attempt(() => readlinkSync(`${folder}/${name}`));
  if (typeof link !== "string" || !link.startsWith("/") || link.startsWith("/dev/")) return false;
  const stats = attempt(() => statSync(`${folder}/${name}`));
  return !(stats instanceof Error) && keys.has(`${stats.dev}:${stats.ino}`);
};

/** @param except processes of our own that hold it for us */
export const findFileHolders = (files: readonly FileIdentity[], except: readonly number[] = []): FileHolders => {
  const keys = new Set(files.map(({ device, inode }) => `${device}:${inode}`));
  const holders: ProcessRow[] = [];
  let unseen = 0;
  if (keys.size === 0) return { holders, unseen };
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const pid = Number(name);
    if (except.includes(pid)) continue;
    const folder = `/proc/${name}/fd`;
    const open = attempt(() => readdirSync(folder));
    if (open instanceof Error) {
      if (open.code === "EACCES" || open.code === "EPERM") unseen += 1;
      continue;
    }
    if (!open.some((fd) => holdsOne(folder, fd, keys))) continue;
    const row = readProcess(pid);
    if (isRunning(row)) holders.push(row);
  }
  return { holders, unseen };
};
