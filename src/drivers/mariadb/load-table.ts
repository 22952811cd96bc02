/** Feeds SQL of the vault to the stock client, which loads it into a database. */
import { execa } from "execa";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { drained } from "../../platform/drained.ts";
import { childEnvironment } from "../../platform/subprocess.ts";
import { findProgram } from "./client-programs.ts";
import { programEnvironment, withOptionFile } from "./option-file.ts";
import { serverError } from "./server-errors.ts";
import type { SqlAccess } from "./sql-client.ts";

/** What the head of a dump says, for one table of it: order of tables and counters are as they were written. */
export const loadSettings = `SET NAMES utf8mb4;
SET SESSION time_zone = '+00:00', unique_checks = 0, foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
`;

/**
 * @param database that it begins in; null for none
 * Resolves when the client has taken all and ended well.
 * @throws what the source threw; RefloatError target.failed and the like; the signal's reason when aborted
 */
export const loadSql = async (
  { target, role, marker, signal }: SqlAccess,
  database: string | null,
  source: ByteStream,
): Promise<void> => {
  signal.throwIfAborted();
  const program = await findProgram("mariadb");
  await withOptionFile(target, async (options) => {
    const stopping = new AbortController();
    const child = execa(
      program,
      [
        options,
        "--default-character-set=utf8mb4",
        "--batch",
        "--binary-mode",
        "--max-allowed-packet=1G",
        ...(database === null ? [] : [`--database=${database}`]),
      ],
      {
        cancelSignal: AbortSignal.any([signal, stopping.signal]),
        env: childEnvironment({ environment: programEnvironment(), cleanEnvironment: true, marker }),
        extendEnv: false,
        stdin: "pipe",
        stdout: "ignore",
      },
    );
    const ended = child.then(
      () => null,
      (error: unknown) => ({ error }),
    );
    // EPIPE: the client has ended, and says why itself.
    child.stdin.on("error", () => undefined);
    try {
      for await (const chunk of source) {
        signal.throwIfAborted();
        if (child.stdin.destroyed) break;
        if (!child.stdin.write(chunk)) await drained(child.stdin);
      }
    } catch (error) {
      // The end of its input would be taken for the end of the table.
      stopping.abort();
      await ended;
      throw error;
    }
    child.stdin.end();
    const failure = await ended;
    if (failure === null) return;
    signal.throwIfAborted();
    throw serverError("mariadb", failure.error, target, role);
  });
};
