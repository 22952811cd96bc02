/** The files of a component: which are databases, which belong to one, and what else lies in a folder. */
import { lstat } from "node:fs/promises";
import { basename, join } from "node:path";
import picomatch from "picomatch";
import { RefloatError } from "../../model/refloat-error.ts";
import { lookAt } from "../../platform/path-names.ts";
import { walkTree } from "../../platform/tree-walk.ts";
import type { SqliteContext } from "./sqlite-options.ts";

/** What SQLite keeps beside a database under its name. The index of the WAL is made anew whenever it is missing. */
export const siblingSuffixes = ["-wal", "-journal", "-shm"] as const;
const siblingPattern = /(?:-wal|-journal|-shm|-mj[0-9A-F]{8,9})$/;

export type DatabaseFile = {
  /** Relative to the folder; the file's own name where there is one database. */
  readonly name: string;
  readonly path: string;
};

export type DatabaseFiles = {
  readonly root: string;
  readonly isFolder: boolean;
  /** In byte order of names. */
  readonly databases: readonly DatabaseFile[];
  /** Files of a folder that are neither a database nor excluded. */
  readonly others: readonly string[];
};

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const nameOf = (path: Buffer, root: string): string => {
  try {
    return decoder.decode(path);
  } catch {
    throw new RefloatError("source.unsupported", `${root} holds ${path.toString("latin1")}, a name that is no UTF-8`, {
      hint: "rename it, or exclude it",
    });
  }
};

const inFolder = async (context: SqliteContext, root: string): Promise<DatabaseFiles> => {
  const { databases: patterns = [], exclude = [] } = context.options;
  const matches = picomatch([...patterns]);
  const names: string[] = [];
  const rest: string[] = [];
  const unreadable = (path: Buffer, code: string): void => {
    throw new RefloatError("source.failed", `${root}/${path.toString()} cannot be read (${code})`);
  };
  for await (const { path, stats } of walkTree(root, {
    exclude,
    oneFileSystem: true,
    signal: context.signal,
    unreadable,
  })) {
    if (stats.isDirectory()) continue;
    const name = nameOf(path, root);
    if (siblingPattern.test(name)) rest.push(name);
    else if (stats.isFile() && matches(name)) names.push(name);
    else rest.push(name);
  }
  const known = new Set(names);
  const others = rest.filter((name) => !known.has(name.replace(siblingPattern, "")));
  return { root, isFolder: true, databases: names.map((name) => ({ name, path: join(root, name) })), others };
};

/**
 * @param root the stable path, or that of an instance
 * @throws RefloatError source.failed when it is not there, config.invalid when it is a link or not of the declared kind
 */
export const findDatabases = async (context: SqliteContext, root: string): Promise<DatabaseFiles> => {
  await refuseLink(root);
  const stats = await lstat(root).catch((error: NodeJS.ErrnoException) => {
    const found = error.code === "ENOENT" ? "is not there" : `cannot be looked at (${error.code ?? "unknown"})`;
    throw new RefloatError("source.failed", `${root} ${found}`, { cause: error });
  });
  const { databases: patterns } = context.options;
  if (stats.isDirectory()) {
    if (patterns !== undefined) return inFolder(context, root);
    throw new RefloatError(
      "config.invalid",
      `${root} is a folder, and ${context.component} does not say which of it are databases`,
      {
        hint: 'add databases: ["*.db"]',
      },
    );
  }
  if (patterns !== undefined)
    throw new RefloatError("config.invalid", `${root} is no folder, so databases: names nothing in it`, {
      hint: "take databases: out, or name the folder as the path",
    });
  return { root, isFolder: false, databases: [{ name: basename(root), path: root }], others: [] };
};

/** SQLite keeps -wal and journal beside what a link points to, so the link is no name that could be switched. */
export const refuseLink = async (path: string): Promise<void> => {
  const found = await lookAt(path);
  if (found.kind !== "link") return;
  throw new RefloatError(
    "config.invalid",
    `${path} is a link to ${found.text}, and a database is switched by its own name`,
    {
      hint: `path: ${found.target}`,
    },
  );
};

/** @throws RefloatError source.unsupported: what is in the folder and would be gone after a switch */
export const refuseOthers = ({ root, databases, others }: DatabaseFiles): void => {
  if (databases.length === 0)
    throw new RefloatError("source.failed", `${root} holds no database that databases: matches`);
  if (others.length === 0) return;
  const shown = others.slice(0, 5).join(", ");
  throw new RefloatError(
    "source.unsupported",
    `${root} holds ${shown}${others.length > 5 ? ` and ${others.length - 5} more` : ""}, which ${others.length === 1 ? "is" : "are"} no declared database`,
    {
      hint: "the folder is switched as a whole: add what is a database to databases:, name in exclude: what may be missing after a recovery, or keep files in a folder of their own",
    },
  );
};
