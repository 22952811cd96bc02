/** How the program's own threads are started. Knows nothing of what they do. */
import { getCompileCacheDir } from "node:module";
import { dirname } from "node:path";
import type { WorkerOptions } from "node:worker_threads";

/**
 * Flags of the main program (`--input-type`, say) are not meant for its threads, and some keep them from starting. Compiled code is kept for each
 * thread only where its environment says so: else each one compiles anew what the last command has compiled already.
 */
export const threadOptions = (): Pick<WorkerOptions, "execArgv" | "env"> => {
  const compiled = getCompileCacheDir();
  return {
    execArgv: [],
    // What is answered is a folder of this version in the one that is asked for.
    env: { ...process.env, ...(compiled === undefined ? {} : { NODE_COMPILE_CACHE: dirname(compiled) }) },
  };
};
