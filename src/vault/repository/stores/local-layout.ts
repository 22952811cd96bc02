/** Where the files of a repository lie in a folder: restic's default layout. */
import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { StoreKind } from "./store.ts";

export const hexName = /^[0-9a-f]{64}$/;

/** @throws RefloatError bug, for a name that could lead elsewhere */
export const localPath = (location: string, kind: StoreKind, name: string): string => {
  if (kind === "config") return join(location, "config");
  if (!hexName.test(name)) throw new RefloatError("bug", `"${name}" cannot be the name of a ${kind} file`);
  return kind === "data" ? join(location, kind, name.slice(0, 2), name) : join(location, kind, name);
};

/** The folders that hold files of the kind. @throws what the file system does */
export const foldersOf = async (location: string, kind: StoreKind): Promise<readonly string[]> => {
  const folder = join(location, kind);
  if (kind !== "data") return [folder];
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(folder, entry.name));
};

/** Durable when it returns. @throws RefloatError vault.exists; what the file system does */
export const makeFolders = async (location: string): Promise<void> => {
  mkdirSync(location, { recursive: true, mode: 0o700 });
  const names = await readdir(location);
  if (names.includes("config")) throw new RefloatError("vault.exists", `there is a vault at ${location} already`);
  for (const folder of ["keys", "locks", "snapshots", "index", "data", "tmp"])
    mkdirSync(join(location, folder), { recursive: true, mode: 0o700 });
  // All at once, as restic does: a folder made in the middle of a capture costs one more flush to disk.
  for (let i = 0; i < 256; i += 1)
    mkdirSync(join(location, "data", i.toString(16).padStart(2, "0")), { recursive: true, mode: 0o700 });
  for (const folder of ["data", ""]) {
    const fd = openSync(join(location, folder), "r");
    fsyncSync(fd);
    closeSync(fd);
  }
};
