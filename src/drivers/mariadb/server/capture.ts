/** Capture of a whole server: what mariadb-backup streams, straight into the vault, file by file. Nothing is spooled, and nothing torn is kept. */
import type { CaptureReport } from "../../../core/ports/driver.ts";
import type { CaptureSink } from "../../../core/ports/vault-snapshots.ts";
import type { Facts, FactUnit } from "../../../model/facts.ts";
import { toJsonObject } from "../../../model/json.ts";
import type { CapturedComponent } from "../../../model/manifest.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { accumulateProgress } from "../../../platform/accumulate-progress.ts";
import { ownerIfThere } from "../../../platform/folder-server/folder-owner.ts";
import type { SqlAccess } from "../sql-client.ts";
import { openBackup } from "./backup-program.ts";
import type { CapturedServer } from "./captured-server.ts";
import { namesOfFolders } from "./file-names.ts";
import { readMbstream } from "./mbstream.ts";
import { makePosition, takeMark } from "./position.ts";
import { type ServerContext, dataPathOf, liveAccessOf } from "./server-options.ts";
import { isServed, readStart } from "./server-process.ts";
import { findServerProgram } from "./server-programs.ts";
import { type LiveServer, readLiveServer, settingsOf, whyNotCaptured } from "./server-settings.ts";
import { type StoredFiles, storeFiles } from "./store-files.ts";

/** Of the data folder in the vault. */
export const placeInVault = (root: string): string => `${root}/data`;

const sizeByDatabase = async (
  access: SqlAccess,
  { files }: StoredFiles,
): Promise<Readonly<Record<string, FactUnit>>> => {
  const sizes = new Map<string, number>();
  for (const [path, sizeBytes] of files) {
    const [folder, name] = path.split("/");
    if (folder === undefined || name === undefined) continue;
    sizes.set(folder, (sizes.get(folder) ?? 0) + sizeBytes);
  }
  const names = await namesOfFolders(access, [...sizes.keys()]);
  return Object.fromEntries(
    [...sizes]
      .map(([folder, sizeBytes]) => [names.get(folder) ?? folder, { sizeBytes }] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
};

const torn = (what: string): RefloatError =>
  new RefloatError("source.failed", `the backup is not whole: ${what}`, { state: "no point was made" });

/** Under its old name or its new one (11 and later). */
const noteOf = ({ notes }: StoredFiles, name: string): string | undefined =>
  notes.get(`xtrabackup_${name}`) ?? notes.get(`mariadb_backup_${name}`);

/** `binlog.000001<TAB>8436084<TAB>0-7-9`, of one that writes a binary log. */
const binlogOf = (stored: StoredFiles, server: LiveServer): CapturedServer["binlog"] => {
  if (!server.hasBinlog) return null;
  const [file, position, gtid = ""] = (noteOf(stored, "binlog_info") ?? "").trim().split("\t");
  if (file === undefined || file === "" || position === undefined)
    throw torn("it does not tell where the binary log stood");
  return { file, position: Number(position), gtid, format: server.binlogFormat };
};

/** Up to where InnoDB's log is there. @throws RefloatError source.failed for a backup that is not a full one */
const lsnOf = (stored: StoredFiles): string => {
  const checkpoints = noteOf(stored, "checkpoints") ?? "";
  const lsn = /^last_lsn = (\d+)$/m.exec(checkpoints)?.[1];
  if (lsn === undefined || !/^backup_type = full-backuped$/m.test(checkpoints))
    throw torn("it does not tell up to where the log is there");
  if (!stored.files.has("ib_logfile0")) throw torn("the redo log did not come");
  return lsn;
};

type Taken = { readonly stored: StoredFiles; readonly window: { readonly beginAt: Date; readonly endAt: Date } };

const takeBackup = async (
  context: ServerContext,
  access: SqlAccess,
  sink: CaptureSink,
  request: { readonly root: string; readonly program: string; readonly total: number | undefined },
): Promise<Taken> => {
  const { clock, signal } = context;
  const owner = await ownerIfThere(await dataPathOf(context), signal);
  if (owner === null) throw new RefloatError("source.failed", `${await dataPathOf(context)} is not there`);
  const { root, program, total } = request;
  const progress = accumulateProgress(context.progress, {
    unit: "files",
    ...(total === undefined ? {} : { bytesTotal: total }),
  });
  const beganAt = clock.now();
  const run = await openBackup(context, access, { program, owner });
  try {
    const source = { isAtEnd: false };
    const chunks = readMbstream({
      next: async () => {
        const piece = await run.bytes.next();
        source.isAtEnd = piece.done === true;
        return piece;
      },
    });
    let stored: StoredFiles;
    try {
      stored = await storeFiles(chunks, { sink, root: placeInVault(root), signal, progress });
    } catch (error) {
      // A stream that is cut was cut by something: the program says by what. One that cannot be read goes on, and its program waits for a reader.
      if (source.isAtEnd && error instanceof RefloatError && error.code === "source.failed") await run.ended();
      throw error;
    }
    await run.ended();
    return { stored, window: run.heldAt() ?? { beginAt: beganAt, endAt: clock.now() } };
  } finally {
    await run.close();
  }
};

const warningsOf = (server: LiveServer): readonly string[] =>
  server.hasBinlog ? [] : ["the server writes no binary log: no point of it can be rolled forward"];

/** @throws RefloatError source.*, program.*, vault.*; then nothing of the component may be committed */
export const captureServer = async (
  context: ServerContext,
  sink: CaptureSink,
  previous: CapturedComponent | null,
): Promise<CaptureReport> => {
  const access = await liveAccessOf(context, "source");
  const stable = await dataPathOf(context);
  const server = await readLiveServer(access);
  const refusal = await whyNotCaptured(server, stable);
  if (refusal !== null) throw refusal;
  if (!(await isServed(stable)))
    throw new RefloatError("source.unsupported", `no server is seen to work in ${stable} on this machine`, {
      hint: "mariadb-backup reads the files of the data folder: run refloat where it lies, as root or as its owner",
    });
  const backup = await findServerProgram(context, "mariadb-backup", server.version);
  const root = `/${context.component}`;
  const { stored, window } = await takeBackup(context, access, sink, {
    root,
    program: backup.path,
    total: previous?.facts.sizeBytes,
  });
  const units = await sizeByDatabase(access, stored);
  const detail: CapturedServer = {
    binlog: binlogOf(stored, server),
    serverId: server.serverId,
    lsn: lsnOf(stored),
    settings: { ...settingsOf(server) },
    databases: Object.keys(units),
    changes: [...stored.changes],
    owner: await ownerIfThere(stable, context.signal),
    start: await readStart(stable),
  };
  // Counted after the end, not before the beginning: what was written in between is in the point. The place of the log is the point's own.
  const mark = await takeMark(access, stable, server.hasBinlog);
  const { binlog } = detail;
  const position = makePosition(window.beginAt, {
    ...mark,
    binlog: binlog === null ? null : { file: binlog.file, position: binlog.position },
  });
  const facts: Facts = {
    sizeBytes: [...stored.files.values()].reduce((sum, size) => sum + size, 0),
    counts: { databases: detail.databases.length, files: stored.files.size },
    units,
    position,
    versions: { server: server.version, "mariadb-backup": backup.version },
    detail: toJsonObject(detail),
  };
  return {
    path: root,
    facts,
    window: { beginAt: window.beginAt.toISOString(), endAt: window.endAt.toISOString() },
    consistency: "snapshot",
    warnings: [...warningsOf(server)],
  };
};
