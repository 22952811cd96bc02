/** Which release is behind the stable name, and what people call it. */
import { readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { instanceLabel } from "../../platform/path-instance.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { type ProcessContext, releasePathOf } from "./process-options.ts";

const packageSchema = z.object({ version: z.string().min(1) });

const packageVersion = async (folder: string): Promise<string | null> => {
  try {
    return packageSchema.parse(JSON.parse(await readFile(join(folder, "package.json"), "utf8"))).version;
  } catch {
    // No package.json, or none with a version: not every application is one of npm.
    return null;
  }
};

/** Version of its package.json, else the name that its folder had when it was captured, else the folder's name. */
export const labelOf = async (folder: string): Promise<string> =>
  (await packageVersion(folder)) ?? (await instanceLabel(folder).catch(() => null)) ?? basename(folder);

/** Contract of RuntimeOperations.liveRelease. */
export const findLiveRelease = async (
  context: ProcessContext,
): Promise<{ readonly path: string; readonly label: string } | null> => {
  const stable = await releasePathOf(context);
  const path = await translateSystemErrors("source.failed", `the release ${stable} cannot be found`, () =>
    realpath(stable).catch((error: NodeJS.ErrnoException) => {
      // Gone, or a link to what is gone.
      if (error.code === "ENOENT") return null;
      throw error;
    }),
  );
  return path === null ? null : { path, label: await labelOf(path) };
};
