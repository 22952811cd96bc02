/** The live server: whether it may be stopped and switched at all, how it is stopped, and how the one behind the stable name is started. */
import { join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { bindCommand } from "../../platform/bind-command.ts";
import { resolveTarget } from "../../platform/postgres/connection-target.ts";
import { withSession } from "../../platform/postgres/session.ts";
import { describeEnd, lastLines, runShellLine } from "../../platform/shell-line.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { findPostmaster, readStartOptions, startPostmaster, stopPostmaster } from "./postmaster.ts";
import { rememberStart, rememberedStart } from "./start-record.ts";

const refused = (message: string, hint: string): RefloatError => new RefloatError("cutover.refused", message, { hint });

/** What those leave in a data folder who start and stop its server by themselves. */
const managers: Readonly<Record<string, string>> = {
  "patroni.dynamic.json": "Patroni",
  "pgautofailover.conf": "pg_auto_failover",
};

type Standby = { readonly name: string; readonly address: string | null };

/** Receivers of the log and base backups are none: they hold no copy that would go on from the old history. */
const standbysSql = `
  select application_name as name, client_addr::text as address
    from pg_stat_replication
   where state <> 'backup' and application_name !~ '^(refloat|pg_receivewal|pg_basebackup|barman|pgbackrest)'`;

/** Null when it does not answer, or does not let itself be asked: then it is told by its folder alone. */
const askStandbys = async (context: ClusterContext): Promise<readonly Standby[] | null> => {
  const { marker, signal } = context;
  try {
    const target = await resolveTarget(context);
    return await withSession({ target, marker, role: "source", signal }, (session) =>
      session.query<Standby>(standbysSql),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RefloatError) return null;
    throw error;
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
  const standbys = (await askStandbys(context)) ?? [];
  if (standbys.length === 0) return;
  const named = standbys.map(({ name, address }) => (address === null ? name : `${name} at ${address}`)).join(", ");
  throw refused(
    `standbys follow the cluster in ${stable} (${named}), and cannot follow one that was recovered to an earlier moment`,
    "stop them (they are built anew by pg_basebackup afterwards), then recover; or restore beside: refloat recover --no-cutover",
  );
};

const runDeclared = async (context: ClusterContext, line: string, what: "start" | "stop"): Promise<string | null> => {
  const result = await runShellLine(await bindCommand(context.bind, line, `${what} of ${context.component}`), {
    signal: context.signal,
    marker: context.marker,
    mayLeaveDaemon: true,
  });
  const end = describeEnd(result);
  return end === null
    ? null
    : `the ${what} command of ${context.component} failed (${end}): ${lastLines(result.output, 3)}`;
};

const waitMs = 60_000;
const lookAgainMs = 50;

const waitUntil = async (context: ClusterContext, isSo: () => Promise<boolean>): Promise<boolean> => {
  const deadline = context.clock.monotonicMs() + waitMs;
  while (!(await isSo())) {
    if (context.clock.monotonicMs() > deadline) return false;
    await context.clock.sleep(lookAgainMs, context.signal);
  }
  return true;
};

/** Stops what runs behind the stable name, and proves it. How it was started is remembered first. @throws RefloatError fence.failed */
export const stopLive = async (context: ClusterContext, stable: string): Promise<void> => {
  if ((await findPostmaster(stable)) === null) return;
  const options = await readStartOptions(stable);
  if (options !== null) await rememberStart(stable, options, { replace: true });
  const { stop } = context.options;
  if (stop === undefined) {
    await stopPostmaster(context, stable);
    return;
  }
  const failure = await runDeclared(context, stop, "stop");
  if (await waitUntil(context, async () => (await findPostmaster(stable)) === null)) return;
  throw new RefloatError(
    "fence.failed",
    failure ?? `the stop command of ${context.component} ended well, and its server still runs`,
    {
      hint: "does stop: stop the server of this data folder?",
    },
  );
};

/** Starts what is behind the stable name, and waits until it lets itself be asked. Idempotent. @throws RefloatError target.failed */
export const serveStable = async (context: ClusterContext, stable: string): Promise<void> => {
  const { start } = context.options;
  if (start === undefined) await startPostmaster(context, stable, await rememberedStart(stable));
  else if ((await findPostmaster(stable))?.ready !== true) {
    const failure = await runDeclared(context, start, "start");
    const isUp = await waitUntil(context, async () => (await findPostmaster(stable))?.ready === true);
    if (!isUp)
      throw new RefloatError(
        "target.failed",
        failure ?? `the start command of ${context.component} ended well, and no server runs in ${stable}`,
        {
          hint: "does start: start the server of this data folder?",
        },
      );
  }
};
