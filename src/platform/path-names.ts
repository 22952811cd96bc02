/**
 * Names of what stands beside a stable path: restored instances, retired old sides, and the small files that remember whose they
 * are. All are siblings, so that a switch is a rename within one folder, and none is inside a tree.
 */
import { lstat, readlink } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathExists } from "./tree-files.ts";

/** What a name is at this moment. A link is not followed. */
export type NamedObject =
  | { readonly kind: "absent" }
  | { readonly kind: "link"; readonly text: string; readonly target: string }
  | { readonly kind: "object"; readonly device: number; readonly inode: number };

/** @returns a link's target made absolute by its own folder, without resolving further links */
export const lookAt = async (path: string): Promise<NamedObject> => {
  try {
    const stats = await lstat(path);
    if (!stats.isSymbolicLink()) return { kind: "object", device: stats.dev, inode: stats.ino };
    const text = await readlink(path);
    return { kind: "link", text, target: resolve(dirname(path), text) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { kind: "absent" };
    throw error;
  }
};

/** Without a trailing slash: two spellings of one path are one name. */
export const plainPath = (path: string): string => resolve(path);

/**
 * Where run 42 restores to: `/srv/shop/uploads.r42`; beside the release that a link names: `/srv/shop/releases/current_r42`. It does
 * not depend on which release that is, so it is the same before and after a switch.
 */
export const instancePath = async (stable: string, run: number): Promise<string> => {
  const found = await lookAt(stable);
  if (found.kind === "link" && (await pathExists(dirname(found.target))))
    return join(dirname(found.target), `${basename(stable)}_r${run}`);
  return `${stable}.r${run}`;
};

export const retiredPath = (stable: string, run: number): string => `${stable}.old${run}`;

/** Is it a name that this module gives? Nothing else is ever removed. */
export const isOwnName = (path: string): boolean => /(\.(r|old)|_r)\d+$/.test(basename(path));

const hiddenSibling = (path: string, suffix: string): string => join(dirname(path), `.${basename(path)}.${suffix}`);

/** Remembers which run made an instance. */
export const markerPath = (instance: string): string => hiddenSibling(instance, "refloat");
/** Where an instance is built before it gets its name. */
export const partialPath = (instance: string): string => `${instance}.partial`;
/** Remembers an exchange that has begun. */
export const exchangeRecordPath = (stable: string): string => hiddenSibling(stable, "refloat-exchange");
/** Says that there was nothing behind the stable name when this retired name was given. */
export const tombstonePath = (retired: string): string => hiddenSibling(retired, "refloat-nothing");
/** A new link before it is renamed over the stable one. */
export const temporaryLinkPath = (stable: string): string => hiddenSibling(stable, "refloat-link");

/** Identity of an object that survives a rename; null for nothing. */
export const inodeIdentity = (found: NamedObject): string | null =>
  found.kind === "object" ? `inode:${found.device}:${found.inode}` : null;

/** Identity of what a link stands for: its target as seen from the folder of the stable link. */
export const linkIdentity = (stable: string, target: string): string => {
  const short = relative(dirname(stable), target);
  return `link:${short.startsWith("..") ? target : short}`;
};
