/** Subscriptions and jobs one by one: those that are armed are enabled, the others disabled, so that their common setting can be given back. */
import type { ClusterContext } from "../cluster-options.ts";
import { type DisarmRecord, allJobs } from "./disarm-record.ts";
import { cronItem, cronSetting, subscriptionItem, subscriptionSetting } from "./disarmed-items.ts";
import { runStandalone, standaloneText } from "./standalone-sql.ts";

/** One that somebody has dropped since is none. */
const subscriptionSql = (name: string, isOn: boolean): string =>
  [
    "do $refloat$ begin",
    `if exists (select from pg_subscription s join pg_database d on d.oid = s.subdbid where d.datname = current_database() and s.subname = ${standaloneText(name)})`,
    `then execute format('alter subscription %I ${isOn ? "enable" : "disable"}', ${standaloneText(name)}); end if;`,
    "end $refloat$",
  ].join(" ");

/** Its trigger would need the library, which tells a launcher that does not run. */
const withoutTriggers = "set session_replication_role = replica";

const jobSql = (id: string, isOn: boolean): string =>
  `update cron.job set active = ${isOn} where jobid = ${BigInt(id)}`;

/**
 * Statements by database. @param chosen items that are armed now @param back settings that are given back
 */
const statementsOf = (
  record: DisarmRecord,
  chosen: readonly string[],
  back: readonly string[],
): ReadonlyMap<string, readonly string[]> => {
  const statements = new Map<string, string[]>();
  const add = (database: string, statement: string): void =>
    void statements.set(database, [...(statements.get(database) ?? []), statement]);
  const isDue = (name: string): boolean => !record.armed.includes(name);
  if (back.includes(subscriptionSetting))
    for (const one of record.subscriptions) {
      const name = subscriptionItem(one);
      if (isDue(name)) add(one.database, subscriptionSql(one.name, chosen.includes(name)));
    }
  // Before 1.5 pg_cron has no such setting: its jobs run wherever it is loaded.
  if (back.includes(cronSetting) || chosen.includes("libraries")) {
    const due = record.jobs.filter((job) => job.id !== allJobs && isDue(cronItem(job)));
    for (const database of new Set(due.map((job) => job.database))) add(database, withoutTriggers);
    for (const job of due) add(job.database, jobSql(job.id, chosen.includes(cronItem(job))));
  }
  return statements;
};

/** @param databases that are there; one that was dropped took its own with it. Null where that is not known */
export const switchObjects = async (
  context: ClusterContext,
  places: { readonly folder: string; readonly options: string; readonly databases: readonly string[] | null },
  record: DisarmRecord,
  chosen: readonly string[],
  back: readonly string[],
): Promise<void> => {
  const { folder, options, databases } = places;
  for (const [database, statements] of statementsOf(record, chosen, back))
    if (databases === null || databases.includes(database))
      await runStandalone(context, { folder, options, database, statements });
};
