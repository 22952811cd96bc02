/** What a person writes under a component of type `postgres`. Each key is implemented; nothing is parsed and ignored. */
import { z } from "zod";
import { durationTextSchema } from "../../model/declaration.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { connectionUrlSchema, passwordReferenceSchema } from "../../platform/postgres/connection-keys.ts";

export const postgresOptionsSchema = z
  .strictObject({
    url: connectionUrlSchema(
      "The database behind its stable name: postgres://user@host:port/database, or postgres:///database for the local socket.",
    ),
    password: passwordReferenceSchema,
    jobs: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .meta({ description: "Connections that copy at the same time, at capture and at restore. Default 4." }),
    lockTimeout: durationTextSchema.optional().meta({
      description:
        "How long capture waits at its beginning for tables that are locked exclusively (ALTER, TRUNCATE). Default 10s.",
    }),
    yieldAfter: durationTextSchema.optional().meta({
      description:
        "How long another session may wait behind capture's own read locks before capture stops itself. Default 10s.",
    }),
    maxAge: durationTextSchema.optional().meta({
      description:
        "How long capture may hold its snapshot, which keeps vacuum from removing dead rows, before it stops itself. Default 6h.",
    }),
    excludeData: z.array(z.string().min(1)).optional().meta({
      description:
        "Tables whose rows are not captured, as patterns of pg_dump --exclude-table-data (sessions, audit.*). Their definitions are. Named in every point.",
    }),
  })
  .meta({
    description: "One PostgreSQL database, captured logically from one snapshot; restored beside the live one.",
  });

export type PostgresOptions = z.infer<typeof postgresOptionsSchema>;

const durationOr = (text: string | undefined, defaultMs: number): number =>
  text === undefined ? defaultMs : (parseDuration(text) ?? defaultMs);

export const postgresLimits = (options: PostgresOptions) => ({
  jobs: options.jobs ?? 4,
  lockTimeoutMs: durationOr(options.lockTimeout, 10_000),
  yieldAfterMs: durationOr(options.yieldAfter, 10_000),
  maxAgeMs: durationOr(options.maxAge, 6 * 3_600_000),
});
