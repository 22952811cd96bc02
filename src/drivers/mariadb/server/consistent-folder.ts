/** Makes the files of a captured server those of one moment: by what happened to them while they were copied, and by the redo log of that time. */
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { endingWithUs } from "../../../platform/folder-server/child-server.ts";
import { type Owner, runAsOwner } from "../../../platform/folder-server/folder-owner.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import type { FileChange } from "./captured-server.ts";
import type { ServerContext } from "./server-options.ts";

/** Tables that got another name, or went, while they were copied. @param isPartial files of which nobody asked are not there */
export const applyChanges = async (
  folder: string,
  changes: readonly FileChange[],
  { isPartial = false }: { readonly isPartial?: boolean } = {},
): Promise<void> => {
  for (const { path, to } of changes) {
    if (isPartial && !(await pathExists(join(folder, path)))) continue;
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

/**
 * Replays the redo log of the time that the capture took. That of a table whose file is not there is passed over.
 * @param program path of mariadb-backup @throws RefloatError target.failed with the program's last words
 */
export const prepareFolder = async (
  context: ServerContext,
  { program, folder, owner }: { readonly program: string; readonly folder: string; readonly owner: Owner },
): Promise<void> => {
  try {
    // Its own user may write there; into TMPDIR perhaps we alone.
    const words = [program, "--no-defaults", "--prepare", `--target-dir=${folder}`, `--tmpdir=${folder}`];
    await runAsOwner(context, owner, endingWithUs("SIGKILL", words));
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
    throw new RefloatError("target.failed", `the files of the point cannot be made consistent: ${error.message}`, {
      cause: error,
      hint: "is there room on the disk? Else `refloat verify` tells whether the vault has what was captured",
    });
  }
  await removeNotes(folder);
};
