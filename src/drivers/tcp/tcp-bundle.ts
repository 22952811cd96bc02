import type { CheckDriver, DriverBundle } from "../../core/ports/driver.ts";
import { tcpCheck } from "./tcp-check.ts";

/** The `tcp` driver: a check only. */
export const tcpBundle: DriverBundle = {
  name: "tcp",
  components: [],
  checks: [tcpCheck as CheckDriver],
  traffic: [],
};
