/** Folders of a restored cluster, and the user of this machine that they belong to and that its server runs as. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Owner, futureOwner as futureOwnerOf } from "../../platform/folder-server/folder-owner.ts";
import type { CapturedDetail } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";

/** @param stable the live data folder; null where it does not matter whether there is one */
export const futureOwner = (
  context: ClusterContext,
  stable: string | null,
  { owner }: Pick<CapturedDetail, "owner">,
): Promise<Owner> =>
  futureOwnerOf(context, {
    stable,
    user: owner?.user ?? "postgres",
    hint: "PostgreSQL refuses to run as root",
    nextCommand: "apt-get install postgresql-common",
  });

export const makeFolders = async (root: string, folders: readonly string[]): Promise<void> => {
  for (const folder of folders) await mkdir(join(root, folder), { recursive: true, mode: 0o700 });
};
