/** The keys of a `postgres-cluster` component, and what they mean once references are resolved. */
import { z } from "zod";
import type { DriverContext } from "../../core/ports/driver.ts";
import { durationTextSchema } from "../../model/declaration.ts";
import { bindStablePath, stablePathPattern } from "../../platform/path-operations.ts";
import { portRangeSchema } from "../../platform/port-range.ts";
import { connectionUrlSchema, passwordReferenceSchema } from "../../platform/postgres/connection-keys.ts";

export const clusterOptionsSchema = z
  .strictObject({
    data: z.string().regex(stablePathPattern, "data is an absolute path, such as /var/lib/postgresql/15/main").meta({
      description:
        "Data folder of the cluster on this machine, absolute: /var/lib/postgresql/15/main. It is switched as a whole.",
    }),
    url: connectionUrlSchema(
      "Where the server answers, and a role with REPLICATION: postgres://refloat@127.0.0.1:5432/postgres, or postgres:///postgres for the local socket. Of the database only the connection is used: all of them are captured.",
    ),
    password: passwordReferenceSchema,
    ports: portRangeSchema.meta({
      description: "Ports of which a restored cluster gets a free one until it is switched: 5440-5449.",
    }),
    programs: z
      .string()
      .regex(stablePathPattern, "programs is an absolute path, such as /usr/lib/postgresql/15/bin")
      .optional()
      .meta({
        description:
          "Folder with postgres, pg_ctl and pg_controldata of the captured version. /usr/lib/postgresql/VERSION/bin when left out.",
      }),
    start: z.string().min(1).optional().meta({
      description:
        "Line for /bin/sh that starts the server at its stable place, such as systemctl start postgresql@15-main. When left out, pg_ctl starts it as the owner of the data folder, with the options that it ran with.",
    }),
    stop: z.string().min(1).optional().meta({
      description:
        "Line that stops the server, such as systemctl stop postgresql@15-main. pg_ctl stop -m fast when left out.",
    }),
    fastCheckpoint: z.boolean().optional().meta({
      description:
        "Begin a capture with a checkpoint as fast as the disks allow (true, the default), or one spread over minutes, which the server hardly feels.",
    }),
    pitr: durationTextSchema.optional().meta({
      description:
        "How far back any second is to be reached, once `refloat capture SERVICE --continuous` receives the log: 7d. A prune keeps the point and the log that this takes; when left out, all log since the oldest point that is kept.",
    }),
  })
  .meta({
    description:
      "One whole PostgreSQL cluster (15 or newer), captured physically, from its folder or over the replication protocol; restored beside the live one.",
  });
export type ClusterOptions = z.infer<typeof clusterOptionsSchema>;

/** What every act of this driver is given. */
export type ClusterContext = DriverContext<ClusterOptions>;

/** The stable path: absolute, without a trailing slash. */
export const dataPathOf = (context: ClusterContext): Promise<string> =>
  bindStablePath(context.bind, context.options.data, `data of ${context.component}`);

/** Does a capture begin with a checkpoint as fast as the disks allow? */
export const isCheckpointFast = ({ options }: ClusterContext): boolean => options.fastCheckpoint ?? true;

export const programsOf = async (context: ClusterContext): Promise<string | null> =>
  context.options.programs === undefined
    ? null
    : bindStablePath(context.bind, context.options.programs, `programs of ${context.component}`);
