/** Is every file of the manifest there, as long as it was? What is in it was verified by the vault as it was written. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { RefloatError } from "../../model/refloat-error.ts";
import type { BackupManifest } from "./backup-manifest.ts";

/** Asking for a file takes some microseconds, and twenty times that when it is handed to another thread; others wait in between for no more than some milliseconds. */
const filesPerTurn = 1000;

/** Null where nothing is there, -1 where no file is. */
const sizeOf = (path: string): number | null => {
  try {
    const found = lstatSync(path);
    return found.isFile() ? found.size : -1;
  } catch {
    return null;
  }
};

const inTablespace = /^pg_tblspc\/(?<oid>\d+)\/(?<rest>.+)$/;

/** @throws RefloatError point.damaged naming the first file that is not */
export const compareRestored = async (
  folder: string,
  tablespaces: readonly { readonly oid: string; readonly path: string }[],
  { files }: BackupManifest,
): Promise<void> => {
  const places = new Map(tablespaces.map(({ oid, path }) => [oid, path]));
  let looked = 0;
  for (const [path, { sizeBytes }] of files) {
    looked += 1;
    if (looked % filesPerTurn === 0) await setImmediate();
    const { oid = "", rest = "" } = inTablespace.exec(path)?.groups ?? {};
    const place = places.get(oid);
    const found = sizeOf(place === undefined ? join(folder, path) : join(place, rest));
    if (found === sizeBytes) continue;
    throw new RefloatError(
      "point.damaged",
      `${path} of the point is ${found === null ? "missing" : "not as long as it was"}`,
    );
  }
};
