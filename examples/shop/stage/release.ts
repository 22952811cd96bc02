/**
 * Delivers a release of the shop: the parts that all releases share, its own parts, and its npm packages, so that the folder runs by
 * `node server.js` wherever it stands.
 */
import { cp, mkdir, readFile, rename, stat, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";

const sources = join(import.meta.dirname, "..");
const packageSchema = z.object({ dependencies: z.record(z.string(), z.string()).optional() });

const readDependencies = async (folder: string): Promise<readonly string[]> => {
  const { dependencies } = packageSchema.parse(JSON.parse(await readFile(join(folder, "package.json"), "utf8")));
  return Object.keys(dependencies ?? {});
};

const isFolder = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Looks for a package as Node does: beside the one that needs it, then further up. */
const findPackage = async (name: string, from: string): Promise<string> => {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (await isFolder(candidate)) return candidate;
  }
  throw new Error(`the npm package ${name} is not installed; run npm install`);
};

const deliverPackages = async (from: string, into: string): Promise<void> => {
  const delivered = new Set<string>();
  const deliver = async (needing: string): Promise<void> => {
    for (const name of await readDependencies(needing)) {
      if (delivered.has(name)) continue;
      delivered.add(name);
      const found = await findPackage(name, needing);
      await cp(found, join(into, "node_modules", name), {
        recursive: true,
        dereference: true,
        filter: (path) => !path.slice(found.length).split("/").includes("node_modules"),
      });
      await deliver(found);
    }
  };
  await deliver(from);
};

/** @returns the release's folder */
export const deliverRelease = async (version: string, releases: string): Promise<string> => {
  const own = join(sources, "releases", version);
  const target = join(releases, version);
  await mkdir(target, { recursive: true });
  await cp(join(sources, "app"), target, { recursive: true });
  await cp(own, target, { recursive: true });
  await deliverPackages(own, target);
  return target;
};

/** Points `current` at a release by one rename, so that there is no instant without it. */
export const makeCurrent = async (release: string, current: string): Promise<void> => {
  const temporary = `${current}.new`;
  await symlink(join(basename(dirname(release)), basename(release)), temporary);
  await rename(temporary, current);
};
