/** Processes that Refloat started, found again by name: by the record, else by the marker in their environment. */
import type { RunningProcess } from "../../core/ports/driver.ts";
import { findPortOwners } from "../../platform/port-owner.ts";
import {
  type ProcessRow,
  descendantsOf,
  findByEnvironment,
  isAlive,
  listProcesses,
} from "../../platform/process-table.ts";
import { type ProcessContext, portsOf, releasePathOf } from "./process-options.ts";
import { type ProcessRecord, instanceVariables, readRecord } from "./process-records.ts";

/**
 * All that a start of this name led to and that still runs, children of children too. Some programs write their title over their own
 * environment, so besides the marker the recorded process, its session and its children tell who belongs to it.
 */
export const findInstanceProcesses = async (context: ProcessContext, name: string): Promise<readonly ProcessRow[]> => {
  const marked = findByEnvironment(instanceVariables(context, name));
  const record = await readRecord(context, name);
  const table = listProcesses();
  const isRecorded = ({ pid, startTicks }: ProcessRow): boolean =>
    pid === record?.process.pid && startTicks === record.process.startTicks;
  const seeds = [...marked, ...table.filter(isRecorded)];
  // Sessions 0 and 1 are the kernel's and those of init.
  const sessions = new Set(seeds.map(({ session }) => session).filter((session) => session > 1));
  const kin = table.filter(({ session }) => sessions.has(session));
  const all = [...seeds, ...kin, ...seeds.flatMap(({ pid }) => descendantsOf(pid, table))];
  return [...new Map(all.map((row) => [row.pid, row])).values()];
};

/** The one that is nobody's child among them. */
export const leaderOf = (rows: readonly ProcessRow[]): ProcessRow | null =>
  rows.find((row) => !rows.some(({ pid }) => pid === row.parent)) ?? null;

/** Among the processes of an instance, the one that opened the port; null when none of them has. */
export const portHolder = (rows: readonly ProcessRow[], port: number): ProcessRow | null => {
  const { pids } = findPortOwners(port);
  return leaderOf(rows.filter(({ pid }) => pids.includes(pid)));
};

const asRunning = ({ process: { pid, startTicks }, port, release }: ProcessRecord): RunningProcess => ({
  pid,
  startTicks,
  port,
  release,
});

/** Contract of RuntimeOperations.find. A start that was killed before it could write its record is found by its marker. */
export const findProcess = async (context: ProcessContext, name: string): Promise<RunningProcess | null> => {
  const record = await readRecord(context, name);
  if (record !== null && isAlive(record.process)) return asRunning(record);
  const rows = await findInstanceProcesses(context, name);
  const leader = leaderOf(rows);
  if (leader === null) return null;
  for (const port of portsOf(context.options)) {
    const holder = portHolder(rows, port);
    if (holder !== null)
      return { pid: holder.pid, startTicks: holder.startTicks, port, release: await releaseFor(context, record) };
  }
  const { pid, startTicks } = leader;
  return { pid, startTicks, port: record?.port ?? null, release: await releaseFor(context, record) };
};

const releaseFor = async (context: ProcessContext, record: ProcessRecord | null): Promise<string> =>
  record?.release ?? (await releasePathOf(context));
