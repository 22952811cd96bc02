/** The keys of a `sqlite` component, and what they mean once references are resolved. */
import { z } from "zod";
import { parseDuration } from "../../core/time/duration.ts";
import type { DriverContext } from "../../core/ports/driver.ts";
import { durationTextSchema } from "../../model/declaration.ts";
import { bindStablePath, stablePathPattern } from "../../platform/path-operations.ts";

const absolute = (what: string) => z.string().regex(stablePathPattern, `${what} is absolute and not / itself`);

export const sqliteOptionsSchema = z
  .strictObject({
    path: absolute("path").meta({
      description:
        "The database file, absolute. With databases: the folder that holds them, which is switched as a whole.",
    }),
    databases: z.array(z.string().min(1)).min(1).optional().meta({
      description:
        'The databases of a folder, captured as of one moment: names or patterns relative to path, such as "*.db" or "tenants/**/*.db".',
    }),
    exclude: z.array(z.string().min(1)).optional().meta({
      description:
        "What else lies in the folder and is not captured: patterns relative to path. A recovery does not bring it back; everything in the folder is either a database or excluded.",
    }),
    scratch: absolute("scratch").optional().meta({
      description:
        "Folder for the copy that a capture makes, which needs as much room as the databases; beside path when left out, where it may need none.",
    }),
    busyTimeout: durationTextSchema.optional().meta({
      description: "How long to wait for a database that another process has locked. Default 10s.",
    }),
  })
  .meta({ description: "One SQLite database, or all of one application in a folder." });
export type SqliteOptions = z.infer<typeof sqliteOptionsSchema>;

export type SqliteContext = DriverContext<SqliteOptions>;

/** The stable path: absolute, without a trailing slash. */
export const stablePathOf = (context: SqliteContext): Promise<string> =>
  bindStablePath(context.bind, context.options.path, `path of ${context.component}`);

export const scratchOf = async (context: SqliteContext): Promise<string | null> =>
  context.options.scratch === undefined
    ? null
    : bindStablePath(context.bind, context.options.scratch, `scratch of ${context.component}`);

const defaultBusyTimeoutMs = 10_000;

export const busyTimeoutOf = ({ options }: Pick<SqliteContext, "options">): number =>
  options.busyTimeout === undefined
    ? defaultBusyTimeoutMs
    : (parseDuration(options.busyTimeout) ?? defaultBusyTimeoutMs);
