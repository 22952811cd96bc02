/**
 * What a session that loads an archive asks of the server. Memory and parallel workers are chosen only where the server is on this
 * machine and its size can be seen; another machine keeps its own settings.
 */
import { availableParallelism, totalmem } from "node:os";
import { type ConnectionTarget, isLocal } from "../../platform/postgres/connection-target.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import type { Session } from "../../platform/postgres/session.ts";

const megabyte = 1024 * 1024;
const mostMemory = 256 * megabyte;
/** The server's own default: less would only slow it down. */
const leastMemory = 64 * megabyte;

/** All jobs together take at most a sixteenth of the machine. */
const memoryPerJob = (jobs: number): number =>
  Math.floor(Math.min(mostMemory, Math.max(leastMemory, totalmem() / 16 / jobs)) / megabyte);

/** Helpers for one index only where our own connections leave processors idle: else they cost more than they bring. */
const helpersPerJob = (jobs: number): number => Math.max(0, Math.ceil(availableParallelism() / jobs) - 1);

/** Settings that every user may change, for our own sessions and for those of pg_restore. */
export const loadSettings = (target: ConnectionTarget, jobs: number): Readonly<Record<string, string>> => ({
  // Nothing is lost without a sync on each commit: the last act of a restore is synced, and with it all before.
  synchronous_commit: "off",
  jit: "off",
  ...(isLocal(target)
    ? {
        maintenance_work_mem: `${memoryPerJob(jobs)}MB`,
        max_parallel_maintenance_workers: String(helpersPerJob(jobs)),
      }
    : {}),
});

/** Autovacuum gives way to us only after this long; by default it holds each statement up for a second. Superusers only. */
const impatience = "set deadlock_timeout = '50ms'";

const insufficientPrivilege = "42501";

/** What definitions and rows of an archive expect of a session, and the settings above. */
export const prepareLoadSession = async (
  session: Session,
  encoding: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> => {
  await session.query(`
    set search_path = '';
    set row_security = off;
    set check_function_bodies = off;
    set xmloption = content;
    set client_min_messages = warning;
    set standard_conforming_strings = on;
    set intervalstyle = postgres;
    set client_encoding = '${encoding}'`);
  for (const [name, value] of Object.entries(settings)) {
    await session.query("select set_config($1, $2, false)", [name, value]);
  }
  try {
    await session.query(impatience);
  } catch (error) {
    if (sqlStateOf(error) !== insufficientPrivilege) throw error;
  }
};
