/**
 * Which process of the component serves now: the one that listens on a declared port and runs from the release or was started by
 * Refloat. What cannot be told is said, never guessed: a wrong answer here would leave an old writer running.
 */
import { realpath } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import type { RunningProcess } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { isOwnName } from "../../platform/path-names.ts";
import { findPortOwners, isPortOpen } from "../../platform/port-owner.ts";
import {
  type ProcessRow,
  describeProcess,
  readEnvironment,
  readPlaces,
  readProcess,
} from "../../platform/process-table.ts";
import { type ProcessContext, portsOf, releasePathOf } from "./process-options.ts";
import { instancePrefix, listRecords } from "./process-records.ts";

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

type Release = { readonly stable: string; readonly folders: readonly string[] };

/** The release under all the names that the kernel may tell for it. */
const releaseFolders = async (context: ProcessContext): Promise<Release> => {
  const stable = await releasePathOf(context);
  const real = await realpath(stable).catch(() => stable);
  return { stable, folders: [...new Set([real, stable])] };
};

/** The folder of the release that a path lies in, be it the present one or one that a recovery named; null for another place. */
const releaseAround = (path: string, { stable, folders }: Release): string | null => {
  const present = folders.find((folder) => isWithin(path, folder));
  if (present !== undefined) return present;
  // `/srv/app.old42/lib` -> `/srv/app.old42`, `/srv/releases/current_r42/lib` -> `/srv/releases/current_r42`
  const parts = path.split("/");
  for (let end = parts.length; end > 1; end--) {
    const candidate = parts.slice(0, end).join("/");
    const origin = candidate.replace(/(\.(r|old)|_r)\d+$/, "");
    if (isOwnName(candidate) && (origin === stable || folders.some((folder) => sharesParent(origin, folder, stable))))
      return candidate;
  }
  return null;
};

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** `releases/current` (the origin of `releases/current_r42`) belongs to the link `current` that points into `releases`. */
const sharesParent = (origin: string, folder: string, stable: string): boolean =>
  parentOf(origin) === parentOf(folder) && nameOf(origin) === nameOf(stable);

type Listener = { readonly row: ProcessRow; readonly port: number; readonly release: string };

/** Where in a command line paths may stand: `server.js`, `/srv/x/server.js`, `--config=/srv/x/conf`. */
const pathsIn = (word: string): readonly string[] => [word, word.slice(word.indexOf("=") + 1)];

/** The release that a process runs; null when it is none of the component's. */
const releaseOf = async (context: ProcessContext, pid: number, release: Release): Promise<string | null> => {
  const { workingDirectory, executable, words } = readPlaces(pid);
  const named = words.flatMap(pathsIn).filter((path) => path.includes("/"));
  const places = [
    workingDirectory,
    executable,
    ...named.map((path) => (isAbsolute(path) ? path : resolve(workingDirectory ?? "/", path))),
  ];
  for (const place of places) {
    const folder = place === null ? null : releaseAround(place, release);
    if (folder !== null) return folder;
  }
  const environment = readEnvironment(pid);
  const instance = environment?.get("REFLOAT_INSTANCE");
  if (instance?.startsWith(instancePrefix(context)) !== true) return null;
  const name = instance.slice(instancePrefix(context).length);
  const record = (await listRecords(context)).find((candidate) => candidate.name === name);
  return record?.release ?? release.folders[0] ?? release.stable;
};

/** Of processes that share a socket, the one that opened it: the others are its children. */
const oldestOwners = (pids: readonly number[]): readonly ProcessRow[] => {
  const rows = pids.map(readProcess).filter((row) => row !== null);
  const isChildOfOwner = (row: ProcessRow): boolean => rows.some(({ pid }) => pid === row.parent);
  return rows.filter((row) => !isChildOfOwner(row));
};

const cannotTell = (context: ProcessContext, why: string, hint: string): RefloatError =>
  new RefloatError("fence.failed", `it cannot be told which process of ${context.component} serves: ${why}`, { hint });

/** Contract of RuntimeOperations.live. */
export const findLiveProcess = async (context: ProcessContext): Promise<RunningProcess | null> => {
  const release = await releaseFolders(context);
  const ours: Listener[] = [];
  const strangers: string[] = [];
  for (const port of portsOf(context.options)) {
    const owners = findPortOwners(port);
    if (!owners.open) continue;
    if (owners.pids.length === 0 && isPortOpen(port)) {
      throw cannotTell(
        context,
        `somebody listens on port ${port}, but this user may not see who`,
        "run Refloat as root or as the user that the application runs as",
      );
    }
    for (const row of oldestOwners(owners.pids)) {
      const folder = await releaseOf(context, row.pid, release);
      if (folder === null) strangers.push(`${describeProcess(row.pid)} on port ${port}`);
      else ours.push({ row, port, release: folder });
    }
  }
  const [first, ...others] = ours;
  if (first === undefined) {
    if (strangers.length === 0) return null;
    throw cannotTell(
      context,
      `process ${strangers.join(" and process ")} does not run from ${release.stable}`,
      "stop it, or declare ports that are the application's own",
    );
  }
  if (others.some(({ row }) => row.pid !== first.row.pid)) {
    const list = ours.map(({ row, port }) => `process ${describeProcess(row.pid)} on port ${port}`);
    throw cannotTell(context, `there are ${list.join(" and ")}`, "stop the one that does not serve");
  }
  const { row, port } = first;
  return { pid: row.pid, startTicks: row.startTicks, port, release: first.release };
};

/** Contract of RuntimeOperations.freePort: a port of the component that nobody listens on. */
export const findFreePort = async (context: ProcessContext, live: RunningProcess | null): Promise<number | null> => {
  for (const port of portsOf(context.options)) if (port !== live?.port && !isPortOpen(port)) return port;
  return null;
};
