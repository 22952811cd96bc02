import type { ComponentDriver } from "../../../core/ports/driver.ts";
import { binlogStartOf, placeWords } from "../binlog-line.ts";
import { mariadbTargets } from "../find-target.ts";
import { askSql } from "../sql-client.ts";
import { serverChanges } from "../log-changes.ts";
import { holdsBinlogMarker, markServerBinlog } from "../mark-binlog.ts";
import { serverArming } from "./arming.ts";
import { captureServer } from "./capture.ts";
import { serverExcerpts } from "./excerpt/take-excerpt.ts";
import { serverInstances, stableOutputs } from "./instances.ts";
import { serverMending } from "./mend/row-mending.ts";
import { preflightServer } from "./preflight.ts";
import { receiveServerLog } from "./server-log.ts";
import { type ServerOptions, liveAccessOf, serverOptionsSchema } from "./server-options.ts";
import { serverSwitching } from "./switching.ts";
import { serverWrites } from "./writes.ts";

/** The `mariadb-server` component. */
export const mariadbServerDriver: ComponentDriver<ServerOptions> = {
  type: "mariadb-server",
  summary: "One whole MariaDB server, captured physically by mariadb-backup, switched by the path of its data folder.",
  options: serverOptionsSchema,
  outputs: {
    url: {
      description: "mariadb://user:password@host:port/, as an application uses it; with the url's database, if any.",
      secret: true,
    },
    address: { description: "host:port; the path of the socket for a local socket.", secret: false },
    host: { description: "Host name or address; localhost for a local socket.", secret: false },
    port: { description: "Port.", secret: false },
    database: { description: "The database of the url; nothing where it names none.", secret: false },
    user: { description: "The user that Refloat connects as.", secret: false },
    data: { description: "Absolute path of the data folder.", secret: false },
  },
  stableOutputs,
  preflight: preflightServer,
  reach: async (context) => {
    await askSql(await liveAccessOf(context, "source"), "SELECT 1;");
  },
  capture: captureServer,
  instances: serverInstances,
  switching: serverSwitching,
  writes: serverWrites,
  arming: serverArming,
  excerpts: serverExcerpts,
  mending: serverMending,
  logs: {
    startOf: binlogStartOf,
    placeOf: placeWords,
    receive: receiveServerLog,
    targets: mariadbTargets,
    changes: serverChanges,
    mark: markServerBinlog,
    holdsMarker: holdsBinlogMarker,
  },
};
