/** How much room the file systems have where data is to be restored. */
import { readFile, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Host } from "../core/ports/workbench.ts";

/** Mount points of this mount name space, longest first. Octal escapes as in fstab. */
const mountPoints = async (): Promise<readonly string[]> => {
  const table = await readFile("/proc/self/mounts", "utf8");
  return table
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path !== "")
    .map((path) =>
      path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8))),
    )
    .sort((a, b) => b.length - a.length);
};

const isWithin = (path: string, mount: string): boolean =>
  mount === "/" || path === mount || path.startsWith(`${mount}/`);

/** statfs of the nearest folder that exists: the target itself is not there yet. */
const freeBytes = async (path: string): Promise<number> => {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || path === "/") throw error;
    return freeBytes(dirname(path));
  }
};

export const measureSpace: Host["space"] = async (needs) => {
  const mounts = await mountPoints();
  const byMount = new Map<string, { neededBytes: number; components: Set<string> }>();
  for (const { path, bytes, component } of needs) {
    const mount = mounts.find((candidate) => isWithin(resolve(path), candidate)) ?? "/";
    const entry = byMount.get(mount) ?? { neededBytes: 0, components: new Set<string>() };
    entry.neededBytes += bytes;
    entry.components.add(component);
    byMount.set(mount, entry);
  }
  return Promise.all(
    [...byMount].map(async ([fileSystem, { neededBytes, components }]) => ({
      fileSystem,
      neededBytes,
      freeBytes: await freeBytes(fileSystem),
      components: [...components],
    })),
  );
};
