/** The live server: whether it may be stopped and switched at all, how it is stopped, and how the one behind the stable name is started. */
import { join } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { runDeclaredLine } from "../../../platform/folder-server/declared-line.ts";
import { ownerOf } from "../../../platform/folder-server/folder-owner.ts";
import { startApart } from "../../../platform/folder-server/start-apart.ts";
import { waitUntil } from "../../../platform/wait-until.ts";
import { describeAddress } from "../connection-target.ts";
import { type SqlAccess, askSql, textOf } from "../sql-client.ts";
import { quietInstance, readInstanceRecord, startInstance } from "./instance-server.ts";
import { lifeIn, takeMark } from "./position.ts";
import { type ServerContext, dataPathOf, liveAccessOf } from "./server-options.ts";
import { endServer, isServed, readStart } from "./server-process.ts";
import { logOutside, readLiveServer } from "./server-settings.ts";
import { serverRecord } from "./start-record.ts";

const refused = (message: string, hint: string): RefloatError => new RefloatError("cutover.refused", message, { hint });

/**
 * One server alone can be switched. One that is stopped is not asked.
 * @throws RefloatError cutover.refused with the reason and what to do
 */
export const refuseCompany = async (context: ServerContext, stable: string): Promise<void> => {
  if (!(await isServed(stable))) return;
  const access = await liveAccessOf(context, "source");
  const server = await readLiveServer(access).catch((error: unknown) => {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    throw refused(
      `whether others follow the server in ${stable} cannot be told: ${error.message}`,
      "mend that; or, if you know that none does, stop the server by hand and try again: one that is stopped is not asked",
    );
  });
  if (server.isReplica)
    throw refused(`the server in ${stable} follows another one`, "recover that one, then build this one anew");
  if (server.isClusterNode)
    throw refused(
      `the server in ${stable} is a node of a Galera cluster`,
      "restore it beside (refloat recover --no-cutover), stop all nodes, put the folder in the place of one by hand, and let the others join anew",
    );
  if (server.followers.length > 0)
    throw refused(
      `others follow the server in ${stable} (${server.followers.join(", ")}), and cannot follow one that was recovered to an earlier moment`,
      "stop them, recover, and build them anew; or restore beside: refloat recover --no-cutover",
    );
  const log = await logOutside(server, stable);
  if (log !== null)
    throw refused(
      `the binary log of the server lies at ${log}, outside of ${stable}: the recovered server would go on in the log of the old one, as if it were one history`,
      "log_bin = binlog puts it into the data folder (restart the server, and take a point); or restore beside: refloat recover --no-cutover",
    );
};

/** Stops what runs behind the stable name, and proves it. How it was started is remembered first. @throws RefloatError fence.failed */
export const stopLive = async (context: ServerContext, stable: string): Promise<void> => {
  const known = await serverRecord.recall(stable);
  const start = (await readStart(stable)) ?? known?.start ?? null;
  // What an attempt that was killed has found out stays: nothing has been behind the name since.
  const before = known?.continues ?? null;
  const continues = before !== null && before.life === null ? before : null;
  const isRunning = await isServed(stable);
  const wasShutDown = !isRunning && known?.wasShutDown === true;
  await serverRecord.remember(stable, { start, continues, wasShutDown }, { replace: true });
  if (!isRunning) return;
  const { stop } = context.options;
  if (stop === undefined) await endServer(context, stable, "SIGTERM");
  else
    await runDeclaredLine(context, {
      what: "stop",
      line: stop,
      isReached: async () => !(await isServed(stable)),
    });
  await serverRecord.remember(stable, { start, continues, wasShutDown: true }, { replace: true });
};

/** What an instance has counted before the switch does anything to it: that is not what its users have written. */
export const rememberIncoming = async (context: ServerContext, stable: string, folder: string): Promise<void> => {
  const known = await serverRecord.recall(stable);
  if (known === null || (await readInstanceRecord(folder)) === null) return;
  const { life, counts } = await takeMark(await startInstance(context, folder), folder, false);
  if (life === null || counts === null || known.continues?.from === life) return;
  await serverRecord.remember(stable, { ...known, continues: { from: life, counts, life: null } }, { replace: true });
};

/** Ends the server of an instance, and remembers what it had counted: what is behind the stable name goes on from there. @throws RefloatError fence.failed */
export const quietIncoming = async (context: ServerContext, folder: string): Promise<void> => {
  const end = await quietInstance(context, folder);
  const stable = await dataPathOf(context);
  const known = await serverRecord.recall(stable);
  if (end === null || known === null || known.continues?.from === end.from) return;
  await serverRecord.remember(stable, { ...known, continues: { ...end, life: null } }, { replace: true });
};

/** Of the first server behind the name alone: of one that is started later nobody knows what came between. */
const rememberLife = async (stable: string): Promise<void> => {
  const known = await serverRecord.recall(stable);
  if (known === null) return;
  const { continues: before } = known;
  const continues = before !== null && before.life === null ? { ...before, life: await lifeIn(stable) } : before;
  await serverRecord.remember(stable, { ...known, continues, wasShutDown: false }, { replace: true });
};

/** Null when nothing answers; the words of a refusal are an answer too. */
const folderOfAnswer = async (access: SqlAccess): Promise<string | null> => {
  try {
    return textOf((await askSql(access, "SELECT @@datadir AS folder;"))[0], "folder");
  } catch (error) {
    access.signal.throwIfAborted();
    if (!(error instanceof RefloatError)) throw error;
    return error.code === "source.unreachable" ? null : error.message;
  }
};

/** A server in a container or on another machine is in no process table here. @throws RefloatError fence.failed */
export const refuseAnswering = async (context: ServerContext): Promise<void> => {
  const access = await liveAccessOf(context, "source");
  const found = await folderOfAnswer(access);
  if (found === null) return;
  throw new RefloatError(
    "fence.failed",
    `a server still answers at ${describeAddress(access.target)} (${found}), by a process that is not seen from here (in a container, or on another machine)`,
    { hint: "stop it there, or declare stop: and start: that do, then resume" },
  );
};

const startMs = 3_600_000;

/** @returns where what it says goes */
const startByRecord = async (context: ServerContext, stable: string): Promise<string> => {
  const start = (await serverRecord.recall(stable))?.start ?? null;
  if (start === null)
    throw new RefloatError(
      "target.failed",
      `how the server in ${stable} is started is not known: it was not seen to run`,
      {
        hint: "declare start: of the component, such as systemctl start mariadb, then resume",
      },
    );
  const owner = await ownerOf(stable, context.signal);
  const log = start.log ?? join(stable, "refloat-server.log");
  await startApart(context, owner, { folder: "/", log, words: [start.program, ...start.words] });
  return log;
};

/** It says who it is, or refuses us: either way it takes work. */
const isAnswering = async (access: SqlAccess): Promise<boolean> => (await folderOfAnswer(access)) !== null;

/** How long one that was just started may take to be seen. */
const seenMs = 60_000;

/** Starts what is behind the stable name, and waits until it answers. Idempotent. @throws RefloatError target.failed */
export const serveStable = async (context: ServerContext, stable: string): Promise<void> => {
  const isStarted = !(await isServed(stable));
  let log: string | null = null;
  if (isStarted) {
    const { start } = context.options;
    if (start === undefined) {
      log = await startByRecord(context, stable);
      await waitUntil(context, seenMs, () => isServed(stable));
    } else await runDeclaredLine(context, { what: "start", line: start, isReached: () => isServed(stable) });
  }
  const access = await liveAccessOf(context, "target");
  let isGone = false;
  const isUp = await waitUntil(context, startMs, async () => {
    isGone = !(await isServed(stable));
    return isGone || isAnswering(access);
  });
  if (isUp && !isGone) {
    if (isStarted) await rememberLife(stable);
    return;
  }
  throw new RefloatError(
    "target.failed",
    isGone
      ? `the server in ${stable} has ended while it started`
      : `the server in ${stable} runs, and does not answer at ${describeAddress(access.target)}`,
    {
      hint: `what keeps it stands in ${log === null ? "its own log" : `${log}, or in its own log where it is configured to have one`}; mend that, then resume`,
    },
  );
};

/** After the switch. Where the log goes on could not be asked of a server that was down. */
export const describeLog = async (context: ServerContext, stable: string): Promise<readonly string[]> => {
  try {
    const log = await logOutside(await readLiveServer(await liveAccessOf(context, "source")), stable);
    return log === null
      ? []
      : [
          `its binary log goes on at ${log}, outside of the data folder, in the files of the old side: no moment since then can be recovered from an older point. Take a point now`,
        ];
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError) return [];
    throw error;
  }
};
