/**
 * Names of what is being made beside the place that it is for: `.NAME.refloat-partial-WRITER-DRAWN`. They say which process makes it, so that what a killed one
 * has left is told from what a living one needs.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { lstat, readdir, rm, rmdir, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { readMachineIdentity } from "./machine-identity.ts";
import { isAlive, readProcess } from "./process-table.ts";
import { runProgram } from "./subprocess.ts";

const pattern =
  /^\..*\.refloat-partial-(?<host>[0-9a-f]{8})-(?<machine>[0-9a-f]{16})-(?<pid>\d+)-(?<ticks>\d+)-[0-9a-f]{8}$/s;

/** Stays the same when the machine is started anew. */
const hostDigest = (): string => {
  let id = "";
  try {
    id = readFileSync("/etc/machine-id", "utf8");
  } catch {
    // Then the name is all there is.
  }
  return createHash("sha256").update(`${hostname()}\n${id}`).digest("hex").slice(0, 8);
};

/** At most 255 bytes, however long the name is that it stands for. */
export const partialName = (target: string): string => {
  const kept = Buffer.from(basename(target))
    .subarray(0, 160)
    .toString("latin1")
    .replaceAll(/[^\w.-]/g, "_");
  const machine = readMachineIdentity() ?? "0".repeat(16);
  const ticks = readProcess(process.pid)?.startTicks ?? 0;
  const writer = `${hostDigest()}-${machine}-${process.pid}-${ticks}`;
  return join(dirname(target), `.${kept}.refloat-partial-${writer}-${randomBytes(4).toString("hex")}`);
};

/** Was it made on this machine, by a process that is gone, or before its present start? */
const isLeft = (name: string): boolean => {
  const { host, machine, pid, ticks } = pattern.exec(name)?.groups ?? {};
  if (host !== hostDigest()) return false;
  return machine !== readMachineIdentity() || !isAlive({ pid: Number(pid), startTicks: Number(ticks) });
};

/** Where everybody may make something of such a name, as in /tmp. */
const isShared = async (folder: string): Promise<boolean> => ((await stat(folder)).mode & 0o002) !== 0;

/** Its owner may stop the program that removes it, or add to it without end. What is left then is for the next one. */
const removeMs = 60_000;

/**
 * Whoever owns a folder can put a link in the place of one within it while that is being removed, and have us remove what he may not: so it is
 * removed with no more rights than his.
 */
const removeAsOwner = async (path: string): Promise<void> => {
  const { uid, gid } = await lstat(path);
  const own = process.geteuid?.();
  if (uid === own) return rm(path, { recursive: true, force: true });
  if (own !== 0) return;
  await runProgram("rm", ["-rf", "--", path], {
    signal: new AbortController().signal,
    timeoutMs: removeMs,
    cwd: "/",
    // What we were started with is nothing for the eyes of others.
    environment: { PATH: "/usr/bin:/bin" },
    cleanEnvironment: true,
    uid,
    gid,
  }).catch(() => undefined);
  // Its name is there still where he may not write to what it lies in.
  await rmdir(path).catch(() => undefined);
};

/** Removes what killed processes of this machine have left in a folder. What cannot be removed stays, and harms nobody. */
export const sweepPartials = async (folder: string): Promise<void> => {
  const names = await readdir(folder).catch(() => []);
  const left = names.filter(isLeft);
  if (left.length === 0) return;
  const remove = (await isShared(folder).catch(() => true))
    ? removeAsOwner
    : (path: string) => rm(path, { recursive: true, force: true });
  for (const name of left) await remove(join(folder, name)).catch(() => undefined);
};
