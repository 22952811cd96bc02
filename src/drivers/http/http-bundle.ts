import type { CheckDriver, DriverBundle } from "../../core/ports/driver.ts";
import { httpCheck } from "./http-check.ts";

/** The `http` driver: a check, which is also the probe. */
export const httpBundle: DriverBundle = {
  name: "http",
  components: [],
  checks: [httpCheck as CheckDriver],
  traffic: [],
};
