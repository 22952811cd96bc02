/** Restored servers beside the live one: made and dropped as folders are, with a server of its own in each. */
import { dirname } from "node:path";
import type { Footprint, InstanceOperations, Outputs } from "../../../core/ports/driver.ts";
import type { CapturedComponent } from "../../../model/manifest.ts";
import { locateInstance } from "../../../platform/path-instance.ts";
import { partialPath } from "../../../platform/path-names.ts";
import { createPathInstances } from "../../../platform/path-operations.ts";
import { translateSystemErrors } from "../../../platform/system-error.ts";
import { type MariadbTarget, resolveTarget, targetOutputs } from "../connection-target.ts";
import { instanceTcpTarget } from "./instance-server.ts";
import { restoreServer } from "./restore.ts";
import { type ServerContext, type ServerOptions, dataPathOf } from "./server-options.ts";
import { endServer } from "./server-process.ts";
import { validateServer } from "./validate.ts";

const outputsOf = (target: MariadbTarget, data: string): Outputs => ({
  ...targetOutputs(target),
  data: { value: data, secret: false },
});

export const stableOutputs = async (context: ServerContext): Promise<Outputs> =>
  outputsOf(await resolveTarget(context, "server"), await dataPathOf(context));

const byPath = createPathInstances<ServerOptions>(dataPathOf, (context, target, path) =>
  path === target.name
    ? instanceTcpTarget(context, path).then((found) => outputsOf(found, path))
    : stableOutputs(context),
);

/** Whole blocks for each file, and what the server makes for itself: a redo log, and a space for temporary tables. */
const perFileBytes = 4_096;
const ownBytes = 128 * 1_048_576;

const footprint = async (context: ServerContext, { facts }: CapturedComponent): Promise<readonly Footprint[]> => [
  {
    path: dirname(await dataPathOf(context)),
    bytes: facts.sizeBytes + perFileBytes * (facts.counts["files"] ?? 0) + ownBytes,
  },
];

export const serverInstances: InstanceOperations<ServerOptions> = {
  ...byPath,
  footprint,
  restore: restoreServer,
  validate: validateServer,

  drop: async (context, target) => {
    const stable = await dataPathOf(context);
    await translateSystemErrors("target.failed", `${target.name} cannot be dropped`, async () => {
      // Asked for its refusal: what this run did not make is not ended either.
      const place = await locateInstance(stable, target);
      if (place.presence === "absent" || (place.presence === "done" && place.serves)) return;
      for (const folder of [target.name, partialPath(target.name)]) await endServer(context, folder, "SIGKILL");
    });
    await byPath.drop(context, target);
  },
};
