/** Which paths are mount points in this mount name space, and which should be; a bind mount of the same file system counts. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

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

const isAt = (path: string, point: string): boolean => path === point || path.startsWith(`${point}/`);

/**
 * Where the declared mount that a path would lie on is not mounted.
 * @param fstab the file of declared mounts; one that cannot be read declares none
 * @returns null where all is mounted, or nothing but the root is declared
 */
export const unmountedAbove = async (path: string, fstab: string): Promise<string | null> => {
  const lines = (await readFile(fstab, "latin1").catch(() => "")).split("\n");
  const declared = lines
    .map((line) => line.trim().split(/\s+/))
    .flatMap(([device = "", point]) =>
      device.startsWith("#") || point?.startsWith("/") !== true ? [] : [resolve(unescape(point))],
    )
    .filter((point) => point !== "/" && isAt(resolve(path), point))
    .toSorted((a, b) => b.length - a.length);
  const mounted = new Set(await mountPoints());
  const nearest = declared[0];
  return nearest === undefined || mounted.has(nearest) ? null : nearest;
};
