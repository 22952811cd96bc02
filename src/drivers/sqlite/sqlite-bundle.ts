import type { CheckDriver, ComponentDriver, DriverBundle } from "../../core/ports/driver.ts";
import { captureSqlite } from "./capture.ts";
import { sqliteContents } from "./captured-contents.ts";
import { outputsAt, sqliteInstances } from "./instances.ts";
import { sqliteInvariantValues } from "./invariant-values.ts";
import { preflightSqlite } from "./preflight.ts";
import { sqliteSqlCheck } from "./sql-check.ts";
import { type SqliteOptions, sqliteOptionsSchema, stablePathOf } from "./sqlite-options.ts";
import { sqliteSwitching } from "./switching.ts";
import { sqliteWrites } from "./writes.ts";

const sqliteDriver: ComponentDriver<SqliteOptions> = {
  type: "sqlite",
  summary:
    "One SQLite database, or all of one application in a folder: captured while it is written to, switched by path.",
  options: sqliteOptionsSchema,
  outputs: {
    path: { description: "Absolute path of the database, or of the folder.", secret: false },
    url: { description: "The same as SQLite's own URI: file:///srv/notes/notes.db.", secret: false },
    databases: { description: "Of a folder: the names of its databases, one a line.", secret: false },
  },
  stableOutputs: async (context) => outputsAt(context, await stablePathOf(context)),
  preflight: preflightSqlite,
  capture: captureSqlite,
  instances: sqliteInstances,
  switching: sqliteSwitching,
  writes: sqliteWrites,
  contents: sqliteContents,
  invariantValues: sqliteInvariantValues,
};

/** The `sqlite` driver: the component, and the `sql` check of what it restores. */
export const sqliteBundle: DriverBundle = {
  name: "sqlite",
  components: [sqliteDriver as ComponentDriver],
  checks: [sqliteSqlCheck as CheckDriver],
  traffic: [],
};
