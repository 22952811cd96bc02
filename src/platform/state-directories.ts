/** The folders of an installation: journal, runs, what components keep, and scratch space. Private to the user (0700). */
import { mkdtemp, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Directories } from "../core/ports/workbench.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { makePrivateFolder } from "./private-folder.ts";

/** Where state lives when nobody says: `/var/lib/refloat` for root, else under XDG_STATE_HOME. */
export const defaultStateDirectory = (): string =>
  process.getuid?.() === 0
    ? "/var/lib/refloat"
    : join(process.env["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state"), "refloat");

/** Where copies lie that can be fetched again: under XDG_CACHE_HOME. */
export const defaultCacheDirectory = (): string =>
  join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "refloat");

/** @throws RefloatError journal.failed */
export const makeStateFolder = async (path: string): Promise<string> => {
  try {
    await makePrivateFolder(path);
    return path;
  } catch (error) {
    throw new RefloatError(
      "journal.failed",
      `the state folder ${path} cannot be made: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`,
      {
        cause: error,
        hint: "name another one with --state DIR, or make this one writable",
      },
    );
  }
};

/** A marker such as `refloat/42.8984525a/restore:db/1` as one name of a folder. */
const asFileName = (marker: string): string => marker.replaceAll(/[^A-Za-z0-9_.-]+/g, "-");

export const createDirectories = (stateDirectory: string): Directories => ({
  work: async (marker) => {
    const parent = await makeStateFolder(join(stateDirectory, "work"));
    const path = await mkdtemp(join(parent, `${asFileName(marker)}-`));
    return { path, remove: () => rm(path, { recursive: true, force: true }) };
  },
  state: (service, component) => makeStateFolder(join(stateDirectory, "components", service, component)),
  run: (run) => makeStateFolder(join(stateDirectory, "runs", String(run))),
});
