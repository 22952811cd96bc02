/** One side of an invariant: the values of a query's only column, one per line, nulls left out. */
import { execa } from "execa";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { childEnvironment } from "../../platform/subprocess.ts";
import { findProgram } from "./client-programs.ts";
import type { MariadbContext } from "./mariadb-options.ts";
import { openOptionFile, programEnvironment } from "./option-file.ts";
import { serverError } from "./server-errors.ts";
import { accessOf } from "./sql-client.ts";

/** The name makes it one column, whatever the query calls its own. */
const asked = (expression: string): string =>
  `SET SESSION TRANSACTION READ ONLY;
WITH refloat_values (value) AS (
${expression.trim().replace(/;$/, "")}
) SELECT value FROM refloat_values WHERE value IS NOT NULL;\n`;

/** @throws RefloatError source.* as the server says, also for more than one column */
export async function* mariadbInvariantValues(
  context: MariadbContext,
  expression: string,
  location: string | null,
): ByteStream {
  const { target, marker, signal, role } = await accessOf(context, "source");
  const program = await findProgram("mariadb");
  const options = await openOptionFile(target);
  const stopping = new AbortController();
  const database = location ?? target.database;
  const child = execa(
    program,
    [
      options.argument,
      "--default-character-set=utf8mb4",
      "--batch",
      "--quick",
      "--skip-column-names",
      "--binary-mode",
      `--database=${database}`,
    ],
    {
      cancelSignal: AbortSignal.any([signal, stopping.signal]),
      env: childEnvironment({ environment: programEnvironment(), cleanEnvironment: true, marker }),
      extendEnv: false,
      input: asked(expression),
      buffer: { stdout: false, stderr: true },
    },
  );
  // Node lets flow, into nothing, what nobody has asked for when a child ends: so somebody asks from the first.
  child.stdout.on("readable", () => undefined);
  const ended = child.then(
    () => null,
    (error: unknown) => ({ error }),
  );
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    const failure = await ended;
    signal.throwIfAborted();
    if (failure !== null) throw serverError("mariadb", failure.error, target, role);
  } finally {
    stopping.abort();
    await ended;
    await options.remove();
  }
}
