/**
 * Asks pg_dump for the table of contents only: it is started on our snapshot as if it were to dump everything, and stopped as
 * soon as the contents are known, before it has sent rows that anybody would have to keep.
 */
import { execa } from "execa";
import { childEnvironment, programError } from "../../platform/subprocess.ts";
import { type ArchiveToc, TocReader } from "./archive-toc.ts";
import { type ClientPrograms, connectionArgument, programEnvironment } from "./client-programs.ts";
import type { ConnectionTarget } from "../../platform/postgres/connection-target.ts";
import { clientProgramError } from "./program-errors.ts";

export type DumpOptions = {
  readonly programs: ClientPrograms;
  readonly target: ConnectionTarget;
  readonly marker: string;
  readonly signal: AbortSignal;
  /** An exported snapshot; the current state when null. */
  readonly snapshot: string | null;
  readonly encoding: string;
  readonly excludeData: readonly string[];
  readonly lockTimeoutMs: number;
};

/**
 * Bytes that cannot be converted to UTF-8 have no encoding at all: they are passed as they are. All else is dumped as UTF-8,
 * which the server converts back when it is restored.
 */
export const archiveEncoding = (databaseEncoding: string): string =>
  databaseEncoding === "SQL_ASCII" ? "SQL_ASCII" : "UTF8";

/** Subscriptions are left out: a restored copy must not go on receiving in the name of the original. */
export const dumpArguments = (options: Omit<DumpOptions, "programs" | "signal">): string[] => [
  "--format=custom",
  "--compress=0",
  "--no-password",
  "--no-subscriptions",
  `--encoding=${options.encoding}`,
  `--lock-wait-timeout=${options.lockTimeoutMs}`,
  ...(options.snapshot === null ? [] : [`--snapshot=${options.snapshot}`]),
  ...options.excludeData.map((pattern) => `--exclude-table-data=${pattern}`),
  connectionArgument(options.target, options.marker),
];

/** @throws RefloatError program.version, program.failed, program.missing; the signal's reason when aborted */
export const readDumpToc = async (options: DumpOptions): Promise<ArchiveToc> => {
  const { programs, signal } = options;
  const child = execa(programs.pgDump, dumpArguments(options), {
    cancelSignal: signal,
    env: childEnvironment({
      environment: programEnvironment(options.target),
      cleanEnvironment: true,
      marker: options.marker,
    }),
    extendEnv: false,
    stdin: "ignore",
    buffer: { stdout: false, stderr: true },
  });
  // Without a handler from the beginning a child that fails at once would end this process.
  const ended = child.then(
    () => undefined,
    (error: unknown) => error,
  );
  const reader = new TocReader();
  let toc: ArchiveToc | undefined;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Uint8Array>) {
      toc = reader.push(chunk);
      if (toc !== undefined) break;
    }
  } finally {
    child.kill("SIGTERM");
  }
  const error = await ended;
  signal.throwIfAborted();
  if (toc !== undefined) return toc;
  throw clientProgramError(programError("pg_dump", error), options.target, "source");
};
