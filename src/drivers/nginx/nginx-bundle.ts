import type { DriverBundle } from "../../core/ports/driver.ts";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { nginxTraffic } from "./nginx-traffic.ts";

/** The `nginx` driver: directs traffic. Its configuration files are a `files` component. */
export const nginxBundle: DriverBundle = {
  name: "nginx",
  components: [],
  checks: [],
  traffic: [nginxTraffic as TrafficDriver],
};
