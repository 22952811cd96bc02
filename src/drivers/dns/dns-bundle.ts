import type { DriverBundle } from "../../core/ports/driver.ts";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { dnsTraffic } from "./dns-traffic.ts";

/** The `dns` driver: directs users by the address of a name. */
export const dnsBundle: DriverBundle = {
  name: "dns",
  components: [],
  checks: [],
  traffic: [dnsTraffic as TrafficDriver],
};
