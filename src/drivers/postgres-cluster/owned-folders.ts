/** Folders of a restored cluster, and the user of this machine that they belong to and that its server runs as. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { RefloatError } from "../../model/refloat-error.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { pathExists } from "../../platform/tree-files.ts";
import type { CapturedDetail } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { type Owner, ownerOf } from "./server-programs.ts";

/**
 * Whom the restored data is to belong to: as the live one does, or as it did; without root to us.
 * @param stable the live data folder; null where it does not matter whether there is one
 */
export const futureOwner = async (
  context: ClusterContext,
  stable: string | null,
  { owner }: Pick<CapturedDetail, "owner">,
): Promise<Owner> => {
  const { signal } = context;
  if (process.getuid?.() !== 0) return ownerOf(context.workDirectory, signal);
  if (stable !== null && (await pathExists(stable))) return ownerOf(stable, signal);
  const user = owner?.user ?? "postgres";
  try {
    const [, , uid, gid] = (await runProgram("getent", ["passwd", user], { signal })).stdout.trim().split(":");
    return { user, uid: Number(uid), gid: Number(gid) };
  } catch (error) {
    signal.throwIfAborted();
    throw new RefloatError(
      "target.failed",
      `there is no user ${user} on this machine, whom the data folder is to belong to`,
      {
        cause: error,
        hint: "PostgreSQL refuses to run as root",
        nextCommand: `apt-get install postgresql-common`,
      },
    );
  }
};

export const makeFolders = async (root: string, folders: readonly string[]): Promise<void> => {
  for (const folder of folders) await mkdir(join(root, folder), { recursive: true, mode: 0o700 });
};

export const giveTree = async (path: string, owner: Owner, signal: AbortSignal): Promise<void> => {
  if (process.getuid?.() !== 0) return;
  await runProgram("chown", ["-R", "-h", `${owner.uid}:${owner.gid}`, "--", path], { signal });
};
