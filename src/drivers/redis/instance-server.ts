/**
 * The server of a restored folder until it is switched: a port of its own on loopback, a configuration that is handed to it and never
 * written, so that no password stands in the folder. It follows nobody, takes no jobs, and saves only when it ends.
 */
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RefloatError } from "../../model/refloat-error.ts";
import { ownerOf, runAsOwner } from "../../platform/folder-server/folder-owner.ts";
import { lastLines } from "../../platform/shell-line.ts";
import { pathExists } from "../../platform/tree-files.ts";
import { type RedisTarget, resolveTarget } from "./connection-target.ts";
import type { RedisContext } from "./redis-options.ts";
import { findRedisProcess, shutDown } from "./redis-process.ts";
import { withRedis } from "./redis-session.ts";
import { readInfo } from "./server-facts.ts";
import { findRedisProgram } from "./server-programs.ts";

const names = { record: "refloat-instance.json", log: "refloat-instance.log", pid: "refloat-instance.pid" } as const;

const recordSchema = z.object({
  port: z.int(),
  /** As many as the captured server had. */
  databases: z.string(),
  dbfilename: z.string(),
});
export type InstanceRecord = z.infer<typeof recordSchema>;

export const writeInstanceRecord = async (folder: string, record: InstanceRecord): Promise<void> => {
  await writeFile(join(folder, names.record), JSON.stringify(record), { mode: 0o600 });
};

/** Null for a folder that is no instance, or is none any more. */
export const readInstanceRecord = async (folder: string): Promise<InstanceRecord | null> => {
  const path = join(folder, names.record);
  return (await pathExists(path)) ? recordSchema.parse(JSON.parse(await readFile(path, "utf8"))) : null;
};

const removeInstanceFiles = async (folder: string): Promise<void> => {
  for (const name of Object.values(names)) await rm(join(folder, name), { force: true });
};

const readLog = (folder: string): Promise<string> => readFile(join(folder, names.log), "utf8").catch(() => "");

/** In double quotes, as redis.conf reads them. */
const quoted = (text: string): string => `"${text.replaceAll(/[\\"]/g, "\\$&")}"`;

/** Whoever may come to the live server as the user of the url comes here, with the same password; nobody else. Only its hash is handed over. */
const accessLines = ({ user, password }: RedisTarget): readonly string[] => {
  const secret = password === null ? "nopass" : `#${createHash("sha256").update(password.reveal()).digest("hex")}`;
  const name = user ?? "default";
  return [
    ...(name === "default" ? [] : ["user default off"]),
    // Of a name that the file format cannot hold the server says so.
    `user ${name} on ${secret} ~* &* +@all`,
  ];
};

export const instanceConfiguration = (folder: string, record: InstanceRecord, target: RedisTarget): string =>
  [
    "bind 127.0.0.1",
    `port ${record.port}`,
    "protected-mode yes",
    "daemonize yes",
    "supervised no",
    `dir ${quoted(folder)}`,
    // Relative to the folder, which gets another name when it is whole.
    `logfile ${names.log}`,
    `pidfile ${names.pid}`,
    `dbfilename ${quoted(record.dbfilename)}`,
    `databases ${record.databases}`,
    "appendonly no",
    'save ""',
    "stop-writes-on-bgsave-error no",
    "maxmemory 0",
    "maxmemory-policy noeviction",
    ...accessLines(target),
    "",
  ].join("\n");

/** How Refloat, and dependents, reach it. */
export const instanceTarget = async (context: RedisContext, folder: string): Promise<RedisTarget> => {
  const record = await readInstanceRecord(folder);
  if (record === null)
    throw new RefloatError("source.failed", `${folder} is no restored server that stands beside the live one`);
  const target = await resolveTarget(context);
  return { ...target, host: "127.0.0.1", port: record.port, tls: false, certificateAuthority: null };
};

/** Does the server take work: has it loaded all of its data? */
export const isLoaded = async (context: RedisContext, target: RedisTarget): Promise<boolean> => {
  try {
    return await withRedis({ target, signal: context.signal }, async (session) => {
      const info = await readInfo(session, "persistence");
      return info.get("loading") === "0";
    });
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof RefloatError && error.code === "source.unreachable") return false;
    throw error;
  }
};

const lookAgainMs = 20;
const linesShown = 6;

const hasEnded = async (folder: string): Promise<RefloatError> =>
  new RefloatError(
    "target.failed",
    `the server in ${folder} does not start: ${lastLines(await readLog(folder), linesShown)}`,
    { hint: `what it says stands in ${join(folder, names.log)}` },
  );

/** Starts it, or finds it running, and waits until it has loaded its data. @throws RefloatError target.failed, program.missing */
export const startInstance = async (context: RedisContext, folder: string): Promise<void> => {
  const record = await readInstanceRecord(folder);
  if (record === null)
    throw new RefloatError(
      "target.failed",
      `${folder} is no restored server that could be started beside the live one`,
    );
  const target = await instanceTarget(context, folder);
  if ((await findRedisProcess(folder)) === null) {
    const program = await findRedisProgram(context, "redis-server");
    const configuration = instanceConfiguration(folder, record, target);
    try {
      await runAsOwner(context, await ownerOf(folder, context.signal), [program, "-"], configuration);
    } catch (error) {
      context.signal.throwIfAborted();
      throw new RefloatError("target.failed", `the server in ${folder} does not start: ${String(error)}`, {
        cause: error,
      });
    }
  }
  for (;;) {
    if (await isLoaded(context, target)) return;
    if ((await findRedisProcess(folder)) === null) throw await hasEnded(folder);
    await context.clock.sleep(lookAgainMs, context.signal);
  }
};

/**
 * Ends the server of an instance, which saves first; at the stable place its own configuration counts again.
 * @returns the id of its life; null when none ran @throws RefloatError fence.failed
 */
export const quietInstance = async (context: RedisContext, folder: string): Promise<string | null> => {
  let runId: string | null = null;
  if ((await readInstanceRecord(folder)) !== null && (await findRedisProcess(folder)) !== null) {
    const target = await instanceTarget(context, folder);
    const info = await withRedis({ target, signal: context.signal }, (session) => readInfo(session, "server"));
    runId = info.get("run_id") ?? null;
    await shutDown(context, folder, target);
  }
  await removeInstanceFiles(folder);
  return runId;
};
