/**
 * Puts restored data where a server that keeps an append-only file looks for them. With `appendonly yes` it loads nothing else: a folder with
 * an RDB file alone would come up empty. The layout is that of Redis (src/aof.c): since 7 a folder with a manifest that names a base file, before
 * one file that may begin as an RDB file does.
 */
import { link, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../../platform/atomic-file.ts";
import { type Owner, giveTree } from "../../platform/folder-server/folder-owner.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { type Settings, versionNumber } from "./server-facts.ts";

/** What is not an append-only file by the settings is left alone. */
export const appendOnlyPlace = (folder: string, settings: Settings, version: string): string =>
  versionNumber(version) >= versionNumber("7.0")
    ? join(folder, settings.appenddirname === "" ? "appendonlydir" : settings.appenddirname)
    : join(folder, settings.appendfilename);

/**
 * Idempotent. The data take no more room: both names are of one file, which no server writes into.
 * @param version of the server that is to load them
 */
export const layOutAppendOnly = async (
  folder: string,
  settings: Settings,
  version: string,
  { owner, signal }: { readonly owner: Owner; readonly signal: AbortSignal },
): Promise<void> => {
  const rdb = join(folder, settings.dbfilename);
  const place = appendOnlyPlace(folder, settings, version);
  const isFolder = versionNumber(version) >= versionNumber("7.0");
  if (!(await pathExists(rdb))) return;
  if (await pathExists(isFolder ? join(place, `${settings.appendfilename}.manifest`) : place)) return;
  const built = `${place}.partial`;
  await rm(built, { recursive: true, force: true });
  if (isFolder) {
    const base = `${settings.appendfilename}.1.base.rdb`;
    await mkdir(built, { mode: 0o700 });
    await link(rdb, join(built, base));
    await writeFile(join(built, `${settings.appendfilename}.manifest`), `file ${base} seq 1 type b\n`, { mode: 0o600 });
  } else await link(rdb, built);
  await giveTree(built, owner, signal);
  await rename(built, place);
  await syncDirectory(folder);
};
