/**
 * Runs stock Git on one repository, as the owner of its folder: nothing of the user's or the system's configuration, no hooks, no questions, no
 * network by itself. What else a repository's own configuration names (a filter's program is run by `git status`) has its owner's rights and no more;
 * Git's own guard stays on, which refuses a `.git` that is another one's.
 */
import { realpath } from "node:fs/promises";
import type { DriverContext } from "../../core/ports/driver.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { asOwner, ownerOf } from "../../platform/folder-server/folder-owner.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";

type Asker = Pick<DriverContext, "service" | "component" | "signal" | "marker">;

/** A folder, and as whom Git is run in it. */
export type GitPlace = {
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly prefix: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
};

/** @throws RefloatError source.failed when it is not there; source.denied when it is another user's, and we are not root */
export const gitPlace = async (asker: Asker, folder: string): Promise<GitPlace> => {
  const { signal } = asker;
  const owner = await translateSystemErrors("source.failed", `${folder} is no Git repository`, async () =>
    ownerOf(await realpath(folder), signal),
  );
  const { prefix, environment } = await asOwner(asker, owner, "ours");
  return {
    folder,
    signal,
    prefix,
    environment: {
      ...environment,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_TERMINAL_PROMPT: "0",
      GIT_OPTIONAL_LOCKS: "0",
      // What lies in a point must not bring programs along: filters of attributes are turned off by the repository's own empty configuration.
      GIT_LFS_SKIP_SMUDGE: "1",
    },
  };
};

/** Program and words. Hooks of the repository are not run. */
export const gitCommand = (
  { prefix, folder }: GitPlace,
  words: readonly string[],
): readonly [string, ...(readonly string[])] => {
  const git = ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-C", folder, ...words];
  const [program, ...before] = prefix;
  return program === undefined ? ["git", ...git] : [program, ...before, "git", ...git];
};

/** @returns its standard output @throws RefloatError program.missing, program.failed with its last words */
export const runGit = async (place: GitPlace, words: readonly string[], input?: string): Promise<string> => {
  const [program, ...more] = gitCommand(place, words);
  try {
    const { stdout } = await runProgram(program, more, {
      signal: place.signal,
      environment: place.environment,
      cleanEnvironment: true,
      // Not a folder that the owner may not enter.
      cwd: "/",
      ...(input === undefined ? {} : { input }),
    });
    return stdout;
  } catch (error) {
    if (error instanceof RefloatError && error.code === "program.missing")
      throw new RefloatError("program.missing", error.message, { cause: error, nextCommand: "apt-get install git" });
    throw error;
  }
};
