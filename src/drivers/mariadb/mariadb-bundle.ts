import type { CheckDriver, ComponentDriver, DriverBundle } from "../../core/ports/driver.ts";
import { mariadbArming } from "./arming.ts";
import { databaseChanges } from "./log-changes.ts";
import { binlogStartOf, placeWords } from "./binlog-line.ts";
import { receiveBinlog } from "./binlog-receiver.ts";
import { captureMariadb } from "./capture.ts";
import { mariadbContents } from "./captured-contents.ts";
import { stableOutputs } from "./connection-target.ts";
import { mariadbSwitching } from "./exchange.ts";
import { mariadbTargets } from "./find-target.ts";
import { mariadbInstances } from "./instances.ts";
import { mariadbInvariantValues } from "./invariant-values.ts";
import { holdsBinlogMarker, markBinlog } from "./mark-binlog.ts";
import { type MariadbOptions, mariadbOptionsSchema } from "./mariadb-options.ts";
import { mariadbMending } from "./mend/row-mending.ts";
import { preflightMariadb } from "./preflight.ts";
import { accessOf, askSql } from "./sql-client.ts";
import { mariadbSqlCheck } from "./sql-check.ts";
import { mariadbServerDriver } from "./server/server-driver.ts";
import { mariadbWrites } from "./writes.ts";

const mariadbDriver: ComponentDriver<MariadbOptions> = {
  type: "mariadb",
  summary: "One MariaDB database, captured logically, restored beside the live one, switched by renaming its tables.",
  options: mariadbOptionsSchema,
  outputs: {
    url: { description: "mariadb://user:password@host:port/database, as an application uses it.", secret: true },
    address: { description: "host:port; the path of the socket for a local socket.", secret: false },
    host: { description: "Host name or address; localhost for a local socket.", secret: false },
    port: { description: "Port.", secret: false },
    database: { description: "Name of the database.", secret: false },
    user: { description: "The user that Refloat connects as.", secret: false },
  },
  stableOutputs,
  preflight: preflightMariadb,
  reach: async (context) => {
    await askSql(await accessOf(context, "source"), "SELECT 1;");
  },
  capture: captureMariadb,
  instances: mariadbInstances,
  switching: mariadbSwitching,
  writes: mariadbWrites,
  arming: mariadbArming,
  contents: mariadbContents,
  mending: mariadbMending,
  logs: {
    startOf: binlogStartOf,
    placeOf: placeWords,
    receive: receiveBinlog,
    targets: mariadbTargets,
    changes: databaseChanges,
    mark: markBinlog,
    holdsMarker: holdsBinlogMarker,
  },
  invariantValues: mariadbInvariantValues,
};

/** One database, or a whole server; and the `sql` check of what is restored of them. */
export const mariadbBundle: DriverBundle = {
  name: "mariadb",
  components: [mariadbDriver as ComponentDriver, mariadbServerDriver as ComponentDriver],
  checks: [mariadbSqlCheck as CheckDriver],
  traffic: [],
};
