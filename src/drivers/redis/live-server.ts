/** The live server: whether it may be stopped and switched at all, how it is stopped, and how the one behind the stable name is started. */
import { realpath } from "node:fs/promises";
import { z } from "zod";
import { nullWhenDown } from "../../core/components/null-when-down.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { runDeclaredLine } from "../../platform/folder-server/declared-line.ts";
import { ownerOf, runAsOwner } from "../../platform/folder-server/folder-owner.ts";
import { startRecordOf } from "../../platform/folder-server/start-record.ts";
import { waitUntil } from "../../platform/wait-until.ts";
import { layOutAppendOnly } from "./append-only-files.ts";
import { type RedisTarget, describeAddress, resolveTarget } from "./connection-target.ts";
import { isLoaded, quietInstance } from "./instance-server.ts";
import { type RedisContext, dataPathOf } from "./redis-options.ts";
import { findRedisProcess, killServer, shutDown, terminateServer } from "./redis-process.ts";
import { type RedisSession, replyOf, withRedis } from "./redis-session.ts";
import {
  type Settings,
  type Start,
  readFolderSetting,
  readInfo,
  readSentinels,
  readSettings,
  settingsSchema,
  startOf,
  startSchema,
} from "./server-facts.ts";
import { programOf } from "./server-programs.ts";
import { type Standing, readStanding } from "./standing-users.ts";

/** How the server of the stable place is started, and what it looks for in its folder. */
export const redisStart = startRecordOf(
  z.object({
    start: startSchema.nullable(),
    settings: settingsSchema,
    version: z.string(),
    /** The last one was not shut down by Refloat: what it took may be in none of its files. */
    died: z.boolean().default(false),
    /** Lives of two processes: of the instance whose data came behind the stable name, and of the server that loaded them there, once it has. */
    continues: z.object({ from: z.string(), runId: z.string().nullable() }).nullable().default(null),
  }),
);

const refused = (message: string, hint: string): RefloatError => new RefloatError("cutover.refused", message, { hint });

const isRunning = async (stable: string): Promise<boolean> => (await findRedisProcess(stable)) !== null;

const askLive = async <Result>(
  context: RedisContext,
  act: (session: RedisSession) => Promise<Result>,
): Promise<Result> => withRedis({ target: await resolveTarget(context), signal: context.signal }, act);

/**
 * One server alone can be switched; replicas of it load the recovered data anew by themselves.
 * @throws RefloatError cutover.refused with the reason and what to do
 */
export const refuseCompany = async (context: RedisContext, stable: string): Promise<void> => {
  if (!(await isRunning(stable))) return;
  await askLive(context, async (session) => {
    const info = await readInfo(session, "server", "replication");
    const mode = info.get("redis_mode");
    if (mode !== "standalone")
      throw refused(`the server in ${stable} runs as ${mode}`, "a node of a cluster is not switched by itself");
    if (info.get("role") !== "master")
      throw refused(`the server in ${stable} is a replica`, "recover its primary; it loads all of that anew by itself");
    const sentinels = await readSentinels(session);
    if (sentinels === null)
      throw refused(
        `whether a Sentinel watches the server in ${stable} cannot be told`,
        "ACL SETUSER ... +client|list, or stop the server by hand if you know that none does: one that is stopped is not asked",
      );
    if (sentinels.length > 0)
      throw refused(
        `Sentinels watch the server in ${stable} (${sentinels.join(", ")}), and would put a replica in its place while it is stopped`,
        "restore it beside (refloat recover --no-cutover); or SENTINEL REMOVE its name on each of them, recover, and SENTINEL MONITOR it again",
      );
    if (context.options.start === undefined && startOf(info) === null)
      throw refused(
        `the server in ${stable} was started without a configuration file, so it cannot be started the same way`,
        "declare start: and stop: of the component",
      );
  });
};

/** Remembered before it is stopped: afterwards nobody can be asked. */
const rememberStart = (context: RedisContext, stable: string): Promise<void> =>
  askLive(context, async (session) => {
    const info = await readInfo(session, "server");
    const settings = await readSettings(session);
    const version = info.get("redis_version") ?? "";
    await redisStart.remember(
      stable,
      { start: startOf(info), settings, version, continues: null, died: false },
      { replace: true },
    );
  });

/** By SIGTERM a server saves only where it has a time to save at, or an append-only file: else its last data would go with it. */
const saveIfVolatile = (context: RedisContext): Promise<void> =>
  askLive(context, async (session) => {
    const { save, appendonly } = await readSettings(session);
    if (save === "" && appendonly !== "yes") await session.ask("SAVE");
  });

/** Stops what runs behind the stable name, and proves it. @throws RefloatError fence.failed */
export const stopLive = async (context: RedisContext, stable: string): Promise<void> => {
  if (!(await isRunning(stable))) {
    const remembered = await redisStart.recall(stable);
    if (remembered !== null) await redisStart.remember(stable, { ...remembered, died: true }, { replace: true });
    return;
  }
  await rememberStart(context, stable);
  const { stop } = context.options;
  if (stop === undefined) await shutDown(context, stable, await resolveTarget(context));
  else {
    await saveIfVolatile(context);
    await runDeclaredLine(context, { what: "stop", line: stop, isReached: async () => !(await isRunning(stable)) });
  }
};

/** Ends the server of an instance, and remembers which it was: what is loaded behind the stable name goes on from there. @throws RefloatError fence.failed */
export const quietIncoming = async (context: RedisContext, folder: string): Promise<void> => {
  const from = await quietInstance(context, folder);
  const stable = await dataPathOf(context);
  const remembered = await redisStart.recall(stable);
  if (from === null || remembered === null) return;
  await redisStart.remember(stable, { ...remembered, continues: { from, runId: null } }, { replace: true });
};

/** Of the first server behind the name alone: one that is started later may load what was written to it. */
const rememberLife = async (context: RedisContext, stable: string): Promise<void> => {
  const remembered = await redisStart.recall(stable);
  if (remembered === null || remembered.continues === null || remembered.continues.runId !== null) return;
  const runId = (await askLive(context, (session) => readInfo(session, "server"))).get("run_id") ?? null;
  const { from } = remembered.continues;
  await redisStart.remember(stable, { ...remembered, continues: { from, runId } }, { replace: true });
};

/** A server in a container or on another machine is in no process table here. @throws RefloatError fence.failed */
export const refuseAnswering = async (context: RedisContext): Promise<void> => {
  const target = await resolveTarget(context);
  try {
    await askLive(context, (session) => session.ask("PING"));
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError && error.code === "source.unreachable") return;
    if (replyOf(error) === null) throw error;
  }
  throw new RefloatError(
    "fence.failed",
    `a server still answers at ${describeAddress(target)}, which is not seen from here (in a container, or on another machine)`,
    { hint: "stop it there, or declare stop: and start: that do, then resume" },
  );
};

const startByFile = async (context: RedisContext, stable: string): Promise<void> => {
  const remembered = await redisStart.recall(stable);
  const start = remembered?.start ?? null;
  if (start === null)
    throw new RefloatError("target.failed", `how the server in ${stable} is started is not known`, {
      hint: "declare start: of the component, then resume",
    });
  const owner = await ownerOf(stable, context.signal);
  const program = await programOf(context, start);
  await runAsOwner(context, owner, [program, start.configFile, "--daemonize", "yes", "--supervised", "no"]);
};

/** The configuration that it came up with may name another folder than the declared one. @throws RefloatError target.failed */
const requireFolder = (context: RedisContext, stable: string): Promise<void> =>
  askLive(context, async (session) => {
    const found = await readFolderSetting(session);
    if ((await realpath(found).catch(() => found)) === (await realpath(stable))) return;
    throw new RefloatError("target.failed", `the server that was started works in ${found}, not in ${stable}`, {
      hint: "does the configuration that start: uses name the same folder (dir) as data:?",
    });
  });

/** Files as the server at the stable place looks for them, whether or not anybody could be asked. */
const layOut = async (context: RedisContext, stable: string): Promise<void> => {
  const remembered = await redisStart.recall(stable);
  if (remembered === null || remembered.settings.appendonly !== "yes") return;
  const owner = await ownerOf(stable, context.signal);
  await layOutAppendOnly(stable, remembered.settings, remembered.version, { owner, signal: context.signal });
};

/** Ends what was started behind the stable name and is not what it should be, as it is ended else: whoever keeps it running is not to start it again. */
const endStarted = async (context: RedisContext, stable: string, end: typeof killServer): Promise<void> => {
  const { stop } = context.options;
  if (stop !== undefined)
    await runDeclaredLine(context, { what: "stop", line: stop, isReached: async () => !(await isRunning(stable)) });
  await end(context, stable);
};

/**
 * Its configuration file may say otherwise than the server was set to while it ran: one that keeps an append-only file has then loaded nothing of
 * what was laid out for one that keeps none. @throws RefloatError target.failed, with nothing running
 */
const requireLoaded = async (context: RedisContext, stable: string): Promise<void> => {
  const remembered = await redisStart.recall(stable);
  if (remembered === null || remembered.settings.appendonly === "yes") return;
  const info = await askLive(context, (session) => readInfo(session, "persistence"));
  if (info.get("aof_enabled") !== "1") return;
  // Told to end, it would save over the file that it has not loaded.
  await endStarted(context, stable, killServer);
  throw new RefloatError(
    "target.failed",
    `the server in ${stable} came up with appendonly yes, which was off while the one before ran, and has not loaded ${remembered.settings.dbfilename}; it was stopped`,
    {
      hint: "set appendonly no in its configuration file, then resume; afterwards CONFIG SET appendonly yes makes the file",
    },
  );
};

const startMs = 3_600_000;
/** What a declared start line sets up after the server, such as its users, may take. */
const lettingInMs = 10_000;

const turnedAway = async (
  context: RedisContext,
  { stable, target, error }: { readonly stable: string; readonly target: RedisTarget; readonly error: RefloatError },
): Promise<RefloatError> => {
  const configFile = (await redisStart.recall(stable))?.start?.configFile ?? "its configuration";
  const name = target.user ?? "default";
  return new RefloatError(
    "source.denied",
    `the server in ${stable} was started and is up, and refuses ${name} (${replyOf(error)}), so what it has loaded cannot be asked; it was stopped`,
    {
      cause: error,
      hint: `a user or a right that ACL SETUSER has given and no file has is gone once the server was started anew. As an administrator, on the server that serves now: ACL SETUSER ${name} as it was, then ACL SAVE (where an aclfile is set) or give ${configFile} its line "user ${name} ..."; then recover again`,
      nextCommand: `refloat validate --live ${context.service}`,
    },
  );
};

type Waited = { readonly is: "loaded" | "ended" | "silent" } | { readonly is: "shut"; readonly error: RefloatError };

const waitForServer = async (context: RedisContext, stable: string, target: RedisTarget): Promise<Waited> => {
  const began = context.clock.monotonicMs();
  let end: Waited = { is: "silent" };
  await waitUntil(context, startMs, async () => {
    try {
      if (await isLoaded(context, target)) end = { is: "loaded" };
      else if (!(await isRunning(stable))) end = { is: "ended" };
    } catch (error) {
      // One that says so is up, be it that it does not know the user or that the user lacks a right there.
      if (!(error instanceof RefloatError) || error.code !== "source.denied") throw error;
      // Another server may answer at the same address, which says nothing of this one.
      if (!(await isRunning(stable))) end = { is: "ended" };
      else if (context.options.start === undefined || context.clock.monotonicMs() - began > lettingInMs)
        end = { is: "shut", error };
    }
    return end.is !== "silent";
  });
  return end;
};

/**
 * Starts what is behind the stable name, and waits until it has loaded its data. Idempotent.
 * @param asked `up`: that it runs is enough, where nobody may ask it more. A side that is put back is not stopped because it does not let us in any more.
 * @throws RefloatError target.failed; source.denied, with nothing running
 */
export const serveStable = async (context: RedisContext, stable: string, asked: "up" | "proven"): Promise<void> => {
  const isStarted = !(await isRunning(stable));
  if (isStarted) {
    await layOut(context, stable);
    const { start } = context.options;
    if (start === undefined) await startByFile(context, stable);
    else await runDeclaredLine(context, { what: "start", line: start, isReached: () => isRunning(stable) });
  }
  const target = await resolveTarget(context);
  const waited = await waitForServer(context, stable, target);
  switch (waited.is) {
    case "loaded":
      break;
    case "shut": {
      if (asked === "up") {
        context.log.warn("the server runs, and refuses us", { component: context.component, folder: stable });
        return;
      }
      const error = await turnedAway(context, { stable, target, error: waited.error });
      // One that runs since an attempt that was killed could not be stopped by who takes the switch back: nobody can ask it. It may have taken writes since.
      await endStarted(context, stable, isStarted ? killServer : terminateServer);
      throw error;
    }
    case "ended":
    case "silent":
      throw new RefloatError(
        "target.failed",
        waited.is === "ended"
          ? `the server in ${stable} has ended while it started`
          : `the server in ${stable} runs, and does not answer at ${describeAddress(target)}`,
        { hint: "what it says stands in its own log" },
      );
    default:
      waited satisfies never;
  }
  await requireFolder(context, stable);
  if (!isStarted) return;
  await requireLoaded(context, stable);
  await rememberLife(context, stable);
};

/** Of the live server, once it is started anew; null where it is down, or cannot be asked. */
const standingOf = async (context: RedisContext): Promise<Standing | null> => {
  if (!(await isRunning(await dataPathOf(context)))) return null;
  const target = await resolveTarget(context);
  return nullWhenDown(context.signal, () => askLive(context, (session) => readStanding(context, session, target)));
};

const inWords = (standing: Standing): string =>
  standing.kind === "gone" ? `${standing.found} (${standing.advice})` : "";

/** Started by its configuration file alone, a server that lacks our user there cannot be asked whether it has loaded its data: no switch would end well. */
export const refusalOfUsers = async (context: RedisContext): Promise<string | null> => {
  if (context.options.start !== undefined) return null;
  const standing = await standingOf(context);
  return standing?.kind === "gone" && standing.own ? `${context.component}: ${inWords(standing)}` : null;
};

/** A declared start line may do more than the files tell; and others than our user are not asked for by a switch. */
export const forewarnOfUsers = async (context: RedisContext): Promise<readonly string[]> => {
  const standing = await standingOf(context);
  const isRefused = context.options.start === undefined && standing?.kind === "gone" && standing.own;
  return standing?.kind === "gone" && !isRefused ? [inWords(standing)] : [];
};

/** Followers of a server that was recovered take over its state. */
export const describeSettled = async (context: RedisContext): Promise<readonly string[]> => {
  try {
    return await askLive(context, async (session) => {
      const replicas = Number((await readInfo(session, "replication")).get("connected_slaves") ?? 0);
      return replicas === 0 ? [] : [`${replicas} replicas follow it, and have loaded or are loading its data anew`];
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError) return [];
    throw error;
  }
};

/** What the point knows of how the server was started, for a machine where none runs. */
export const rememberCaptured = async (
  stable: string,
  captured: { readonly start: Start | null; readonly settings: Settings; readonly version: string },
): Promise<void> => {
  if (await isRunning(stable)) return;
  await redisStart.remember(stable, { ...captured, continues: null, died: false }, { replace: false });
};
