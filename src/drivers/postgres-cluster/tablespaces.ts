/**
 * Tablespaces of restored clusters: each in a new folder beside the one that it was captured from, since the live cluster goes on using that.
 * They stay there after the switch; what nobody uses any more goes with the cluster that used it.
 */
import { access, readFile, readdir, readlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { isOwnName } from "../../platform/path-names.ts";
import { pathExists, removeTree } from "../../platform/tree-files.ts";

/** `/mnt/fast` and `/mnt/fast.r41` of run 42: `/mnt/fast.r42`; beside the data folder where there is no such place here. */
export const restoredLocation = async (
  stable: string,
  run: number,
  { oid, location }: { readonly oid: string; readonly location: string },
): Promise<string> => {
  const plain = location.replace(/\.r\d+$/, "");
  const isHere = await access(dirname(plain)).then(
    () => true,
    () => false,
  );
  return isHere ? `${plain}.r${run}` : join(dirname(stable), `${basename(stable)}.tablespace-${oid}.r${run}`);
};

/** As the server writes and reads it: one line each, with escapes. */
export const formatTablespaceMap = (places: readonly { readonly oid: string; readonly path: string }[]): string =>
  places.map(({ oid, path }) => `${oid} ${path.replaceAll(/[\\\n\r]/g, (character) => `\\${character}`)}\n`).join("");

const plannedName = "refloat-tablespaces";

/** Written before the first of them is made: the server sets its links only when it starts, and a restore may be killed before. */
export const planLocations = async (folder: string, paths: readonly string[]): Promise<void> => {
  if (paths.length > 0) await writeFile(join(folder, plannedName), JSON.stringify(paths), { mode: 0o600 });
};

const plannedLocations = async (folder: string): Promise<readonly string[]> => {
  const path = join(folder, plannedName);
  return (await pathExists(path)) ? z.array(z.string()).parse(JSON.parse(await readFile(path, "utf8"))) : [];
};

/** Where the tablespaces of a cluster lie: by its links, and where a restore was to put them. */
const locationsOf = async (folder: string): Promise<readonly string[]> => {
  const links = join(folder, "pg_tblspc");
  const names = await readdir(links).catch(() => []);
  const targets = await Promise.all(names.map((name) => readlink(join(links, name)).catch(() => null)));
  return [...new Set([...targets.filter((target) => target !== null), ...(await plannedLocations(folder))])];
};

/** Folders that the server makes within a location, for each version of it. */
const versionFolder = /^PG_\d+_\d+$/;

/**
 * Removes the tablespaces of a cluster that is to be removed itself, except those that `kept` uses too. A location that a recovery made goes whole;
 * of one that people made only what the server has put there.
 */
export const removeTablespaces = async (
  folder: string,
  kept: string | null,
  major: number,
  signal: AbortSignal,
): Promise<void> => {
  const used = new Set(kept === null ? [] : await locationsOf(kept));
  for (const location of await locationsOf(folder)) {
    if (used.has(location)) continue;
    if (isOwnName(location)) await removeTree(location, signal);
    else if (await pathExists(location)) {
      for (const name of await readdir(location))
        if (versionFolder.test(name) && name.startsWith(`PG_${major}_`)) await removeTree(join(location, name), signal);
    }
  }
};
