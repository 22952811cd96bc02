/** The keys of a `mariadb-server` component, and what they mean once references are resolved. */
import { z } from "zod";
import type { DriverContext } from "../../../core/ports/driver.ts";
import { durationTextSchema } from "../../../model/declaration.ts";
import { bindStablePath, stablePathPattern } from "../../../platform/path-operations.ts";
import { portRangeSchema } from "../../../platform/port-range.ts";
import { hasPasswordLiteral, passwordReferenceSchema } from "../../../platform/postgres/connection-keys.ts";
import type { ServerRole } from "../server-errors.ts";
import { type SqlAccess, accessOf } from "../sql-client.ts";

export const serverOptionsSchema = z
  .strictObject({
    data: z.string().regex(stablePathPattern, "data is an absolute path, such as /var/lib/mysql").meta({
      description:
        "Data folder of the server on this machine (its setting datadir), absolute: /var/lib/mysql. It is switched as a whole.",
    }),
    url: z
      .string()
      .refine(
        (url) => !hasPasswordLiteral(url),
        "a password does not belong in the url: take it out and add `password: ${file:/etc/refloat/db-password}` (or ${env:NAME}, ${command:...})",
      )
      .meta({
        description:
          "Where the server answers, and a user that may take a backup: mariadb://refloat@127.0.0.1:3306, or mariadb:/// for the local socket. A database at its end is the one that checks begin in: all of them are captured. Parameters: socket, sslmode (disable, require, verify-full), sslrootcert.",
      }),
    password: passwordReferenceSchema,
    ports: portRangeSchema.meta({
      description: "Ports of which a restored server gets a free one until it is switched: 3340-3349.",
    }),
    programs: z
      .string()
      .regex(stablePathPattern, "programs is an absolute path, such as /opt/mariadb/bin")
      .optional()
      .meta({
        description:
          "Folder with mariadbd and mariadb-backup of the captured version; they are looked for on the path and in /usr/sbin when left out.",
      }),
    start: z.string().min(1).optional().meta({
      description:
        "Line for /bin/sh that starts the server at its stable place, such as systemctl start mariadb. When left out, mariadbd is started as the owner of the data folder, with the words that it ran with.",
    }),
    stop: z.string().min(1).optional().meta({
      description: "Line that stops the server, such as systemctl stop mariadb. SIGTERM when left out.",
    }),
    pitr: durationTextSchema.optional().meta({
      description:
        "How far back any second is to be reached, once `refloat capture SERVICE --continuous` receives the binary log: 7d. `validate --live` then asks for what that needs. A prune keeps the point and the log that this takes; when left out, all log since the oldest point that is kept.",
    }),
  })
  .meta({
    description:
      "One whole MariaDB server (10.6 or newer), captured physically by mariadb-backup; restored beside the live one into a new data folder.",
  });
export type ServerOptions = z.infer<typeof serverOptionsSchema>;

/** What every act of this driver is given. */
export type ServerContext = DriverContext<ServerOptions>;

/** The stable path: absolute, without a trailing slash. */
export const dataPathOf = (context: ServerContext): Promise<string> =>
  bindStablePath(context.bind, context.options.data, `data of ${context.component}`);

export const programsOf = async (context: ServerContext): Promise<string | null> =>
  context.options.programs === undefined
    ? null
    : bindStablePath(context.bind, context.options.programs, `programs of ${context.component}`);

/** To the server behind the stable name. */
export const liveAccessOf = (context: ServerContext, role: ServerRole): Promise<SqlAccess> =>
  accessOf(context, role, "server");
