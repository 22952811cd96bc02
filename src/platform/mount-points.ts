/** Which paths are mount points in this mount name space; a bind mount of the same file system counts. */
import { readFile } from "node:fs/promises";

/** Octal escapes of the kernel for blanks, tabs, newlines and backslashes. */
const unescape = (text: string): string =>
  Buffer.from(
    text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8))),
    "latin1",
  ).toString("utf8");

export const isMountPoint = async (path: string): Promise<boolean> => {
  const table = await readFile("/proc/self/mountinfo", "latin1");
  return table.split("\n").some((line) => unescape(line.split(" ")[4] ?? "") === path);
};
