/**
 * Restores a server beside the live one: its data file into a new folder, then a server of its own on a free port that loads it. The name is
 * given last, when that server has loaded all of it.
 */
import { chmod, lstat, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { InstanceOperations } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { accumulateProgress } from "../../platform/accumulate-progress.ts";
import { futureOwner, giveTree } from "../../platform/folder-server/folder-owner.ts";
import { chooseInstancePort } from "../../platform/folder-server/instance-port.ts";
import { restoreInstance } from "../../platform/path-instance.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { countOf } from "../../platform/tree-facts.ts";
import { capturedDetailSchema, dataName, rdbName } from "./captured-detail.ts";
import { startInstance, writeInstanceRecord } from "./instance-server.ts";
import { rememberCaptured } from "./live-server.ts";
import { type RedisOptions, dataPathOf } from "./redis-options.ts";
import { requireReadable } from "./server-programs.ts";

/** As the live folder's, so that whoever may look into it (a group of monitors) still can. */
const modeOf = async (stable: string): Promise<number> =>
  lstat(stable).then(
    ({ mode }) => mode & 0o777,
    () => 0o700,
  );

const requireSize = async (path: string, sizeBytes: number): Promise<void> => {
  const found = await lstat(path).catch(() => null);
  if (found?.isFile() === true && found.size === sizeBytes) return;
  throw new RefloatError(
    "point.damaged",
    `${rdbName} of the point is ${found === null ? "missing" : "not as long as it was"}`,
  );
};

export const restoreRedis: InstanceOperations<RedisOptions>["restore"] = async (context, target, source, captured) => {
  const { signal } = context;
  signal.throwIfAborted();
  const stable = await dataPathOf(context);
  const { facts } = captured;
  const detail = capturedDetailSchema.parse(facts.detail);
  const version = facts.versions["server"] ?? "unknown";
  await requireReadable(context, { format: detail.format, version });
  const port = chooseInstancePort(context);
  const progress = accumulateProgress(context.progress, { unit: "files", bytesTotal: facts.sizeBytes, itemsTotal: 1 });
  const { dbfilename, databases } = detail.settings;
  const finish = async (folder: string): Promise<void> => {
    await requireSize(join(folder, rdbName), facts.sizeBytes);
    if (dbfilename !== rdbName) await rename(join(folder, rdbName), join(folder, dbfilename));
    const owner = await futureOwner(context, {
      stable,
      user: detail.owner?.user ?? "redis",
      hint: "the server is to run as that user",
      nextCommand: "apt-get install redis-server",
    });
    await writeInstanceRecord(folder, { port, databases, dbfilename });
    await chmod(folder, await modeOf(stable));
    await giveTree(folder, owner, signal);
    await startInstance(context, folder);
  };
  return translateSystemErrors("target.failed", `${target.name} cannot be restored`, async () => {
    const report = await restoreInstance({
      target,
      source,
      captured: { ...captured, path: `${captured.path}/${dataName}` },
      label: basename(stable),
      signal,
      progress,
      finish,
    });
    await rememberCaptured(stable, { start: detail.start, settings: detail.settings, version });
    const keys = facts.counts["keys"];
    return {
      sizeBytes: facts.sizeBytes,
      summary: `${keys === undefined ? "all keys" : countOf(keys, "key")} into ${basename(target.name)} in ${dirname(target.name)}, on port ${port}`,
      warnings: report.warnings,
    };
  });
};
