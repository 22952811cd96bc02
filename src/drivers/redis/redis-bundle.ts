import type { CheckDriver, ComponentDriver, DriverBundle } from "../../core/ports/driver.ts";
import { captureRedis } from "./capture.ts";
import { redisCapturedKeys } from "./captured-keys.ts";
import { resolveTarget, stableOutputs } from "./connection-target.ts";
import { redisInstances } from "./instances.ts";
import { redisKeyMending } from "./mend/key-mending.ts";
import { preflightRedis } from "./preflight.ts";
import { redisCheck } from "./redis-check.ts";
import { type RedisOptions, redisOptionsSchema } from "./redis-options.ts";
import { withRedis } from "./redis-session.ts";
import { redisSwitching } from "./switching.ts";
import { redisWrites } from "./writes.ts";

const redisDriver: ComponentDriver<RedisOptions> = {
  type: "redis",
  summary: "One Redis server, captured by its replication stream, switched by the path of its data folder.",
  options: redisOptionsSchema,
  outputs: {
    url: { description: "redis://user:password@host:port, as an application uses it.", secret: true },
    address: { description: "host:port.", secret: false },
    host: { description: "Host name or address.", secret: false },
    port: { description: "Port.", secret: false },
    user: { description: "The user that Refloat connects as.", secret: false },
    data: { description: "Absolute path of the data folder.", secret: false },
  },
  stableOutputs,
  preflight: preflightRedis,
  reach: async (context) =>
    withRedis({ target: await resolveTarget(context), signal: context.signal }, async (session) => {
      // A connection is taken by the kernel, also of a process that is stopped.
      await session.ask("PING");
    }),
  capture: captureRedis,
  instances: redisInstances,
  switching: redisSwitching,
  writes: redisWrites,
  keys: redisCapturedKeys,
  mending: redisKeyMending,
};

/** The `redis` driver: the component, and the `redis` check of what it restores. */
export const redisBundle: DriverBundle = {
  name: "redis",
  components: [redisDriver as ComponentDriver],
  checks: [redisCheck as CheckDriver],
  traffic: [],
};
