/** Runs mariadb-dump: its output as a stream that ends well only if the program did. */
import { execa } from "execa";
import type { ByteStream } from "../../core/ports/bytes.ts";
import type { Clock } from "../../core/ports/environment.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { childEnvironment } from "../../platform/subprocess.ts";
import { programEnvironment, openOptionFile } from "./option-file.ts";
import { serverError } from "./server-errors.ts";
import type { SqlAccess } from "./sql-client.ts";

export type Dump = {
  readonly bytes: ByteStream;
  /** When the first byte came: the snapshot was taken before. */
  readonly beganAt: () => Date | null;
  /** As the tail says it; empty without a binary log. */
  readonly gtid: () => string;
  /** @throws RefloatError unless the program ended well */
  readonly seal: () => Promise<void>;
  /** @throws RefloatError always: what ended the program, or that its output was cut */
  readonly failed: () => Promise<never>;
  /** Ends it if it still runs. */
  readonly close: () => Promise<void>;
};

type DumpRequest = {
  /** Tables and views that are left out. */
  readonly ignored: readonly string[];
  /** Null for all of the database. */
  readonly tables?: readonly string[] | null;
  readonly hasBinlog: boolean;
};

/** One snapshot, values as they are, no text that a person wrote but names and values, nothing that differs between two dumps of the same rows. */
export const dumpArguments = (
  database: string,
  { ignored, tables = null, hasBinlog }: DumpRequest,
): readonly string[] => [
  "--default-character-set=utf8mb4",
  "--single-transaction",
  "--quick",
  "--hex-blob",
  "--skip-triggers",
  "--skip-add-drop-table",
  "--skip-add-locks",
  "--skip-dump-date",
  "--no-autocommit",
  "--no-tablespaces",
  "--max-allowed-packet=1G",
  ...(hasBinlog ? ["--master-data=2", "--gtid"] : []),
  ...ignored.map((name) => `--ignore-table=${database}.${name}`),
  "--",
  database,
  ...(tables ?? []),
];

const tailBytes = 4_096;

export const openDump = async (
  access: SqlAccess,
  program: string,
  request: DumpRequest,
  clock: Clock,
): Promise<Dump> => {
  const { target, marker, signal, role } = access;
  const stopping = new AbortController();
  const options = await openOptionFile(target);
  const child = execa(program, [options.argument, ...dumpArguments(target.database, request)], {
    cancelSignal: AbortSignal.any([signal, stopping.signal]),
    env: childEnvironment({ environment: programEnvironment(), cleanEnvironment: true, marker }),
    extendEnv: false,
    stdin: "ignore",
    buffer: { stdout: false, stderr: true },
  });
  // Node lets flow, into nothing, what nobody has asked for when a child ends: so somebody asks from the first.
  child.stdout.on("readable", () => undefined);
  const ended = child.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  let beganAt: Date | null = null;
  let tail = "";
  const seal = async (): Promise<void> => {
    const failure = await ended;
    if (failure === null) return;
    signal.throwIfAborted();
    throw serverError("mariadb-dump", failure.error, target, role);
  };
  async function* read(): ByteStream {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      beganAt ??= clock.now();
      tail = (tail + chunk.subarray(-tailBytes).toString("latin1")).slice(-tailBytes);
      yield chunk;
    }
  }
  return {
    bytes: read(),
    beganAt: () => beganAt,
    gtid: () => /gtid_slave_pos='([^']*)'/.exec(tail)?.[1] ?? "",
    seal,
    failed: async () => {
      await seal();
      throw new RefloatError("source.failed", "mariadb-dump ended before its output was complete", {
        state: "no point was made",
      });
    },
    close: async () => {
      stopping.abort();
      // What nobody has read is waited for else, for ever: of a capture whose other component fails before this one is read.
      child.stdout.destroy();
      await ended;
      await options.remove();
    },
  };
};
