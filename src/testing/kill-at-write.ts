/**
 * Kills its own process by SIGKILL at the n-th change that it makes to files, here, on an SSH server or in a bucket, in whichever of its threads:
 * `KILL_AT=7`. The main program and the module that its threads run import this before anything else. A write to an open file is torn, anything
 * else is not begun. Reads count for nothing.
 */
import fs from "node:fs";
import http from "node:http";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";

const shared = "writes that were met";
if (isMainThread) setEnvironmentData(shared, new SharedArrayBuffer(4));
const met = new Int32Array(getEnvironmentData(shared) as SharedArrayBuffer);
const killAt = Number(process.env["KILL_AT"] ?? "0");

/** How many there were until now, in all threads. */
export const metWrites = (): number => Atomics.load(met, 0);

const meet = (): boolean => Atomics.add(met, 0, 1) + 1 === killAt;

const die = (): void => void process.kill(process.pid, "SIGKILL");

type Act = (this: unknown, ...values: never[]) => unknown;
type Acts = Record<string, Act>;

const wrap = (
  place: Acts,
  name: string,
  isWrite: (this: unknown, ...values: readonly unknown[]) => boolean = () => true,
): void => {
  const act = place[name];
  if (act === undefined) throw new Error(`there is no ${name} to be killed at`);
  place[name] = function wrapped(this: unknown, ...values: never[]): unknown {
    if (isWrite.apply(this, values) && meet()) die();
    return act.apply(this, values);
  };
};

const files = fs as unknown as Acts;
const { writeSync } = fs;
files["writeSync"] = (fd: number, bytes: Uint8Array, at = 0): number => {
  if (!meet()) return writeSync(fd, bytes, at);
  writeSync(fd, bytes, at, Math.floor((bytes.length - at) / 2));
  die();
  return 0;
};
for (const name of ["renameSync", "rmSync", "unlinkSync", "mkdirSync", "futimesSync", "fdatasync", "fsync"])
  wrap(files, name);
wrap(files, "openSync", (_path, flags) => typeof flags === "number" && (flags & fs.constants.O_CREAT) !== 0);
for (const name of ["rename", "rm", "unlink", "mkdir", "writeFile"]) wrap(fs.promises as unknown as Acts, name);
syncBuiltinESMExports();

/** A request breaks off before its body, or before its end. */
for (const name of ["write", "end"])
  wrap(http.ClientRequest.prototype as unknown as Acts, name, function changes() {
    return !["GET", "HEAD"].includes((this as http.ClientRequest).method);
  });

const { SFTP, OPEN_MODE } = createRequire(import.meta.url)("ssh2/lib/protocol/SFTP.js") as {
  readonly SFTP: { readonly prototype: Acts };
  readonly OPEN_MODE: { readonly WRITE: number };
};
for (const name of ["write", "mkdir", "unlink", "rename", "ext_openssh_rename", "ext_openssh_fsync"])
  wrap(SFTP.prototype, name);
wrap(SFTP.prototype, "open", (_path, flags) => typeof flags === "number" && (flags & OPEN_MODE.WRITE) !== 0);
