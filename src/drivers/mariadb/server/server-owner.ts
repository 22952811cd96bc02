/** The user of this machine that a restored server's files belong to and that it runs as. */
import { type Owner, futureOwner } from "../../../platform/folder-server/folder-owner.ts";
import type { CapturedServer } from "./captured-server.ts";
import type { ServerContext } from "./server-options.ts";

/** @param stable the live data folder; null where it does not matter whether there is one @throws RefloatError target.failed */
export const serverOwner = (
  context: ServerContext,
  stable: string | null,
  { owner }: Pick<CapturedServer, "owner">,
): Promise<Owner> =>
  futureOwner(context, {
    stable,
    user: owner?.user ?? "mysql",
    hint: "the server is to run as that user",
    nextCommand: "apt-get install mariadb-server",
  });
