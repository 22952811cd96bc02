/**
 * The old side of a server that was switched: a folder in which no server runs, and none may, since an undo puts it back. Its files are read, never written: which
 * tables were written to after the point, as their files' times tell, and all that a temporary server on copies of them needs.
 */
import { createReadStream } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import type { KeptSideSource, PointSource } from "../../../../core/ports/row-mending.ts";
import { RefloatError } from "../../../../model/refloat-error.ts";
import { eachOf } from "../../../../platform/each-of.ts";
import { translateSystemErrors } from "../../../../platform/system-error.ts";
import { pathExists } from "../../../../platform/tree-files.ts";
import { type CapturedServer, capturedServerSchema } from "../captured-server.ts";
import { type CapturedFile, type FileWish, isOfWholeDatabase, ownDatabases, tableOf } from "../excerpt/choose-files.ts";
import { type TemporaryServer, entryHint, serveFiles } from "../excerpt/serve-files.ts";
import { findPrograms } from "../excerpt/temporary-server.ts";
import type { ServerContext } from "../server-options.ts";
import { isServed } from "../server-process.ts";

export type KeptSide = {
  /** Path of its data folder. */
  readonly folder: string;
  readonly point: PointSource;
  /** Of databases that are the users', by the names of their folders: the names of files of tables that were written to. */
  readonly written: ReadonlyMap<string, ReadonlySet<string>>;
  /** What leads out of it, within it: `shop/orders.isl`. A server on a copy would come to the same files by that. */
  readonly leadsOut: readonly string[];
  readonly files: readonly CapturedFile[];
};

const unreadableSide = (folder: string, why: string, hint?: string): RefloatError =>
  new RefloatError("source.unsupported", `no rows are read of ${folder}: ${why}`, {
    state: "nothing was changed",
    ...(hint === undefined ? {} : { hint }),
  });

/** A clock may have been put right, and the disk may be another machine's. */
const clockMarginMs = 3_600_000;
const atOnce = 16;

type KeptFile = CapturedFile & {
  readonly database: string;
  readonly name: string;
  /** Its own content, name or owner; no program can set it. */
  readonly changedAtMs: number;
};

const localFile = async (folder: string, path: string): Promise<KeptFile | null> => {
  const local = join(folder, path);
  const [database = "", name = ""] = path.split("/");
  const found = await stat(local);
  if (!found.isFile()) return null;
  const content = (): ReturnType<CapturedFile["content"]> => createReadStream(local, { highWaterMark: 1_048_576 });
  return { path, sizeBytes: found.size, content, local, database, name, changedAtMs: found.ctimeMs };
};

/** InnoDB's system table space and logs, and Aria's; not what the server logs, keeps for replicas, or makes anew. */
const serversOwn = ({ settings }: CapturedServer): ((name: string) => boolean) => {
  const declared = (settings["innodb_data_file_path"] ?? "ibdata1").split(";");
  const spaces = new Set(declared.map((one) => one.split(":")[0] ?? ""));
  return (name) =>
    spaces.has(name) || /^(?:ib_logfile\d+|undo\d+|aria_log_control|aria_log\.\d+|ddl_recovery\.log)$/.test(name);
};

const leadsOutward = /\.isl$/i;
/** Of a database as its folder is named; `#rocksdb`, `lost+found` and the like are none. */
const encodedName = /^[^ -/]+$/;

type Listed = { readonly files: readonly KeptFile[]; readonly leadsOut: readonly string[] };

const listSide = async (folder: string, detail: CapturedServer, signal: AbortSignal): Promise<Listed> => {
  const isOwn = serversOwn(detail);
  const paths: string[] = [];
  const leadsOut: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const { name } = entry;
    if (entry.isSymbolicLink()) {
      // A log may lie elsewhere.
      if (isOwn(name) || (await stat(join(folder, name)).catch(() => null))?.isDirectory() !== false)
        leadsOut.push(name);
    }
    if (entry.isFile() && isOwn(name)) paths.push(name);
    if (entry.isDirectory() && encodedName.test(name))
      for (const inner of await readdir(join(folder, name), { withFileTypes: true })) {
        const path = `${name}/${inner.name}`;
        if (inner.isSymbolicLink() || leadsOutward.test(path)) leadsOut.push(path);
        else if (inner.isFile()) paths.push(path);
      }
  }
  const files: KeptFile[] = [];
  await eachOf(paths, pLimit(atOnce), signal, async (path) => {
    const file = await localFile(folder, path);
    if (file !== null) files.push(file);
  });
  return { files, leadsOut };
};

/** Of these kinds a table has rows in none. */
const definesOnly = /\.(?:frm|par|TRG)$/i;
const memoryType = 6;

/** Does a definition whose rows are in no file of its own belong to a table that has any on the disk? A view is text, and what was in memory is gone. */
const hasRowsElsewhere = async (path: string): Promise<boolean> => {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    return buffer[0] === 0xfe && buffer[1] === 1 && buffer[3] !== memoryType;
  } finally {
    await file.close();
  }
};

const wasWritten = async (files: readonly KeptFile[], sinceMs: number): Promise<boolean> => {
  if (files.some(({ changedAtMs }) => changedAtMs >= sinceMs - clockMarginMs)) return true;
  const definition = files.find(({ name }) => /\.frm$/i.test(name));
  return (
    definition?.local != null &&
    files.every(({ name }) => definesOnly.test(name)) &&
    (await hasRowsElsewhere(definition.local))
  );
};

const writtenTables = async (
  files: readonly KeptFile[],
  sinceMs: number,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
  const written = new Map<string, ReadonlySet<string>>();
  const ofUsers = files.filter(({ database, name }) => name !== "" && !ownDatabases.has(database));
  for (const [database, own] of Map.groupBy(ofUsers, (file) => file.database)) {
    const tables = new Set<string>();
    const byTable = Map.groupBy(
      own.filter(({ name }) => !isOfWholeDatabase(name)),
      ({ name }) => tableOf(name),
    );
    for (const [table, all] of byTable) if (await wasWritten(all, sinceMs)) tables.add(table);
    written.set(database, tables);
  }
  return written;
};

const lookAt = async (
  folder: string,
  detail: CapturedServer,
  { sinceMs, signal }: { readonly sinceMs: number; readonly signal: AbortSignal },
): Promise<Listed & Pick<KeptSide, "written">> => {
  const listed = await listSide(folder, detail, signal);
  return { ...listed, written: await writtenTables(listed.files, sinceMs) };
};

/** @throws RefloatError source.unsupported with the reason why nothing is read of it; source.failed, point.*, vault.* */
export const readKeptSide = async (
  context: ServerContext,
  { side: folder, since, point }: KeptSideSource,
): Promise<KeptSide> => {
  if (await isServed(folder)) throw unreadableSide(folder, "a server runs in it");
  if (!(await pathExists(join(folder, "ibdata1")))) throw unreadableSide(folder, "its ibdata1 is not there");
  const from = await point();
  const detail = capturedServerSchema.parse(from.captured.facts.detail);
  const { files, leadsOut, written } = await translateSystemErrors("source.failed", `${folder} cannot be read`, () =>
    lookAt(folder, detail, { sinceMs: Date.parse(since.takenAt), signal: context.signal }),
  );
  const isOwn = serversOwn(detail);
  const link = leadsOut.find((path) => isOwn(path) || ownDatabases.has(path.split("/")[0] ?? ""));
  if (link !== undefined) throw unreadableSide(folder, `${link} leads out of it`);
  return { folder, point: from, files, leadsOut, written };
};

/** Why a database is not copied; null when all of it lies within. @param database the name of its folder */
export const whyOutside = ({ leadsOut }: KeptSide, database: string): string | null => {
  const found = leadsOut.find((path) => path === database || path.startsWith(`${database}/`));
  return found === undefined ? null : `${found} leads out of the folder of the old side`;
};

/** @throws RefloatError source.unsupported */
export const requireWithin = (side: KeptSide, database: string): void => {
  const why = whyOutside(side, database);
  if (why !== null) throw unreadableSide(side.folder, why);
};

/** Of one database what was written to. */
export const writtenFiles = ({ written }: KeptSide, database: string): FileWish => {
  const tables = written.get(database) ?? new Set();
  return { isDatabase: (folder) => folder === database, isTable: (file) => tables.has(file) };
};

/** No database of the users': whether the server itself comes up tells whether it was shut down. */
export const nothingOfUsers: FileWish = { isDatabase: () => false, isTable: () => false };

/**
 * A server on a private copy of files of the side.
 * @throws RefloatError source.unsupported where it does not come up: files of tables that were left out are not missed only after a clean end; target.failed when there is no room
 */
export const serveKept = async (
  context: ServerContext,
  { folder, point: { captured } }: KeptSide,
  {
    files,
    database,
    stage,
  }: { readonly files: readonly CapturedFile[]; readonly database: string; readonly stage: (what: string) => void },
): Promise<TemporaryServer> => {
  const programs = await findPrograms(context, captured);
  return serveFiles(context, {
    files,
    database,
    stage,
    server: capturedServerSchema.parse(captured.facts.detail),
    program: programs.server,
    explain: (said) =>
      unreadableSide(
        folder,
        `a server on a copy of what is needed of it does not come up: was its own killed, and not shut down? ${said}`,
        entryHint,
      ),
    arrange: async () => undefined,
    prepare: async () => undefined,
    begin: async () => undefined,
  });
};
