/**
 * Restores a server beside the live one: its files, made consistent by mariadb-backup, then a server of its own that only its owner reaches. That one goes on by the
 * binary log, and what would act by itself is switched off; then it is stopped, and the folder gets its name. Only then is it started for others.
 */
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { InstanceOperations } from "../../../core/ports/driver.ts";
import { formatAmount } from "../../../core/text/quantity.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { accumulateProgress } from "../../../platform/accumulate-progress.ts";
import { type Owner, futureOwner, giveTree, runAsOwner } from "../../../platform/folder-server/folder-owner.ts";
import { chooseInstancePort } from "../../../platform/folder-server/instance-port.ts";
import { restoreInstance } from "../../../platform/path-instance.ts";
import { translateSystemErrors } from "../../../platform/system-error.ts";
import { syncFileSystem } from "../../../platform/tree-files.ts";
import { type BinlogRange, type ReplayTally, emptyTally } from "../binlog-walk.ts";
import { applyBinlog, describeReplay } from "../replay-binlog.ts";
import { placeInVault } from "./capture.ts";
import { type FileChange, capturedServerSchema } from "./captured-server.ts";
import { disarm } from "./disarm.ts";
import { startInstance, writeInstanceFiles } from "./instance-server.ts";
import { serverLogEvents, serverRange } from "./server-log.ts";
import { type ServerContext, type ServerOptions, dataPathOf } from "./server-options.ts";
import { endServer } from "./server-process.ts";
import { findServerProgram } from "./server-programs.ts";
import { serverRecord } from "./start-record.ts";

type Restore = InstanceOperations<ServerOptions>["restore"];

/** Tables that got another name, or went, while they were copied. */
const applyChanges = async (folder: string, changes: readonly FileChange[]): Promise<void> => {
  for (const { path, to } of changes) {
    if (to === null) await rm(join(folder, path), { force: true });
    else {
      await mkdir(dirname(join(folder, to)), { recursive: true, mode: 0o700 });
      await rename(join(folder, path), join(folder, to));
    }
  }
};

/** What the backup tells of itself is of no use to a server, and would be taken for that of this one. */
const notes = ["checkpoints", "info", "binlog_info", "binlog_pos_innodb", "galera_info", "slave_info", "logfile"];
const removeNotes = async (folder: string): Promise<void> => {
  const names = notes.flatMap((name) => [`xtrabackup_${name}`, `mariadb_backup_${name}`]);
  for (const name of ["backup-my.cnf", ...names]) await rm(join(folder, name), { force: true });
};

/** Replays the redo log of the time that the capture took. @throws RefloatError target.failed with the program's last words */
const prepare = async (context: ServerContext, program: string, folder: string, owner: Owner): Promise<void> => {
  try {
    await runAsOwner(context, owner, [program, "--no-defaults", "--prepare", `--target-dir=${folder}`]);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
    throw new RefloatError("target.failed", `the files of the point cannot be made consistent: ${error.message}`, {
      cause: error,
      hint: "is there room on the disk? Else `refloat verify` tells whether the vault has what was captured",
    });
  }
};

/** Goes through all of it before anything is restored that could not go on. */
const rehearse = async (range: BinlogRange, signal: AbortSignal): Promise<void> => {
  for await (const _bytes of serverLogEvents(range, emptyTally())) signal.throwIfAborted();
};

export const restoreServer: Restore = async (context, target, source, captured, replay) => {
  const { signal } = context;
  signal.throwIfAborted();
  const stable = await dataPathOf(context);
  const { facts } = captured;
  const detail = capturedServerSchema.parse(facts.detail);
  const version = facts.versions["server"] ?? "";
  const backup = await findServerProgram(context, "mariadb-backup", version);
  const server = await findServerProgram(context, "mariadbd", version);
  const port = chooseInstancePort(context);
  const range = replay === undefined ? null : serverRange(captured, detail.binlog, replay);
  if (range !== null) await rehearse(range, signal);
  const tally: ReplayTally = emptyTally();
  let disarmed = 0;
  const progress = accumulateProgress(context.progress, {
    unit: "files",
    bytesTotal: facts.sizeBytes,
    itemsTotal: facts.counts["files"] ?? 0,
  });
  const finish = async (folder: string): Promise<void> => {
    const owner = await futureOwner(context, {
      stable,
      user: detail.owner?.user ?? "mysql",
      hint: "the server is to run as that user",
      nextCommand: "apt-get install mariadb-server",
    });
    await applyChanges(folder, detail.changes);
    await chmod(folder, 0o700);
    await giveTree(folder, owner, signal);
    await prepare(context, backup.path, folder, owner);
    await removeNotes(folder);
    await writeInstanceFiles(folder, { port, version, settings: detail.settings }, signal);
    const access = await startInstance(context, folder, { isAlone: true });
    try {
      if (range !== null) await applyBinlog(access, null, serverLogEvents(range, tally));
      disarmed = await disarm(access, folder, { by: `run ${target.run}`, at: context.clock.now() });
    } finally {
      // One that is renamed under its feet would look for its files at their old names.
      await endServer({ clock: context.clock, signal: new AbortController().signal }, folder, "SIGTERM");
    }
    await syncFileSystem(folder, signal);
  };
  return translateSystemErrors("target.failed", `${target.name} cannot be restored`, async () => {
    const report = await restoreInstance({
      target,
      source,
      captured: { ...captured, path: placeInVault(captured.path) },
      label: basename(stable),
      signal,
      progress,
      finish,
    });
    await startInstance(context, target.name);
    if (detail.start !== null)
      await serverRecord.remember(stable, { start: detail.start, continues: null }, { replace: false });
    const gone = range === null ? "" : `; ${describeReplay(range, tally)}`;
    return {
      sizeBytes: facts.sizeBytes,
      summary: `${formatAmount(detail.databases.length, "databases")} into ${basename(target.name)} in ${dirname(target.name)}, on port ${port}${gone}`,
      warnings: [
        ...report.warnings,
        ...(server.version === version
          ? []
          : [`the point is of MariaDB ${version}, and it runs by ${server.version} of this machine`]),
        ...(disarmed === 0
          ? []
          : [
              `off in the restored server, and so after the switch until refloat rearm: ${formatAmount(disarmed, "events")}`,
            ]),
      ],
    };
  });
};
