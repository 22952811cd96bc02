/** Restored databases beside the live one: naming, looking, dropping, and what their dependents bind to. */
import type { Footprint, InstanceOperations, Outputs } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { capturedDetailSchema } from "./captured-detail.ts";
import { isLocal, resolveTarget, targetOutputs } from "../../platform/postgres/connection-target.ts";
import { withControlSession } from "./control-session.ts";
import { presenceOf, readDatabaseState } from "./instance-mark.ts";
import { instanceName, quoteName, retiredName } from "./instance-names.ts";
import type { PostgresContext } from "./postgres-context.ts";
import type { PostgresOptions } from "./postgres-options.ts";
import { restorePostgres } from "./restore.ts";
import { validatePostgres } from "./validate.ts";

export const stableOutputs = async (context: PostgresContext): Promise<Outputs> =>
  targetOutputs(await resolveTarget(context));

/** Room for the log that loading writes, and for the sorting of indexes. */
const spareFraction = 0.2;

/** Only a server on this machine has a folder that can be looked at, and only a user who may read its setting knows which. */
const footprint = async (context: PostgresContext, captured: CapturedComponent): Promise<readonly Footprint[]> => {
  const target = await resolveTarget(context);
  if (!isLocal(target)) return [];
  return withControlSession(context, "target", async (session) => {
    const [row] = await session.query<{ path: string | null }>(
      "select case when pg_has_role(current_user, 'pg_read_all_settings', 'member') then current_setting('data_directory') end as path",
    );
    if (row?.path === undefined || row.path === null) return [];
    const { database } = capturedDetailSchema.parse(captured.facts.detail);
    return [{ path: row.path, bytes: Math.ceil(database.sizeOnDiskBytes * (1 + spareFraction)) }];
  });
};

export const postgresInstances: InstanceOperations<PostgresOptions> = {
  name: async (context, run) => instanceName((await resolveTarget(context)).database, run),
  retiredName: async (context, run) => retiredName((await resolveTarget(context)).database, run),
  footprint,
  inspect: (context, target) =>
    withControlSession(context, "target", async (session) =>
      presenceOf(await readDatabaseState(session, target.name), target),
    ),
  restore: restorePostgres,
  outputs: async (context, target) => targetOutputs({ ...(await resolveTarget(context)), database: target.name }),
  validate: validatePostgres,
  drop: (context, target) =>
    withControlSession(context, "target", async (session) => {
      // Asked for its refusal: a database that this run did not make stays.
      if (presenceOf(await readDatabaseState(session, target.name), target) === "absent") return;
      await session.query(`drop database if exists ${quoteName(target.name)} with (force)`);
    }),
};
