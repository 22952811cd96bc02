/** The keys of a `redis` component, and what they mean once references are resolved. */
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { bindStablePath, stablePathPattern } from "../../platform/path-operations.ts";
import { portRangeSchema } from "../../platform/port-range.ts";
import { hasPasswordLiteral, passwordReferenceSchema } from "../../platform/postgres/connection-keys.ts";

export const redisOptionsSchema = z
  .strictObject({
    data: z.string().regex(stablePathPattern, "data is an absolute path, such as /var/lib/redis").meta({
      description:
        "Data folder of the server on this machine (its setting dir), absolute: /var/lib/redis. It is switched as a whole.",
    }),
    url: z
      .string()
      .refine(
        (url) => !hasPasswordLiteral(url),
        "a password does not belong in the url: take it out and add `password: ${file:/etc/refloat/redis-password}` (or ${env:NAME}, ${command:...})",
      )
      .meta({
        description:
          "Where the server answers, and a user of its ACL: redis://refloat@127.0.0.1:6379, or rediss:// for TLS. A database number at its end is the one that checks ask: all of them are captured. Parameter: cacert.",
      }),
    password: passwordReferenceSchema,
    ports: portRangeSchema.meta({
      description: "Ports of which a restored server gets a free one until it is switched: 6390-6399.",
    }),
    programs: z
      .string()
      .regex(stablePathPattern, "programs is an absolute path, such as /opt/redis/bin")
      .optional()
      .meta({
        description: "Folder with redis-server and redis-check-rdb; they are looked for on the path when left out.",
      }),
    start: z.string().min(1).optional().meta({
      description:
        "Line for /bin/sh that starts the server at its stable place, such as systemctl start redis-server. When left out, redis-server is started as the owner of the data folder, with the configuration file that it ran with.",
    }),
    stop: z.string().min(1).optional().meta({
      description:
        "Line that stops the server, such as systemctl stop redis-server. SHUTDOWN SAVE when left out, which needs that right.",
    }),
  })
  .meta({
    description:
      "One Redis server (6.2 or newer), captured by its own replication stream; restored beside the live one into a new data folder.",
  });
export type RedisOptions = z.infer<typeof redisOptionsSchema>;

/** What every act of this driver is given. */
export type RedisContext = DriverContext<RedisOptions>;

/** The stable path: absolute, without a trailing slash. */
export const dataPathOf = (context: RedisContext): Promise<string> =>
  bindStablePath(context.bind, context.options.data, `data of ${context.component}`);

export const programsOf = async (context: RedisContext): Promise<string | null> =>
  context.options.programs === undefined
    ? null
    : bindStablePath(context.bind, context.options.programs, `programs of ${context.component}`);
