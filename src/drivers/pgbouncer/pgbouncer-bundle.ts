import type { DriverBundle } from "../../core/ports/driver.ts";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { pgbouncerTraffic } from "./pgbouncer-traffic.ts";

/** The `pgbouncer` driver: directs clients of PostgreSQL. Its configuration files are a `files` component. */
export const pgbouncerBundle: DriverBundle = {
  name: "pgbouncer",
  components: [],
  checks: [],
  traffic: [pgbouncerTraffic as TrafficDriver],
};
