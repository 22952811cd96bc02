/**
 * The folder of a capture's copy: beside the databases, where blocks can be shared, and removed at the end. One that a killed capture left
 * is known by the process that its name holds and removed by the next.
 */
import { chmod, mkdir, readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { findByEnvironment, isAlive, readProcess, signalProcess } from "../../platform/process-table.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { removeTree } from "../../platform/tree-files.ts";
import { type SqliteContext, scratchOf } from "./sqlite-options.ts";

/** In the environment of the process that fills the folder. */
export const scratchVariable = "REFLOAT_SQLITE_SCRATCH";

/** `.shop.db.refloat-copy-4711-998877`. Names of any length must leave room for the rest. */
const prefixFor = (root: string): string =>
  `.${Buffer.from(basename(root)).subarray(0, 150).toString("utf8").replaceAll("\uFFFD", "")}.refloat-copy-`;

const ownerOf = (name: string, prefix: string): { pid: number; startTicks: number } | null => {
  if (!name.startsWith(prefix)) return null;
  const [, pid, ticks] = /^(\d+)-(\d+)$/.exec(name.slice(prefix.length)) ?? [];
  return pid === undefined || ticks === undefined ? null : { pid: Number(pid), startTicks: Number(ticks) };
};

export const scratchParent = async (context: SqliteContext, root: string): Promise<string> =>
  (await scratchOf(context)) ?? dirname(root);

const sweep = async (parent: string, prefix: string, signal: AbortSignal): Promise<void> => {
  for (const name of await readdir(parent)) {
    const owner = ownerOf(name, prefix);
    if (owner === null || isAlive(owner)) continue;
    const path = join(parent, name);
    for (const row of findByEnvironment({ [scratchVariable]: path })) signalProcess(row, "SIGKILL");
    await removeTree(path, signal);
  }
};

export const withScratchFolder = async <Result>(
  context: SqliteContext,
  root: string,
  act: (folder: string) => Promise<Result>,
): Promise<Result> => {
  const parent = await scratchParent(context, root);
  const prefix = prefixFor(root);
  const folder = join(parent, `${prefix}${process.pid}-${readProcess(process.pid)?.startTicks ?? 0}`);
  await translateSystemErrors("source.failed", `no copy of ${root} can be made in ${parent}`, async () => {
    await sweep(parent, prefix, context.signal);
    // An earlier capture of this very process that could not remove it.
    await removeTree(folder, context.signal);
    await mkdir(folder, { mode: 0o700 });
    await chmod(folder, 0o700);
  });
  try {
    return await act(folder);
  } finally {
    await removeTree(folder, new AbortController().signal);
  }
};
