/**
 * Puts the files of a running cluster into the vault from where they lie, on several threads, while a backup is under way that makes them one by its
 * log. Files at rest since the capture before are not read at all.
 */
import { type FileHandle, access, lstat, open, readdir, realpath } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import pLimit from "p-limit";
import { RefloatError } from "../../model/refloat-error.ts";
import { type RequireGoodPages, pageChecksOf } from "../../platform/postgres/page-checks.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import type { BackupTablespace } from "./base-backup.ts";
import { type FolderSurvey, isEmptied, isOfServer, surveyFolder } from "./folder-survey.ts";
import type { PageRules } from "../../core/ports/vault-snapshots.ts";
import type { ClusterSink, StoredCluster } from "./stored-cluster.ts";
import { dataFolder, placeInVault } from "./vault-places.ts";

/** One folder is shared between the vault's threads; a few at once keep them busy to the end of each. */
const actsAtOnce = 3;
const pieceBytes = 1_048_576;
/** Whole pages, so that they can be looked at, of whatever size. */
const leastPieceBytes = 32_768;

/** Not as trees: what changes all the time and what has to be read in one piece lies among these. */
const readOneByOne = new Set(["global"]);
const notHere = new Set(["pg_wal", "pg_tblspc"]);
/** Files elsewhere may be called by numbers too (`pg_multixact`, `pg_xact`), and their pages have no checksums. */
const holdsRelations = new Set(["base", "global"]);
const control = "global/pg_control";

type Destination = ClusterSink & { readonly signal: AbortSignal };

/** What the server does with the files meanwhile. */
type Writing = {
  /** Since when it runs. */
  readonly runningSince: Date;
  /** How it protects its pages; null where it does not. */
  readonly pages: PageRules | null;
};

type Sum = { files: number; sizeBytes: number };

/** @returns null when there is no such file any more */
const openIfThere = (path: string) =>
  open(path, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw new RefloatError("source.failed", `${path} cannot be read: ${error.code}`, { cause: error });
  });

async function* piecesOf(file: FileHandle, check: RequireGoodPages | null): AsyncGenerator<Uint8Array> {
  const { size } = await file.stat();
  for (let offset = 0; ;) {
    // Most are small; that much memory for each, twice, made the collector look at everything again and again.
    const length = Math.min(pieceBytes, Math.max(size - offset, leastPieceBytes));
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, null);
    if (bytesRead === 0) return;
    const piece = buffer.subarray(0, bytesRead);
    check?.(piece, offset, file.fd);
    offset += bytesRead;
    yield piece;
  }
}

const storeFile = async (
  local: string,
  path: string,
  pages: PageRules | null,
  { sink, signal, progress }: Destination,
  sum: Sum,
): Promise<void> => {
  const file = await openIfThere(local);
  if (file === null) return;
  try {
    const bytes = piecesOf(file, pages === null ? null : pageChecksOf(pages, local));
    const { sizeBytes } = await sink.stream(path, { bytes, seal: async () => ({}) }, signal, progress);
    sum.files += 1;
    sum.sizeBytes += sizeBytes;
  } finally {
    await file.close();
  }
};

const readWhole = async (path: string): Promise<Buffer> => {
  const file = await openIfThere(path);
  if (file === null) throw new RefloatError("source.failed", `${path} is not there`);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
};

/** The server overwrites it in place. What is read twice alike was not being written. */
const storeControl = async (data: string, { sink, root, progress }: Destination, sum: Sum): Promise<void> => {
  let before = await readWhole(join(data, control));
  for (;;) {
    const content = await readWhole(join(data, control));
    if (content.equals(before)) break;
    before = content;
  }
  await sink.bytes(`${placeInVault(root, null)}/${control}`, before);
  progress({ bytes: before.length, items: 1 });
  sum.files += 1;
  sum.sizeBytes += before.length;
};

/**
 * @param data the data folder
 * @throws what the sink throws; RefloatError source.failed, source.unsupported
 */
export const storeFolder = async (
  data: string,
  tablespaces: readonly BackupTablespace[],
  { runningSince, pages }: Writing,
  destination: Destination,
): Promise<StoredCluster> => {
  const { sink, root, signal, progress } = destination;
  const sum: Sum = { files: 0, sizeBytes: 0 };
  const acts: (() => Promise<void>)[] = [];
  const storeTree = (local: string, as: string, exclude: readonly string[], isOfRelations: boolean): void => {
    const protection = pages === null || !isOfRelations ? {} : { pages };
    const rules = { exclude, oneFileSystem: false, as, writtenSince: runningSince, ...protection };
    acts.push(async () => {
      const { files, sizeBytes } = await sink.tree(local, rules, signal, progress);
      sum.files += files;
      sum.sizeBytes += sizeBytes;
    });
  };
  const place = placeInVault(root, null);
  const survey = await surveyFolder(data, (name) => !isEmptied(name) && !notHere.has(name), isOfServer);
  const sizes = new Map(survey.sizes);
  const folders: Record<string, readonly string[]> = { [dataFolder]: [...survey.folders, ...(await logFolders(data))] };
  for (const name of survey.folders.filter((path) => !path.includes("/"))) {
    if (isEmptied(name) || notHere.has(name) || readOneByOne.has(name)) continue;
    storeTree(join(data, name), `${place}/${name}`, below(survey, name), holdsRelations.has(name));
  }
  for (const { oid, location } of tablespaces) {
    const { folder, found } = await translateSystemErrors(
      "source.failed",
      `the tablespace at ${location} cannot be read`,
      () => surveyTablespace(data, oid, location),
    );
    folders[oid] = [folder, ...found.folders.map((path) => `${folder}/${path}`)];
    for (const [path, size] of found.sizes) sizes.set(`pg_tblspc/${oid}/${folder}/${path}`, size);
    storeTree(join(location, folder), `${placeInVault(root, oid)}/${folder}`, found.exclude, true);
  }
  for (const path of survey.sizes.keys()) {
    const [top = "", rest] = path.split("/", 2);
    if (path === control || (rest !== undefined && !readOneByOne.has(top))) continue;
    const checked = holdsRelations.has(top) ? pages : null;
    acts.push(() => storeFile(join(data, path), `${place}/${path}`, checked, destination, sum));
  }
  await performAll(acts, signal);
  // Last, as the server does it too.
  await storeControl(data, destination, sum);
  return { ...sum, sizes, folders };
};

/** What is left out below one folder of the root, as seen from there. */
const below = ({ exclude }: FolderSurvey, name: string): readonly string[] =>
  exclude.flatMap((pattern) => {
    if (!pattern.startsWith("/")) return [pattern];
    return pattern.startsWith(`/${name}/`) ? [pattern.slice(name.length + 1)] : [];
  });

/** The log is stored apart, by name; its folders have to be there. */
export const logFolders = async (data: string): Promise<readonly string[]> => {
  const entries = await readdir(join(data, "pg_wal"), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => `pg_wal/${name}`);
  // Where it is a link to another disk, a copy has a folder.
  return (await lstat(join(data, "pg_wal"))).isDirectory() ? folders : ["pg_wal", ...folders];
};

/** A tablespace has a folder for each version that has used it: that of this server is the one by the name of the catalogs' version. */
export const surveyTablespace = async (
  data: string,
  oid: string,
  location: string,
): Promise<{ readonly folder: string; readonly found: FolderSurvey }> => {
  const link = join(data, "pg_tblspc", oid);
  if (!isAbsolute(location))
    throw new RefloatError("source.unsupported", `the tablespace ${link} lies in the data folder itself`, {
      state: "no point was made",
      hint: "allow_in_place_tablespaces is for tests of PostgreSQL: move what is in it to another tablespace",
    });
  if ((await realpath(link)) !== (await realpath(location)))
    throw new RefloatError(
      "source.unsupported",
      `${link} does not lead to ${location}, where the server says that it is`,
    );
  const names = (await readdir(location)).filter((name) => /^PG_\d+_\d+$/.test(name));
  const [folder, ...others] = await ownVersionOnly(data, names);
  if (folder === undefined || others.length > 0)
    throw new RefloatError("source.unsupported", `${location} has no one folder of this server: ${names.join(", ")}`);
  return { folder, found: await surveyFolder(join(location, folder)) };
};

const ownVersionOnly = async (data: string, names: readonly string[]): Promise<readonly string[]> => {
  const major = (await readWhole(join(data, "PG_VERSION"))).toString("utf8").trim();
  return names.filter((name) => name.startsWith(`PG_${major}_`));
};

const isAbsent = (path: string): Promise<boolean> =>
  access(path).then(
    () => false,
    (error: unknown) => (error as NodeJS.ErrnoException).code === "ENOENT",
  );

/** A slot keeps them, unless the server was told to give it up. */
const logGone = (path: string, cause: unknown): RefloatError =>
  new RefloatError("source.failed", `${path} of the log, which the backup needs, is not in the data folder any more`, {
    cause,
    state: "no point was made",
    hint:
      "the server has removed it while the backup was read: raise max_slot_wal_keep_size or wal_keep_size there, or look whether " +
      "somebody cleans pg_wal, then capture again",
  });

/** Files of the log, each of which has to be whole; and the histories of timelines, which are small. */
export const storeLogFiles = async (
  data: string,
  needed: readonly string[],
  segmentBytes: number,
  { sink, root, signal, progress }: Destination,
): Promise<{ readonly files: number; readonly sizeBytes: number }> => {
  const place = placeInVault(root, null);
  const histories = (await readdir(join(data, "pg_wal"))).filter((name) => name.endsWith(".history"));
  const sum: Sum = { files: 0, sizeBytes: 0 };
  const store = async (path: string): Promise<void> => {
    const rules = { exclude: [], oneFileSystem: false, as: `${place}/${path}` };
    const { sizeBytes } = await sink.tree(join(data, path), rules, signal, progress).catch(async (error: unknown) => {
      throw (await isAbsent(join(data, path))) ? logGone(path, error) : error;
    });
    if (needed.includes(path) && sizeBytes !== segmentBytes)
      throw new RefloatError("source.failed", `${path} of the log, which the backup needs, is not whole`, {
        state: "no point was made",
      });
    sum.files += 1;
    sum.sizeBytes += sizeBytes;
  };
  const paths = [...needed, ...histories.map((name) => `pg_wal/${name}`)];
  await performAll(
    paths.map((path) => () => store(path)),
    signal,
  );
  return sum;
};

/** A few at once. When one has failed, none is begun any more, and none is under way when this throws. */
const performAll = async (acts: readonly (() => Promise<void>)[], signal: AbortSignal): Promise<void> => {
  const limit = pLimit(actsAtOnce);
  let failure: { readonly reason: unknown } | null = null;
  const perform = async (act: () => Promise<void>): Promise<void> => {
    if (failure !== null) return;
    try {
      signal.throwIfAborted();
      await act();
    } catch (reason) {
      failure ??= { reason };
    }
  };
  await Promise.all(acts.map((act) => limit(() => perform(act))));
  const failed = failure as { readonly reason: unknown } | null;
  if (failed !== null) throw failed.reason;
};
