/** The files that an installed package has on disk, as tar entries. Reads no content. */
import type { BigIntStats } from "node:fs";
import { lstat, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import type { InstalledPackage } from "../../core/packages/debian-package.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { describeSystemError } from "../system-error.ts";
import { type PackageSystem, dpkgFolder } from "./package-database.ts";
import type { TarEntry } from "./write-tar.ts";

export type InstalledFile = { readonly entry: TarEntry; /** On this machine. */ readonly path: Buffer };

export type InstalledFiles = {
  readonly files: readonly InstalledFile[];
  /** Paths that the package brought and that are not there. */
  readonly missing: readonly string[];
};

/** Paths are read and written byte by byte. */
const bytes = "latin1";

/** A package of which several architectures can be installed has its architecture in the names of its files. */
const infoName = async (system: PackageSystem, one: InstalledPackage): Promise<string> => {
  const folder = join(system.root, dpkgFolder, "info");
  for (const name of [`${one.name}:${one.architecture}`, one.name])
    if (
      await stat(join(folder, `${name}.list`)).then(
        () => true,
        () => false,
      )
    )
      return join(folder, name);
  throw new RefloatError("source.failed", `dpkg has no list of the files of ${one.name}`, {
    hint: `dpkg --listfiles ${one.name} says what is wrong`,
  });
};

/** `/var/lib/dpkg/info/libx:amd64`, and an ending such as `.md5sums`. Null where there is none. */
export const readInfo = async (
  system: PackageSystem,
  one: InstalledPackage,
  ending: string,
): Promise<Buffer | null> => {
  const path = `${await infoName(system, one)}.${ending}`;
  return readFile(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw unreadable(path, error);
  });
};

const unreadable = (path: string, error: unknown): RefloatError =>
  new RefloatError("source.failed", `${path} cannot be read: ${describeSystemError(error)}`, { cause: error });

/** @throws RefloatError source.failed for a path that would lead elsewhere */
export const listedPaths = async (system: PackageSystem, one: InstalledPackage): Promise<readonly string[]> => {
  const list = (await readInfo(system, one, "list"))?.toString(bytes) ?? "";
  const paths = list.split("\n").filter((path) => path !== "" && path !== "/.");
  const hostile = paths.find((path) => !path.startsWith("/") || path.split("/").includes(".."));
  if (hostile !== undefined)
    throw new RefloatError("source.failed", `dpkg's list of the files of ${one.name} names ${JSON.stringify(hostile)}`);
  return paths;
};

/** `name:x:7:`, by number. */
const namesByNumber = async (path: string): Promise<ReadonlyMap<number, string>> => {
  const text = await readFile(path, "utf8").catch(() => "");
  return new Map(text.split("\n").map((line) => [Number(line.split(":")[2]), line.split(":")[0] ?? ""]));
};

/** Files that another package has moved out of the way have other names on disk than in their own package. */
const divertedBy = async (system: PackageSystem, one: InstalledPackage): Promise<ReadonlySet<string>> => {
  const text = await readFile(join(system.root, dpkgFolder, "diversions"), bytes).catch(() => "");
  const lines = text.split("\n");
  const diverted = new Set<string>();
  for (let at = 0; at + 2 < lines.length; at += 3) if (lines[at + 2] !== one.name) diverted.add(lines[at] ?? "");
  return diverted;
};

/** @throws RefloatError source.failed for what no archive can be made of */
export const readInstalledFiles = async (system: PackageSystem, one: InstalledPackage): Promise<InstalledFiles> => {
  const paths = await listedPaths(system, one);
  const diverted = await divertedBy(system, one);
  const [users, groups] = await Promise.all(
    ["passwd", "group"].map((name) => namesByNumber(join(system.root, "etc", name))),
  );
  const folders = new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/"))));
  const links = new Map<string, Uint8Array>();
  const files: InstalledFile[] = [];
  const missing: string[] = [];
  for (const path of paths) {
    if (diverted.has(path)) throw new RefloatError("source.failed", `${path} is diverted by another package`);
    const real = Buffer.from(join(system.root, path), bytes);
    // What was a folder in the package may be a link by now, as /lib is since it lies in /usr.
    const looked = folders.has(path) ? stat(real, { bigint: true }) : lstat(real, { bigint: true });
    const seen = await looked.catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw unreadable(path, error);
    });
    if (seen === null) {
      missing.push(path);
      continue;
    }
    const name = Buffer.from(`.${path}${seen.isDirectory() ? "/" : ""}`, bytes);
    const entry = await entryOf(name, real, seen, links);
    if (entry === null) throw new RefloatError("source.failed", `${path} is a device, a socket or a pipe`);
    files.push({
      entry: { ...entry, user: users?.get(entry.uid) ?? "", group: groups?.get(entry.gid) ?? "" },
      path: real,
    });
  }
  return { files, missing };
};

/** @param links names by identity, of files that have several */
const entryOf = async (
  name: Buffer,
  path: Buffer,
  seen: BigIntStats,
  links: Map<string, Uint8Array>,
): Promise<Omit<TarEntry, "user" | "group"> | null> => {
  const common = {
    name,
    mode: Number(seen.mode),
    uid: Number(seen.uid),
    gid: Number(seen.gid),
    sizeBytes: 0,
    modifiedSeconds: Number(seen.mtimeMs / 1000n),
  };
  if (seen.isDirectory()) return { ...common, type: "directory" };
  if (seen.isSymbolicLink())
    return { ...common, type: "symlink", mode: 0o777, target: await readlink(path, { encoding: "buffer" }) };
  if (!seen.isFile()) return null;
  const identity = `${seen.dev}:${seen.ino}`;
  const known = links.get(identity);
  if (seen.nlink > 1n && known !== undefined) return { ...common, type: "link", target: known };
  links.set(identity, name);
  return { ...common, type: "file", sizeBytes: Number(seen.size) };
};
