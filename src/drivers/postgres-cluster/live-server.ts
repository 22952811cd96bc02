/** The live server: whether it may be stopped and switched at all, how it is stopped, and how the one behind the stable name is started. */
import { join } from "node:path";
import { escapeIdentifier } from "pg";
import { RefloatError } from "../../model/refloat-error.ts";
import { runDeclaredLine } from "../../platform/folder-server/declared-line.ts";
import { describeAddress, resolveTarget } from "../../platform/postgres/connection-target.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { armedOnLine, withDisarmed } from "./command-line.ts";
import { readControlData } from "./control-data.ts";
import { readDisarmed } from "./disarm.ts";
import { withCluster } from "./locations.ts";
import { endLeftBackEnds, findPostmaster, readStartOptions, startPostmaster, stopPostmaster } from "./postmaster.ts";
import { clusterStart } from "./start-record.ts";

const refused = (message: string, hint: string): RefloatError => new RefloatError("cutover.refused", message, { hint });

/** What those leave in a data folder who start and stop its server by themselves. */
const managers: Readonly<Record<string, string>> = {
  "patroni.dynamic.json": "Patroni",
  "pgautofailover.conf": "pg_auto_failover",
};

type Follower = { readonly name: string; readonly address: string | null };

/**
 * Receivers of the log and base backups are none: they hold no copy that would go on from the old history. Who may not see the state of a sender gets
 * null, which counts. A slot is of a standby that is away, unless a receiver holds it.
 */
const followersSql = `
  with receivers as (select '^(refloat|pg_receivewal|pg_basebackup|barman|pgbackrest)' as pattern),
       senders as (select pid, coalesce(application_name, '') as name, client_addr::text as address, state from pg_stat_replication),
       standbys as (select senders.* from senders, receivers where state is distinct from 'backup' and name !~ pattern)
  select case when name = '' then 'one without a name' else name end as name, address from standbys
   union all
  select 'slot ' || slot_name, null from pg_replication_slots, receivers
   where slot_type = 'physical' and not temporary and slot_name !~ pattern
     and not exists (select from senders where senders.pid = active_pid)`;

/** @throws RefloatError cutover.refused when the server does not answer, or does not let itself be asked */
const askFollowers = async (context: ClusterContext, stable: string): Promise<readonly Follower[]> => {
  const target = await resolveTarget(context);
  try {
    return await withCluster(context, target, "source", (session) => session.query<Follower>(followersSql));
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    // One that Refloat has put there has no followers of its history before; its roles may have other passwords than they have now.
    if ((await readDisarmed(stable)) !== null) return [];
    throw refused(
      `whether standbys follow the cluster in ${stable} cannot be told: ${error.message}`,
      `as an administrator: GRANT pg_read_all_stats TO ${escapeIdentifier(target.user)}; or, if you know that none does, stop the server by hand and try again: one that is stopped is not asked`,
    );
  }
};

/**
 * One server alone can be switched. @throws RefloatError cutover.refused with the reason and what to do
 */
export const refuseCompany = async (context: ClusterContext, stable: string): Promise<void> => {
  for (const [file, manager] of Object.entries(managers))
    if (await pathExists(join(stable, file)))
      throw refused(
        `${manager} manages the cluster in ${stable}: it would start the old side again, or another node in its place`,
        `restore it beside (refloat recover --no-cutover), pause ${manager}, put the data folder in place by hand and build the other nodes anew`,
      );
  if (await pathExists(join(stable, "standby.signal")))
    throw refused(`the cluster in ${stable} is a standby`, "recover its primary, then build the standby anew");
  if ((await findPostmaster(stable)) === null) return;
  const followers = await askFollowers(context, stable);
  if (followers.length === 0) return;
  const named = followers.map(({ name, address }) => (address === null ? name : `${name} at ${address}`)).join(", ");
  throw refused(
    `standbys follow the cluster in ${stable} (${named}), and cannot follow one that was recovered to an earlier moment`,
    "stop them and drop their slots (they are built anew by pg_basebackup afterwards), then recover; or restore beside: refloat recover --no-cutover",
  );
};

/** @throws RefloatError fence.failed */
const stopServer = async (context: ClusterContext, stable: string): Promise<void> => {
  const { stop } = context.options;
  if (stop === undefined) await stopPostmaster(context, stable);
  else
    await runDeclaredLine(context, {
      what: "stop",
      line: stop,
      isReached: async () => (await findPostmaster(stable)) === null,
    });
};

/** Stops what runs behind the stable name, and proves it. How it was started is remembered first. @throws RefloatError fence.failed */
export const stopLive = async (context: ClusterContext, stable: string): Promise<void> => {
  if ((await findPostmaster(stable)) !== null) {
    const options = await readStartOptions(stable);
    if (options !== null) await clusterStart.remember(stable, options, { replace: true });
    await stopServer(context, stable);
  }
  await endLeftBackEnds(context, stable);
};

const systemOf = async (context: ClusterContext, folder: string): Promise<string | null> => {
  try {
    return (await readControlData(context, folder)).systemIdentifier;
  } catch {
    context.signal.throwIfAborted();
    return null;
  }
};

/**
 * A server in a container or on another machine is in no process table here: the folder of one that still answers is not exchanged.
 * @param folders of the cluster, by whatever name @throws RefloatError fence.failed
 */
export const refuseAnswering = async (context: ClusterContext, folders: readonly string[]): Promise<void> => {
  const target = await resolveTarget(context);
  let answering: string | undefined;
  try {
    const [row] = await withCluster(context, target, "source", (session) =>
      session.query<{ id: string }>("select system_identifier::text as id from pg_control_system()"),
    );
    answering = row?.id;
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    // One that is starting, or has no connection left, answers too.
    if (error.code === "source.unreachable" && sqlStateOf(error) === undefined) return;
    throw new RefloatError(
      "fence.failed",
      `a server still answers at ${describeAddress(target)}, and does not say whose it is: ${error.message}`,
      { hint: "stop it, or correct url: and password:, then resume", cause: error },
    );
  }
  for (const folder of folders)
    if (answering !== undefined && answering === (await systemOf(context, folder)))
      throw new RefloatError(
        "fence.failed",
        `the cluster in ${folder} still answers at ${describeAddress(target)}, by a server that is not seen from here (in a container, or on another machine)`,
        { hint: "stop it there, or declare stop: and start: that do, then resume" },
      );
};

const onTheLine = (context: ClusterContext, names: readonly string[]): readonly [string, string] => [
  `start: of ${context.component} sets ${names.join(", ")} on the server's command line, which wins over what keeps a recovered cluster from acting`,
  "move these settings into a configuration file, restart the live server, and recover again",
];

/** Before the live server is stopped: as it was started, the other one will be. @throws RefloatError cutover.refused */
export const refuseArmedStart = async (context: ClusterContext, stable: string, incoming: string): Promise<void> => {
  const disarmed = context.options.start === undefined ? null : await readDisarmed(incoming);
  if (disarmed === null || (await findPostmaster(stable)) === null) return;
  const names = armedOnLine((await readStartOptions(stable))?.options ?? "", disarmed);
  if (names.length > 0) throw refused(...onTheLine(context, names));
};

/** By a declared start, whose command line is not ours. @throws RefloatError target.failed, with nothing running */
const stopArmed = async (context: ClusterContext, stable: string): Promise<void> => {
  const disarmed = await readDisarmed(stable);
  const names = armedOnLine((await readStartOptions(stable))?.options ?? "", disarmed ?? {});
  if (names.length === 0) return;
  await stopServer(context, stable);
  const [message, hint] = onTheLine(context, names);
  throw new RefloatError("target.failed", `${message}; it was stopped`, { hint });
};

/** Starts what is behind the stable name, and waits until it lets itself be asked. Idempotent. @throws RefloatError target.failed */
export const serveStable = async (context: ClusterContext, stable: string): Promise<void> => {
  const { start } = context.options;
  if (start === undefined) {
    // Without a record: as a server of its folder alone.
    const unknown = { options: "", log: join(stable, "refloat-server.log") };
    const { options, log } = (await clusterStart.recall(stable)) ?? unknown;
    await startPostmaster(context, stable, { options: withDisarmed(options, (await readDisarmed(stable)) ?? {}), log });
    return;
  }
  const isReady = async (): Promise<boolean> => (await findPostmaster(stable))?.ready === true;
  if (!(await isReady())) await runDeclaredLine(context, { what: "start", line: start, isReached: isReady });
  await stopArmed(context, stable);
};
