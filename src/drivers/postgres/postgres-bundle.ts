import { commitLock } from "../../platform/postgres/commit-lock.ts";
import { resolveTarget } from "../../platform/postgres/connection-target.ts";
import { withSession } from "../../platform/postgres/session.ts";
import type { CheckDriver, ComponentDriver, DriverBundle } from "../../core/ports/driver.ts";
import { capturePostgres } from "./capture.ts";
import { postgresContents } from "./captured-contents.ts";
import { postgresSwitching } from "./exchange.ts";
import { postgresInstances, stableOutputs } from "./instances.ts";
import { postgresInvariantValues } from "./invariant-values.ts";
import { postgresMending } from "./mend/row-mending.ts";
import { type PostgresOptions, postgresOptionsSchema } from "./postgres-options.ts";
import { preflightPostgres } from "./preflight.ts";
import { sqlCheck } from "./sql-check.ts";
import { postgresWrites } from "./writes.ts";

const postgresDriver: ComponentDriver<PostgresOptions> = {
  type: "postgres",
  summary: "One PostgreSQL database, captured logically, restored beside the live one, switched by renaming.",
  options: postgresOptionsSchema,
  outputs: {
    url: { description: "postgres://user:password@host:port/database, as an application uses it.", secret: true },
    address: {
      description: "host:port; the folder of the socket in place of the host for a local socket.",
      secret: false,
    },
    host: { description: "Host name, address or folder of the socket.", secret: false },
    port: { description: "Port.", secret: false },
    database: { description: "Name of the database.", secret: false },
    user: { description: "The user that Refloat connects as.", secret: false },
  },
  stableOutputs,
  preflight: preflightPostgres,
  reach: async (context) => {
    const { marker, signal } = context;
    await withSession({ target: await resolveTarget(context), marker, role: "source", signal }, () =>
      Promise.resolve(),
    );
  },
  capture: capturePostgres,
  instances: postgresInstances,
  switching: postgresSwitching,
  writes: postgresWrites,
  contents: postgresContents,
  commitLock,
  mending: postgresMending,
  invariantValues: postgresInvariantValues,
};

/** The `postgres` driver: the component, and the `sql` check. */
export const postgresBundle: DriverBundle = {
  name: "postgres",
  components: [postgresDriver as ComponentDriver],
  checks: [sqlCheck as CheckDriver],
  traffic: [],
};
