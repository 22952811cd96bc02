/** Is every file of the manifest there, as long as it was? What is in it was verified by the vault as it was written. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import type { BackupManifest } from "./backup-manifest.ts";

const inTablespace = /^pg_tblspc\/(?<oid>\d+)\/(?<rest>.+)$/;

/** @throws RefloatError point.damaged naming the first file that is not */
export const compareRestored = async (
  folder: string,
  tablespaces: readonly { readonly oid: string; readonly path: string }[],
  { files }: BackupManifest,
): Promise<void> => {
  const places = new Map(tablespaces.map(({ oid, path }) => [oid, path]));
  for (const [path, { sizeBytes }] of files) {
    const { oid = "", rest = "" } = inTablespace.exec(path)?.groups ?? {};
    const place = places.get(oid);
    const real = place === undefined ? join(folder, path) : join(place, rest);
    const found = await lstat(real).catch(() => null);
    if (found?.isFile() === true && found.size === sizeBytes) continue;
    throw new RefloatError(
      "point.damaged",
      `${path} of the point is ${found === null ? "missing" : "not as long as it was"}`,
    );
  }
};
