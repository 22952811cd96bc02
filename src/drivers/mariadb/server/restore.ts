/**
 * Restores a server beside the live one: its files, made consistent by mariadb-backup, then a server of its own that only its owner reaches. That one goes on by the
 * binary log, and what would act by itself is switched off; then it is stopped, and the folder gets its name. Only then is it started for others.
 */
import { chmod } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { InstanceOperations } from "../../../core/ports/driver.ts";
import { formatAmount } from "../../../core/text/quantity.ts";
import { accumulateProgress } from "../../../platform/accumulate-progress.ts";
import { giveTree } from "../../../platform/folder-server/folder-owner.ts";
import { chooseInstancePort } from "../../../platform/folder-server/instance-port.ts";
import { restoreInstance } from "../../../platform/path-instance.ts";
import { translateSystemErrors } from "../../../platform/system-error.ts";
import { syncFileSystem } from "../../../platform/tree-files.ts";
import { type ReplayTally, emptyTally } from "../binlog-walk.ts";
import { applyBinlog, describeReplay } from "../replay-binlog.ts";
import { placeInVault } from "./capture.ts";
import { capturedServerSchema } from "./captured-server.ts";
import { applyChanges, prepareFolder } from "./consistent-folder.ts";
import { disarm } from "./disarm.ts";
import { startInstance, writeInstanceFiles } from "./instance-server.ts";
import { rehearseServerLog, serverLogEvents, serverRange } from "./server-log.ts";
import { type ServerOptions, dataPathOf } from "./server-options.ts";
import { serverOwner } from "./server-owner.ts";
import { endServer } from "./server-process.ts";
import { findServerProgram } from "./server-programs.ts";
import { serverRecord } from "./start-record.ts";

type Restore = InstanceOperations<ServerOptions>["restore"];

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
  if (range !== null) await rehearseServerLog(range, signal);
  const tally: ReplayTally = emptyTally();
  let disarmed = 0;
  const progress = accumulateProgress(context.progress, {
    unit: "files",
    bytesTotal: facts.sizeBytes,
    itemsTotal: facts.counts["files"] ?? 0,
  });
  const finish = async (folder: string): Promise<void> => {
    const owner = await serverOwner(context, stable, detail);
    await applyChanges(folder, detail.changes);
    await chmod(folder, 0o700);
    await giveTree(folder, owner, signal);
    await prepareFolder(context, { program: backup.path, folder, owner });
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
      clock: context.clock,
      finish,
    });
    await startInstance(context, target.name);
    if (detail.start !== null)
      await serverRecord.remember(
        stable,
        { start: detail.start, continues: null, wasShutDown: false },
        { replace: false },
      );
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
