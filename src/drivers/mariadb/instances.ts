/** Restored databases beside the live one: naming, looking, dropping, and what their dependents bind to. */
import type { Footprint, InstanceOperations, InstanceTarget, Presence } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { isLocal, resolveTarget, targetOutputs } from "./connection-target.ts";
import { type DatabaseState, creationComment, readDatabases } from "./marker-table.ts";
import type { MariadbContext, MariadbOptions } from "./mariadb-options.ts";
import { restoreMariadb } from "./restore.ts";
import { readServerFacts } from "./server-facts.ts";
import { accessOf, runSql } from "./sql-client.ts";
import { instanceName, quoteName, retiredName } from "./sql-text.ts";
import { validateMariadb } from "./validate.ts";

/** A dump is text: on disk its rows and their indexes take about as much again. */
const diskPerByte = 2;

const footprint = async (context: MariadbContext, { facts }: CapturedComponent): Promise<readonly Footprint[]> => {
  const access = await accessOf(context, "target");
  if (!isLocal(access.target)) return [];
  const { dataFolder } = await readServerFacts(access);
  return [{ path: dataFolder, bytes: Math.max(1, Math.ceil(facts.sizeBytes * diskPerByte)) }];
};

/** @throws RefloatError instance.exists when the database is not of this run */
export const presenceOf = (state: DatabaseState | undefined, target: InstanceTarget): Presence => {
  if (state === undefined) return "absent";
  if (state.marked?.mark?.runUid === target.runUid) return "done";
  if (state.marked === null && state.comment === creationComment(target)) return "partial";
  throw new RefloatError("instance.exists", `there is a database "${target.name}" that this run did not make`, {
    hint:
      state.marked?.mark === undefined || state.marked.mark === null
        ? "drop it by hand if nobody needs it"
        : `run ${state.marked.mark.run} of another state folder made it`,
    context: { database: target.name },
  });
};

const inspect = async (context: MariadbContext, target: InstanceTarget): Promise<Presence> => {
  const found = await readDatabases(await accessOf(context, "target"), [target.name]);
  return presenceOf(found.get(target.name), target);
};

export const mariadbInstances: InstanceOperations<MariadbOptions> = {
  name: async (context, run) => instanceName((await resolveTarget(context)).database, run),
  retiredName: async (context, run) => retiredName((await resolveTarget(context)).database, run),
  footprint,
  inspect,
  restore: restoreMariadb,
  outputs: async (context, target) => targetOutputs({ ...(await resolveTarget(context)), database: target.name }),
  validate: validateMariadb,
  drop: async (context, target) => {
    // Asked for its refusal: a database that this run did not make stays.
    if ((await inspect(context, target)) === "absent") return;
    await runSql(await accessOf(context, "target"), `DROP DATABASE IF EXISTS ${quoteName(target.name)};`);
  },
};
