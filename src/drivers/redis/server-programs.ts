/** The programs of Redis: where they are, of which version, and that they can read what was captured. */
import { constants } from "node:fs";
import { access, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { type RedisContext, programsOf } from "./redis-options.ts";
import type { Start } from "./server-facts.ts";

export type RedisProgram = "redis-server" | "redis-check-rdb";

const packages = {
  "redis-server": "redis-server",
  "redis-check-rdb": "redis-tools",
} as const satisfies Record<RedisProgram, string>;

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** @returns its path; null when it is in none of the folders */
const lookFor = async (context: RedisContext, program: RedisProgram): Promise<string | null> => {
  const declared = await programsOf(context);
  const folders = declared === null ? (baseEnvironment()["PATH"] ?? "").split(delimiter) : [declared];
  for (const folder of folders) {
    const path = join(folder, program);
    if (folder !== "" && (await isExecutable(path))) return path;
  }
  return null;
};

/** @throws RefloatError program.missing naming the Debian package */
export const findRedisProgram = async (context: RedisContext, program: RedisProgram): Promise<string> => {
  const path = await lookFor(context, program);
  if (path !== null) return path;
  const declared = await programsOf(context);
  throw new RefloatError(
    "program.missing",
    declared === null
      ? `the program ${program} is not installed or not on the path`
      : `${join(declared, program)} is not there`,
    { hint: "programs: names a folder elsewhere", nextCommand: `apt-get install ${packages[program]}` },
  );
};

/** What starts a server again: its own program, or, where what it tells is none that is there, that of this machine. @throws RefloatError program.missing */
export const programOf = async (context: RedisContext, { program }: Start): Promise<string> =>
  program !== "" && (await isExecutable(program)) ? program : findRedisProgram(context, "redis-server");

/** `Redis server v=7.0.15 sha=...`: `7.0.15`. */
export const serverProgramVersion = async (context: RedisContext, path: string): Promise<string> =>
  /v=(\S+)/.exec((await runProgram(path, ["--version"], { signal: context.signal })).stdout)?.[1] ?? "unknown";

/** An RDB file with nothing in it: header, end, no checksum. */
const emptyRdb = (format: number): Buffer =>
  Buffer.concat([
    Buffer.from(`REDIS${String(format).padStart(4, "0")}`, "latin1"),
    Buffer.from([255]),
    Buffer.alloc(8),
  ]);

/**
 * Asks the installed version itself, by a file of the captured format with nothing in it, before gigabytes are restored that it could not load.
 * Without redis-check-rdb the server says it when it loads.
 * @throws RefloatError program.version, program.missing
 */
export const requireReadable = async (
  context: RedisContext,
  captured: { readonly format: number; readonly version: string },
): Promise<string> => {
  const server = await findRedisProgram(context, "redis-server");
  const check = await lookFor(context, "redis-check-rdb");
  if (check === null) return server;
  const probe = join(context.workDirectory, "format.rdb");
  await writeFile(probe, emptyRdb(captured.format));
  try {
    await runProgram(check, [probe], { signal: context.signal });
    return server;
  } catch (error) {
    context.signal.throwIfAborted();
    if (!(error instanceof RefloatError) || error.code !== "program.failed") throw error;
    throw new RefloatError(
      "program.version",
      `Redis ${await serverProgramVersion(context, server)} of this machine cannot load what Redis ${captured.version} has written (RDB format ${captured.format})`,
      { cause: error, hint: `install Redis ${captured.version} or newer, or name its folder by programs:` },
    );
  } finally {
    await rm(probe, { force: true });
  }
};
