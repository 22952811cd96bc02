import type { DriverBundle } from "../../core/ports/driver.ts";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { haproxyTraffic } from "./haproxy-traffic.ts";

/** The `haproxy` driver: directs traffic. Its configuration files are a `files` component. */
export const haproxyBundle: DriverBundle = {
  name: "haproxy",
  components: [],
  checks: [],
  traffic: [haproxyTraffic as TrafficDriver],
};
