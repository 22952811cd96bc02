/** Restored servers beside the live one: made and dropped as folders are, with a server of their own in each. */
import { dirname } from "node:path";
import type { Footprint, InstanceOperations } from "../../core/ports/driver.ts";
import { locateInstance } from "../../platform/path-instance.ts";
import { partialPath } from "../../platform/path-names.ts";
import { createPathInstances } from "../../platform/path-operations.ts";
import { translateSystemErrors } from "../../platform/system-error.ts";
import { stableOutputs, targetOutputs } from "./connection-target.ts";
import { instanceTarget } from "./instance-server.ts";
import { type RedisOptions, dataPathOf } from "./redis-options.ts";
import { killServer } from "./redis-process.ts";
import { restoreRedis } from "./restore.ts";
import { validateRedis } from "./validate.ts";

const byPath = createPathInstances<RedisOptions>(dataPathOf, async (context, target, path) =>
  path === target.name ? targetOutputs(await instanceTarget(context, path), path) : stableOutputs(context),
);

/** The file as it is restored, and as the server writes it anew when it is shut down. */
const filesAtPeak = 2;
const ownBytes = 1_048_576;

export const redisInstances: InstanceOperations<RedisOptions> = {
  ...byPath,
  footprint: async (context, captured): Promise<readonly Footprint[]> => [
    { path: dirname(await dataPathOf(context)), bytes: filesAtPeak * captured.facts.sizeBytes + ownBytes },
  ],
  restore: restoreRedis,
  validate: validateRedis,

  drop: async (context, target) => {
    const stable = await dataPathOf(context);
    await translateSystemErrors("target.failed", `${target.name} cannot be dropped`, async () => {
      // Asked for its refusal: what this run did not make is not stopped either.
      const place = await locateInstance(stable, target);
      if (place.presence === "absent" || (place.presence === "done" && place.serves)) return;
      for (const folder of [target.name, partialPath(target.name)]) await killServer(context, folder);
    });
    await byPath.drop(context, target);
  },
};
