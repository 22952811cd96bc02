/**
 * Mounts a vault by stock restic, which reads it as its own: one folder with a link for each component into a mount beside them. Responsible
 * for the program's life and for leaving nothing; the file system itself is restic's.
 */
import { randomBytes } from "node:crypto";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import { access, mkdir, readFile, readdir, rm, rmdir, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { MountPoint, MountRequest } from "../core/ports/mounts.ts";
import { RefloatError } from "../model/refloat-error.ts";
import { runProgram } from "./subprocess.ts";

export type ResticLocation = {
  /** As restic writes it. */
  readonly url: string;
  readonly password: string;
  /** Credentials of the store and more, as restic looks for them. */
  readonly environment: Readonly<Record<string, string>>;
  /** Further words of the command line. */
  readonly options: readonly string[];
};

const mountName = ".snapshots";
const patienceMs = 10_000;
/** A large vault's index is read first. */
const startMs = 120_000;

const findProgram = async (names: readonly string[]): Promise<string | null> => {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    for (const name of names) {
      const path = join(folder, name);
      const found = await access(path, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (folder !== "" && found) return path;
    }
  }
  return null;
};

const missing = (message: string, hint: string): RefloatError =>
  new RefloatError("program.missing", message, {
    state: "nothing was mounted",
    hint: `${hint}; without it: refloat browse and refloat extract`,
  });

/** @throws RefloatError program.missing */
const requirePrograms = async (): Promise<{ readonly restic: string; readonly fusermount: string }> => {
  await access("/dev/fuse", constants.R_OK | constants.W_OK).catch(() => {
    throw missing(
      "this machine has no FUSE that may be used: /dev/fuse cannot be opened",
      "load the kernel module fuse",
    );
  });
  const fusermount = await findProgram(["fusermount3", "fusermount"]);
  if (fusermount === null)
    throw missing("the program fusermount3 is not installed", "install the Debian package fuse3");
  const restic = await findProgram(["restic"]);
  if (restic === null)
    throw missing("the program restic, which mounts vaults, is not installed", "install restic 0.14 or newer");
  return { restic, fusermount };
};

/** @returns whether the folder was made here */
const prepareFolder = async (directory: string): Promise<boolean> => {
  try {
    await mkdir(directory, { mode: 0o700 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unusable(directory, error);
  }
  const names = await readdir(directory).catch((error: unknown) => {
    throw unusable(directory, error);
  });
  if (names.length === 0) return false;
  throw new RefloatError("target.exists", `${directory} is not empty`, {
    context: { path: directory },
    state: "nothing was mounted",
    hint: "name an empty folder, or one that is not there yet",
  });
};

const unusable = (directory: string, cause: unknown): RefloatError =>
  new RefloatError(
    "target.failed",
    `${directory} cannot be used: ${(cause as NodeJS.ErrnoException).code ?? "unknown"}`,
    {
      cause,
      state: "nothing was mounted",
    },
  );

/** mountinfo writes blanks and the like as octal escapes. */
const isMounted = async (path: string): Promise<boolean> => {
  const written = path.replaceAll(
    /[\\ \t\n]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  const text = await readFile("/proc/self/mountinfo", "utf8");
  return text.split("\n").some((line) => line.split(" ")[4] === written);
};

/** The password in a file that has no name any more: readable by whoever holds the descriptor, and gone with it. */
const passwordDescriptor = (workDirectory: string, password: string): number => {
  const path = join(workDirectory, `.${randomBytes(8).toString("hex")}`);
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  rmSync(path);
  writeSync(fd, password);
  return fd;
};

const startRestic = async (
  restic: string,
  location: ResticLocation,
  { workDirectory, service }: MountRequest,
  at: string,
) => {
  const fd = passwordDescriptor(workDirectory, location.password);
  const line = [
    restic,
    "mount",
    "--quiet",
    ...location.options,
    "--cache-dir",
    join(workDirectory, "cache"),
    "--password-file",
    "/proc/self/fd/3",
    "--tag",
    `service=${service}`,
    "--path-template",
    "%I",
    at,
  ];
  // Should we be killed, restic is told to end, and unmounts.
  const setpriv = await findProgram(["setpriv"]);
  const [program = restic, ...args] = setpriv === null ? line : [setpriv, "--pdeathsig", "INT", "--", ...line];
  const { RESTIC_PASSWORD: _, RESTIC_PASSWORD_COMMAND: __, ...environment } = process.env;
  try {
    return spawn(program, args, {
      env: { ...environment, ...location.environment, RESTIC_REPOSITORY: location.url },
      stdio: ["ignore", "ignore", "pipe", fd],
    });
  } finally {
    closeSync(fd);
  }
};

const lastWords = (child: ChildProcess): (() => string) => {
  let said = "";
  child.stderr?.on("data", (part: Buffer) => {
    said = (said + part.toString()).slice(-2000);
  });
  return () => said.trim().split("\n").slice(-3).join("; ");
};

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

const waitUntilMounted = async (
  child: ChildProcess,
  at: string,
  signal: AbortSignal,
  said: () => string,
): Promise<void> => {
  const deadline = performance.now() + startMs;
  while (!(await isMounted(at))) {
    signal.throwIfAborted();
    if (hasEnded(child) || performance.now() > deadline) {
      throw new RefloatError("program.failed", `restic did not mount the vault: ${said() || "it said nothing"}`, {
        state: "nothing is mounted",
      });
    }
    await delay(50);
  }
};

/** Ends it in order, then by force, and takes a mount away whose server is gone. */
const end = async (child: ChildProcess, fusermount: string, at: string): Promise<void> => {
  if (!hasEnded(child)) {
    const exited = once(child, "exit");
    child.kill("SIGINT");
    await Promise.race([exited, delay(patienceMs, undefined, { ref: false })]);
  }
  if (await isMounted(at)) {
    // Lazily: a shell that stands in it must not keep it.
    await runProgram(fusermount, ["-u", "-z", at], { signal: new AbortController().signal }).catch(() => undefined);
  }
  if (!hasEnded(child)) {
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }
};

const untilOver = async (child: ChildProcess, signal: AbortSignal): Promise<void> => {
  if (hasEnded(child) || signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  const stop = (): void => aborted.resolve();
  signal.addEventListener("abort", stop, { once: true });
  await Promise.race([once(child, "exit"), aborted.promise]);
  signal.removeEventListener("abort", stop);
};

export const createResticMount =
  (location: () => Promise<ResticLocation>): MountPoint =>
  async (request) => {
    const { directory, parts, signal } = request;
    const { restic, fusermount } = await requirePrograms();
    const found = await location();
    const made = await prepareFolder(directory);
    const at = join(directory, mountName);
    let child: ChildProcess | undefined;
    try {
      await mkdir(at, { mode: 0o700 });
      child = await startRestic(restic, found, request, at);
      const said = lastWords(child);
      const failed = once(child, "error").then(([error]) => {
        throw new RefloatError("program.failed", "restic could not be started", { cause: error });
      });
      failed.catch(() => undefined);
      await Promise.race([waitUntilMounted(child, at, signal, said), failed]);
      for (const { name, snapshot, path } of parts) {
        await symlink(join(mountName, snapshot, path), join(directory, name));
      }
      request.ready();
      await untilOver(child, signal);
      if (!signal.aborted && child.exitCode !== 0) {
        throw new RefloatError("program.failed", `restic ended: ${said() || `exit status ${child.exitCode}`}`, {
          state: "nothing is mounted any more",
        });
      }
    } finally {
      if (child !== undefined) await end(child, fusermount, at);
      for (const { name } of parts) await rm(join(directory, name), { force: true });
      // Only what is empty goes: nobody's file is lost, and a mount that could not be taken away stays as it is.
      await rmdir(at).catch(() => undefined);
      if (made) await rmdir(directory).catch(() => undefined);
    }
  };
