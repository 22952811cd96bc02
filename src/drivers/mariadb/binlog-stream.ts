/**
 * A server's binary log as it is written, by the stock client: `mariadb-binlog --read-from-remote-server --raw --stop-never`. It writes files; here all
 * names that it may write to are links to one pipe, so that nothing is spooled, and it stops reading from the server while nobody reads from it.
 */
import { createHash } from "node:crypto";
import { constants, openSync } from "node:fs";
import { mkdir, rm, symlink } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { childEnvironment, runProgram } from "../../platform/subprocess.ts";
import { type BinlogFile, fileName } from "./binlog-line.ts";
import { findProgram } from "./client-programs.ts";
import { openOptionFile, programEnvironment } from "./option-file.ts";
import { serverError } from "./server-errors.ts";
import type { SqlAccess } from "./sql-client.ts";

export type BinlogStream = {
  /** Never ends by itself. @throws RefloatError what ended the client, the reason of `stop` */
  readonly bytes: ByteStream;
  /** A file has begun: names for those that follow are there. */
  readonly began: (number: number) => Promise<void>;
  /** Ends `bytes` by an error. */
  readonly stop: (reason: Error) => void;
  readonly close: () => Promise<void>;
};

/** More files than the smallest ones that fit into the pipe and what is read ahead. */
const linkedAhead = 1_000;

/**
 * As a replica the client needs a number of its own: a second one of the same number ends the first. In the upper half, where few servers are numbered.
 */
export const replicaId = (service: string, component: string): number =>
  2 ** 31 + (createHash("sha256").update(`${service} ${component}`).digest().readUInt32LE(0) >>> 1);

export const streamArguments = (file: BinlogFile, offset: number, id: number, prefix: string): readonly string[] => [
  "--read-from-remote-server",
  "--raw",
  "--stop-never",
  `--stop-never-slave-server-id=${id}`,
  `--start-position=${offset}`,
  `--result-file=${prefix}`,
  fileName(file),
];

/** The client tells what the server said, and no number. */
const streamError = (error: unknown, target: SqlAccess["target"], role: SqlAccess["role"]): RefloatError => {
  const told = serverError("mariadb-binlog", error, target, role);
  if (!told.message.includes("Access denied")) return told;
  return new RefloatError("source.denied", told.message, {
    cause: error,
    hint: "GRANT REPLICATION SLAVE ON *.* to the user, as refloat validate --live prints it where `pitr:` is declared",
  });
};

export type BinlogStreaming = {
  readonly file: BinlogFile;
  /** Where an event begins; 4 for the first one of a file. */
  readonly offset: number;
  readonly replica: number;
  /** For the pipe, and nothing else: what one that was killed has left there goes. */
  readonly folder: string;
};

export const openBinlogStream = async (
  access: SqlAccess,
  { folder, replica, ...place }: BinlogStreaming,
): Promise<BinlogStream> => {
  const { target, marker, role, signal } = access;
  const program = await findProgram("mariadb-binlog");
  const pipe = join(folder, "pipe");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let linked = place.file.number;
  const began = async (number: number): Promise<void> => {
    if (linked > number + linkedAhead / 2) return;
    for (; linked <= number + linkedAhead; linked += 1) {
      await symlink(pipe, join(folder, fileName({ ...place.file, number: linked })));
    }
  };
  const options = await openOptionFile(target);
  const removeFolder = async (): Promise<void> => {
    await options.remove();
    await rm(folder, { recursive: true, force: true });
  };
  let reader: Socket;
  try {
    await runProgram("mkfifo", ["-m", "600", pipe], { signal, marker });
    await began(place.file.number);
    // Held open for writing as well, it does not end where the client closes one file and opens the next.
    const fd = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    reader = new Socket({ fd, readable: true, writable: false });
  } catch (error) {
    await removeFolder();
    throw error;
  }
  const stopping = new AbortController();
  // Killed, we could not end it: it would wait for whoever opens the pipe, for ever.
  const child = execa(
    "setpriv",
    [
      "--pdeathsig",
      "KILL",
      "--",
      program,
      options.argument,
      ...streamArguments(place.file, place.offset, replica, join(folder, "/")),
    ],
    {
      cancelSignal: AbortSignal.any([signal, stopping.signal]),
      env: childEnvironment({ environment: programEnvironment(), cleanEnvironment: true, marker }),
      extendEnv: false,
      stdin: "ignore",
      stdout: "ignore",
      buffer: { stderr: true },
    },
  );
  // Whoever reads is told as well.
  reader.on("error", () => undefined);
  const stop = (reason: Error): void => void reader.destroy(reason);
  const ended = child.then(
    () => stop(new RefloatError("source.unreachable", "the server has ended the stream of its binary log")),
    (error: unknown) => stop(streamError(error, target, role)),
  );
  return {
    bytes: reader as AsyncIterable<Buffer>,
    began,
    stop,
    close: async () => {
      stopping.abort();
      await ended;
      reader.destroy();
      await removeFolder();
    },
  };
};
