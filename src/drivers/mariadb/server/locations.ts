/** A server by its location: behind the stable name, beside it with a server of its own, or put away and stopped. */
import { RefloatError } from "../../../model/refloat-error.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import type { SqlAccess } from "../sql-client.ts";
import { readInstanceRecord, startInstance } from "./instance-server.ts";
import { type ServerContext, dataPathOf, liveAccessOf } from "./server-options.ts";

export type ServerPlace =
  | { readonly kind: "server"; readonly access: SqlAccess; readonly folder: string }
  /** Its files are there, and no server is to be started on them. */
  | { readonly kind: "stopped"; readonly folder: string };

/** @param location a name as in Exchange, or null for what is behind the stable name */
export const accessAt = async (context: ServerContext, location: string | null): Promise<ServerPlace> => {
  const stable = await dataPathOf(context);
  if (location === null || location === stable)
    return { kind: "server", access: await liveAccessOf(context, "source"), folder: stable };
  if ((await readInstanceRecord(location)) !== null)
    return { kind: "server", access: await startInstance(context, location), folder: location };
  if (await pathExists(location)) return { kind: "stopped", folder: location };
  throw new RefloatError("source.failed", `${location} is not there`);
};
