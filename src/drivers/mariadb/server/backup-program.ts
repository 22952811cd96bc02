/**
 * One run of `mariadb-backup --backup --stream=mbstream`: its stream, and how it ended. It reads the files of the data folder itself, so it runs as their owner;
 * nothing is spooled, and while the vault takes nothing, it reads nothing but the server's log.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Clock } from "../../../core/ports/environment.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { type Owner, asOwner } from "../../../platform/folder-server/folder-owner.ts";
import { describeAddress } from "../connection-target.ts";
import { openOptionFile } from "../option-file.ts";
import type { SqlAccess } from "../sql-client.ts";
import type { ServerContext } from "./server-options.ts";

export type BackupRun = {
  readonly bytes: AsyncIterator<Uint8Array>;
  /** Resolves when it has said that all is there, and has ended well. @throws RefloatError source.* with its last words */
  readonly ended: () => Promise<void>;
  /** When nothing could be committed at the server: all of the point is as it was then. */
  readonly heldAt: () => { readonly beginAt: Date; readonly endAt: Date } | null;
  /** It ends at once; the server lets go of its locks. Safe after its end. */
  readonly close: () => Promise<void>;
};

/** The option file is what it is told by which server, as whom, by which password. */
export const backupArguments = (optionFile: string, folder: string): readonly string[] => [
  `--defaults-file=${optionFile}`,
  "--backup",
  "--stream=mbstream",
  `--target-dir=${folder}`,
];

/** Position of the first descriptor behind those that every program has. */
const optionsDescriptor = 3;
export const ownOptionFile = `/proc/self/fd/${optionsDescriptor}`;

const linesKept = 40;
const linesShown = 3;

/** `[00] 2026-11-27 10:40:38 Acquired locks for BACKUP STAGE BLOCK_COMMIT`, by the clock of this machine in the zone that it was given. */
const stampedLine = /^\[\d+\] (?<day>\d{4}-\d\d-\d\d) (?<time>\d\d:\d\d:\d\d) (?<text>.*)$/;

const plainText = (line: string): string => stampedLine.exec(line)?.groups?.["text"] ?? line;

/** What is only told on the way is of no help. */
const isNoise = (text: string): boolean =>
  /\[Note\]|\.\.\.done|^Streaming|copied successfully|^Copied file|^$/.test(text);

/** @param ended how it did, for where it said nothing */
const failureOf = (lines: readonly string[], { target }: SqlAccess, ended: string): RefloatError => {
  const said = lines.map(plainText).filter((text) => !isNoise(text));
  const words = said.slice(-linesShown).join("; ");
  const text = lines.join("\n");
  const place = describeAddress(target);
  const state = "no point was made";
  if (/Access denied/.test(text) && /Failed to connect/.test(text))
    return new RefloatError("source.denied", `mariadb-backup is not let in at ${place}: ${words}`, {
      state,
      hint:
        target.password === null
          ? "no password is declared: add `password: ${file:/etc/refloat/db-password}`"
          : "is the declared password the one that the user has now?",
    });
  if (/Access denied|missing required privilege/.test(text))
    return new RefloatError("source.denied", `mariadb-backup may not do all that a backup takes: ${words}`, {
      state,
      hint: "refloat validate --live prints the GRANTs that are needed",
    });
  if (/Failed to connect/.test(text))
    return new RefloatError("source.unreachable", `mariadb-backup does not reach the server at ${place}: ${words}`, {
      state,
    });
  if (/innodb_log_file_size|was not able to keep up|log.*overwritten/i.test(text))
    return new RefloatError(
      "source.under-pressure",
      `the server has written its redo log around before mariadb-backup had read it: ${words}`,
      { state, hint: "capture when less is written, or raise innodb_log_file_size (SET GLOBAL, from 10.9 on)" },
    );
  if (/Permission denied|OS errno 13\b|Errcode: 13\b/.test(text))
    return new RefloatError("source.denied", `mariadb-backup may not read the data folder: ${words}`, {
      state,
      hint: "run refloat as root, or as the owner of the data folder",
    });
  return new RefloatError("source.failed", `mariadb-backup ${ended}${words === "" ? "" : `: ${words}`}`, { state });
};

const endOf = (code: number | null, by: NodeJS.Signals | null): string | null =>
  code === 0 ? null : by === null ? `ended with exit status ${code}` : `was ended by ${by}`;

/** @param program path of mariadb-backup @param owner whose the data folder is */
export const openBackup = async (
  context: ServerContext,
  access: SqlAccess,
  { program, owner }: { readonly program: string; readonly owner: Owner },
): Promise<BackupRun> => {
  const { signal, workDirectory } = context;
  const { prefix, environment } = await asOwner(context, owner, "ours");
  const options = await openOptionFile(access.target, owner);
  // It makes nothing in that folder when it streams, and as another user than us it could not.
  const folder = prefix.length === 0 ? workDirectory : "/";
  const [first = program, ...words] = [
    ...prefix,
    // Behind the change of users, which takes it back. Killed, we could not end it.
    "setpriv",
    "--pdeathsig",
    "KILL",
    "--",
    program,
    ...backupArguments(ownOptionFile, folder),
  ];
  const child = spawn(first, words, {
    env: { ...environment, TZ: "UTC" },
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe", options.descriptor],
  });
  const end = (): boolean => child.kill("SIGKILL");
  signal.addEventListener("abort", end, { once: true });
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new RefloatError("bug", "a pipe that was asked for is not there");
  const lines: string[] = [];
  const held = watchHold(context.clock);
  const listening = (async () => {
    for await (const line of createInterface({ input: stderr })) {
      lines.push(line);
      if (lines.length > linesKept) lines.shift();
      held.look(line);
    }
  })().catch(() => undefined);
  const result = new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(`could not be run: ${error.message}`));
    child.once("close", (code, by) => resolve(endOf(code, by)));
  });
  const bytes = (stdout as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const ended = async (): Promise<void> => {
    const failure = await result;
    await listening;
    signal.throwIfAborted();
    if (failure !== null) throw failureOf(lines, access, failure);
    if (!lines.slice(-linesShown).some((line) => plainText(line) === "completed OK!"))
      throw failureOf(lines, access, "ended before it had said that all is there");
  };
  return {
    bytes,
    ended,
    heldAt: held.around,
    close: async () => {
      signal.removeEventListener("abort", end);
      end();
      stdout.destroy();
      await result;
      await listening;
      await options.remove();
    },
  };
};

/** From before the commits are held until they go on. */
const watchHold = (clock: Clock) => {
  let beginAt: Date | null = null;
  let endAt: Date | null = null;
  return {
    look: (line: string): void => {
      const { day, time, text = "" } = stampedLine.exec(line)?.groups ?? {};
      // A line is heard of after it was written, and its stamp is of the second that it was written in.
      if (beginAt === null && text.includes("BACKUP STAGE BLOCK_COMMIT")) beginAt = new Date(`${day}T${time}Z`);
      if (beginAt !== null && text.includes("BACKUP STAGE END")) endAt = clock.now();
    },
    around: () => (beginAt === null || endAt === null ? null : { beginAt, endAt }),
  };
};
