/** A cluster by its location: behind the stable name, beside it with a server of its own, or put away and stopped. */
import { pathExists } from "../../platform/tree-files.ts";
import { type ConnectionTarget, resolveTarget } from "../../platform/postgres/connection-target.ts";
import { type Session, type SessionOptions, withSession } from "../../platform/postgres/session.ts";
import { type ClusterContext, dataPathOf } from "./cluster-options.ts";
import { instancePortOf, instanceSocketTarget, startInstance } from "./instance-server.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { sqlStateOf } from "../../platform/postgres/server-errors.ts";

export type ClusterPlace =
  /** `folder`: where its files are. */
  | { readonly kind: "server"; readonly target: ConnectionTarget; readonly folder: string }
  /** Its files are there, and no server is to be started on them. */
  | { readonly kind: "stopped"; readonly folder: string };

/** @param location a name as in Exchange, or null for what is behind the stable name */
export const placeOf = async (context: ClusterContext, location: string | null): Promise<ClusterPlace> => {
  const stable = await dataPathOf(context);
  if (location === null || location === stable)
    return { kind: "server", target: await resolveTarget(context), folder: stable };
  if ((await instancePortOf(location)) !== null) {
    await startInstance(context, location);
    return { kind: "server", target: await instanceSocketTarget(context, location), folder: location };
  }
  if (await pathExists(location)) return { kind: "stopped", folder: location };
  throw new RefloatError("source.failed", `${location} is not there`);
};

const noSuchDatabase = "3D000";

/** The database of the url may be one that the captured cluster had not yet. */
const commonDatabases = ["postgres", "template1"] as const;

/** Asks a cluster on a connection to the url's database, or to one that every cluster has. */
export const withCluster = async <Result>(
  context: ClusterContext,
  target: ConnectionTarget,
  role: SessionOptions["role"],
  act: (session: Session, asked: SessionOptions) => Promise<Result>,
): Promise<Result> => {
  const { marker, signal } = context;
  let missing: unknown;
  for (const database of [target.database, ...commonDatabases]) {
    const asked = { target: { ...target, database }, marker, role, signal };
    try {
      return await withSession(asked, (session) => act(session, asked));
    } catch (error) {
      if (sqlStateOf(error) !== noSuchDatabase) throw error;
      missing ??= error;
    }
  }
  throw missing;
};
