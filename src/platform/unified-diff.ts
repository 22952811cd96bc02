/** By which lines a file would have to change, as `patch` takes them: made by diff, which every system has. */
import { basename } from "node:path";
import { runProgram } from "./subprocess.ts";

/** @returns empty when by none @throws RefloatError program.failed, program.missing */
export const unifiedDiff = async (path: string, after: string, signal: AbortSignal): Promise<string> => {
  // It ends with 1 when the texts differ, which is an answer and no failure.
  const script = 'diff -u --label "$2" --label "$2" -- "$1" - || [ $? -eq 1 ]';
  // patch and git take no absolute names: they are run where the file is.
  const { stdout } = await runProgram("/bin/sh", ["-c", script, "sh", path, basename(path)], { signal, input: after });
  return stdout;
};
