/** Which paths are mount points in this mount name space; a bind mount of the same file system counts. */
import { readFile } from "node:fs/promises";

/** Octal escapes of the kernel for blanks, tabs, newlines and backslashes. */
const unescape = (text: string): string =>
  Buffer.from(
    text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8))),
    "latin1",
  ).toString("utf8");

const mountPoints = async (): Promise<readonly string[]> =>
  (await readFile("/proc/self/mountinfo", "latin1"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => unescape(line.split(" ")[4] ?? ""));

/** Those inside of a folder, not the folder itself. */
export const mountPointsBelow = async (path: string): Promise<readonly string[]> =>
  (await mountPoints()).filter((point) => point.startsWith(path === "/" ? "/" : `${path}/`) && point !== path);

export const isMountPoint = async (path: string): Promise<boolean> => (await mountPoints()).includes(path);
