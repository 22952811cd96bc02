/**
 * Statements on a cluster whose server is stopped, by its own program in single-user mode: no port, no worker, nobody else, and no right needed but
 * that to the files. Any error ends it.
 */
import { join } from "node:path";
import { RefloatError } from "../../../model/refloat-error.ts";
import { ownerOf, runAsOwner } from "../../../platform/folder-server/folder-owner.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { wordsOf } from "../command-line.ts";
import { readMajor } from "../control-data.ts";
import { findServerPrograms } from "../server-programs.ts";

/** Nothing is loaded and nothing archived while they run. */
const quiet = {
  shared_preload_libraries: "",
  local_preload_libraries: "",
  session_preload_libraries: "",
  archive_mode: "off",
  log_destination: "stderr",
  logging_collector: "off",
  exit_on_error: "on",
} as const;

const escapes: Readonly<Record<string, string>> = { "'": "''", "\\": "\\\\", "\n": "\\n", "\r": "\\r", $: "\\x24" };

/** A text in which nothing ends a line, a quote or a body. */
export const standaloneText = (text: string): string =>
  `E'${text.replaceAll(/['\\\n\r$]/g, (character) => escapes[character] ?? character)}'`;

/**
 * @param options with which the server is started
 * @param statements each without an empty line in it
 * @throws RefloatError target.failed with the server's words
 */
export const runStandalone = async (
  context: ClusterContext,
  request: {
    readonly folder: string;
    readonly database: string;
    readonly options: string;
    readonly statements: readonly string[];
  },
): Promise<void> => {
  const { folder, database, options, statements } = request;
  const programs = await findServerPrograms(context, await readMajor(folder));
  const owner = await ownerOf(folder, context.signal);
  const settings = Object.entries(quiet).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const words = [
    join(programs, "postgres"),
    "--single",
    "-j",
    "-D",
    folder,
    ...wordsOf(options),
    ...settings,
    database,
  ];
  const script = statements.map((statement) => `${statement};\n\n`).join("");
  try {
    await runAsOwner(context, owner, words, script);
  } catch (error) {
    context.signal.throwIfAborted();
    throw new RefloatError(
      "target.failed",
      `the database ${database} in ${folder} cannot be changed: ${String(error)}`,
      {
        cause: error,
      },
    );
  }
};
