/** Runs stock Git on one repository: nothing of the user's or the system's configuration, no hooks, no questions, no network by itself. */
import { RefloatError } from "../../model/refloat-error.ts";
import { baseEnvironment } from "../../platform/base-environment.ts";
import { runProgram } from "../../platform/subprocess.ts";

export const gitEnvironment = (): Readonly<Record<string, string>> => ({
  ...baseEnvironment(),
  LC_ALL: "C",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_TERMINAL_PROMPT: "0",
  GIT_OPTIONAL_LOCKS: "0",
  // What lies in a point must not bring programs along: filters of attributes are turned off by the repository's own empty configuration.
  GIT_LFS_SKIP_SMUDGE: "1",
});

/** Of another user's repository, too: whoever declared the path vouches for it. Hooks of the repository are not run. */
export const gitArguments = (folder: string, words: readonly string[]): readonly string[] => [
  "-c",
  "safe.directory=*",
  "-c",
  "core.hooksPath=/dev/null",
  "-c",
  "core.fsmonitor=false",
  "-C",
  folder,
  ...words,
];

/** @returns its standard output @throws RefloatError program.missing, program.failed with its last words */
export const runGit = async (
  { signal, marker }: { readonly signal: AbortSignal; readonly marker: string },
  folder: string,
  words: readonly string[],
  input?: string,
): Promise<string> => {
  try {
    const { stdout } = await runProgram("git", gitArguments(folder, words), {
      signal,
      marker,
      environment: gitEnvironment(),
      cleanEnvironment: true,
      ...(input === undefined ? {} : { input }),
    });
    return stdout;
  } catch (error) {
    if (error instanceof RefloatError && error.code === "program.missing")
      throw new RefloatError("program.missing", error.message, { cause: error, nextCommand: "apt-get install git" });
    throw error;
  }
};
