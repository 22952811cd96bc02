/** The files of a cluster whose server was shut down, as a server needs them that goes on from there. Reads names and sizes; nothing is written. */
import { createReadStream } from "node:fs";
import { readdir, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ControlData } from "../control-data.ts";
import { isEmptied, isOfServer, surveyFolder } from "../folder-survey.ts";
import { logFolders, surveyTablespace } from "../store-folder.ts";
import { type Layout, dataFolder } from "../vault-places.ts";
import { type CapturedFile, relationOf } from "./captured-files.ts";
import type { SkeletonSource } from "./skeleton.ts";

const localFile = (path: string, at: string, tablespace: string | null, sizeBytes: number): CapturedFile => ({
  tablespace,
  path: at,
  sizeBytes,
  content: () => createReadStream(path, { highWaterMark: 1_048_576 }),
  relation: relationOf(at),
});

const segmentPattern = /^[0-9A-F]{24}$/;
/** The last word of a server that was shut down begins in one file, and may end in the next. */
const filesOfLastWord = 2;

const logFiles = async (folder: string, { redoFile }: ControlData): Promise<readonly CapturedFile[]> => {
  const found = await readdir(join(folder, "pg_wal"));
  const segments = found.filter((name) => segmentPattern.test(name) && name >= redoFile).toSorted();
  const names = [...segments.slice(0, filesOfLastWord), ...found.filter((name) => name.endsWith(".history"))];
  return Promise.all(
    names.map(async (name) => {
      const path = join(folder, "pg_wal", name);
      return localFile(path, `pg_wal/${name}`, null, (await stat(path)).size);
    }),
  );
};

const tablespacesOf = async (folder: string): Promise<Layout["tablespaces"]> =>
  Promise.all(
    (await readdir(join(folder, "pg_tblspc"))).map(async (oid) => ({
      oid,
      location: await readlink(join(folder, "pg_tblspc", oid)),
    })),
  );

const notHere = (name: string): boolean => isEmptied(name) || name === "pg_wal" || name === "pg_tblspc";

/** @throws RefloatError source.failed, source.unsupported */
export const listFolder = async (folder: string, control: ControlData): Promise<SkeletonSource> => {
  const survey = await surveyFolder(folder, (name) => !notHere(name), isOfServer);
  const files: CapturedFile[] = [...(await logFiles(folder, control))];
  const folders: Record<string, string[]> = {
    [dataFolder]: [...survey.folders.filter(isOfServer), ...(await logFolders(folder))],
  };
  for (const [path, size] of survey.sizes)
    if (isOfServer(path) || path === "PG_VERSION") files.push(localFile(join(folder, path), path, null, size));
  const tablespaces = await tablespacesOf(folder);
  for (const { oid, location } of tablespaces) {
    const { folder: own, found } = await surveyTablespace(folder, oid, location);
    folders[oid] = [own, ...found.folders.map((path) => `${own}/${path}`)];
    for (const [path, size] of found.sizes)
      files.push(localFile(join(location, own, path), `${own}/${path}`, oid, size));
  }
  return { isBackup: false, files, layout: { folders, tablespaces }, manifest: null };
};
