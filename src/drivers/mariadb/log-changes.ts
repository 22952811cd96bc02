/** What is told of the binary log of a server: of a database its own changes, of a whole server all of them. */
import type { LogChanges } from "../../core/ports/logs.ts";
import { readBinlogChanges } from "./binlog-changes.ts";
import { resolveTarget } from "./connection-target.ts";
import type { MariadbOptions } from "./mariadb-options.ts";

/** Some servers write names of databases in small letters, whatever the file says. */
const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

export const databaseChanges: LogChanges<MariadbOptions> = {
  read: async function* (context, request) {
    const own = (await resolveTarget(context)).database;
    yield* readBinlogChanges(request, (database) => sameName(database, own));
  },
};

export const serverChanges: LogChanges = {
  read: (_context, request) => readBinlogChanges(request, () => true),
};
