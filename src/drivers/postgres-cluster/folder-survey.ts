/**
 * What of a data folder, or of a tablespace, belongs to a base backup, as the server itself chooses (PostgreSQL's documentation, "Backing Up The
 * Data Directory"): its folders, what of them is left out, how much each database has. Reads names and sizes, no content.
 */
import { lstat, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";

export type FolderSurvey = {
  /** Below the root, parents before children. */
  readonly folders: readonly string[];
  /** Patterns as of .gitignore, relative to the root. */
  readonly exclude: readonly string[];
  /** Of files by path below the root. */
  readonly sizes: ReadonlyMap<string, number>;
};

/** Contents that a server makes anew when it starts; the folders have to be there. */
const emptied: ReadonlySet<string> = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
]);

/** Of a server that runs, and of backups before. */
const isLeftOut = (name: string): boolean =>
  /^(pgsql_tmp|pg_internal\.init)/.test(name) ||
  [
    "postgresql.auto.conf.tmp",
    "current_logfiles.tmp",
    "backup_label",
    "tablespace_map",
    "backup_manifest",
    "postmaster.pid",
    "postmaster.opts",
  ].includes(name);

export const isEmptied = (folder: string): boolean => emptied.has(folder);

/** Of a data folder: what the server itself keeps in folders. People may have others beside these. */
export const isOfServer = (path: string): boolean => /^(?:base|global|pg_[a-z_]+)(?:\/|$)/.test(path);

/** Links of these that people make: without what they lead to a copy does not start. */
const isConfiguration = (path: string): boolean => /^(?:postgresql|pg_hba|pg_ident)\.conf$/.test(path);

/** Undefined where a path leads to no file. */
const sizeBehind = async (path: string): Promise<number | undefined> => {
  const found = await stat(path).catch(() => null);
  return found?.isFile() === true ? found.size : undefined;
};

const everywhere = ["pgsql_tmp*", "pg_internal.init*"];
const temporaryTable = /^t\d+_\d+(?:_[a-z]+)?(?:\.\d+)?$/;
const initFork = /^(\d+)_init$/;

/** A name as a pattern that matches nothing else. */
const literally = (path: string): string => `/${path.replaceAll(/[\\*?[\]! #]/g, (character) => `\\${character}`)}`;

/** Rows of unlogged tables are in no log: the server empties such a table by its `init` fork, and wants nothing else of it. */
const unloggedPatterns = (folder: string, names: readonly string[]): readonly string[] =>
  names.flatMap((name) => {
    const node = initFork.exec(name)?.[1];
    const path = folder === "" ? node : `${folder}/${node}`;
    return node === undefined ? [] : [`/${path}`, `/${path}.*`, `/${path}_fsm*`, `/${path}_vm*`];
  });

const behindLink = (path: string): RefloatError =>
  new RefloatError("source.unsupported", `${path} is a link: what lies behind it is in no base backup`, {
    state: "no point was made",
    hint: "move it back into the data folder, or into a tablespace",
  });

/**
 * @param root of the walk @param isEntered folders right below the root that are walked; all of them are listed @param isNeeded what must not be left out
 * @throws RefloatError source.unsupported for a name that is no UTF-8, and for data behind a link, which no backup of PostgreSQL follows; source.failed
 * for a folder that cannot be read
 */
export const surveyFolder = async (
  root: string,
  isEntered: (name: string) => boolean = () => true,
  isNeeded: (path: string) => boolean = () => true,
): Promise<FolderSurvey> => {
  const folders: string[] = [];
  const exclude: string[] = [...everywhere];
  const sizes = new Map<string, number>();

  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      // A database may be dropped meanwhile; the root may not.
      if (error.code === "ENOENT" && folder !== "") return [];
      throw new RefloatError("source.failed", `${join(root, folder)} cannot be read: ${error.code}`, { cause: error });
    });
    const names = entries.map(({ name }) => name).sort();
    exclude.push(...unloggedPatterns(folder, names));
    const below: string[] = [];
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.name.includes("\uFFFD"))
        throw new RefloatError("source.unsupported", `${root} holds a file whose name is no UTF-8`, {
          hint: `it is in ${join(root, folder)}: move it out of there`,
        });
      if (isLeftOut(entry.name)) continue;
      if (entry.isDirectory()) below.push(path);
      // A copy has a folder there, which begins empty.
      else if (entry.isSymbolicLink() && isEmptied(path)) folders.push(path);
      else if (entry.isSymbolicLink() && isConfiguration(path)) {
        const size = await sizeBehind(join(root, path));
        if (size !== undefined) sizes.set(path, size);
      } else if (entry.isSymbolicLink() && isEntered(path) && isNeeded(path)) throw behindLink(join(root, path));
      else if (!entry.isFile()) exclude.push(literally(path));
      else if (temporaryTable.test(entry.name)) exclude.push(literally(path));
      else {
        const size = (await lstat(join(root, path)).catch(() => null))?.size;
        if (size !== undefined) sizes.set(path, size);
      }
    }
    for (const path of below.sort()) {
      folders.push(path);
      if (folder !== "" || isEntered(path)) await walk(path);
    }
  };
  await walk("");
  return { folders, exclude, sizes };
};
