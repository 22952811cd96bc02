import type { DriverBundle } from "../../core/ports/driver.ts";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { addressTraffic } from "./address-traffic.ts";

/** The `address` driver: moves an IP address between machines of one network segment. */
export const addressBundle: DriverBundle = {
  name: "address",
  components: [],
  checks: [],
  traffic: [addressTraffic as TrafficDriver],
};
