import type { CheckDriver, DriverBundle, SetDriver } from "../../core/ports/driver.ts";
import { httpCheck } from "./http-check.ts";
import { httpSet } from "./http-set.ts";

/** The `http` driver: a check, which is also the probe, and a set of an invariant. */
export const httpBundle: DriverBundle = {
  name: "http",
  components: [],
  checks: [httpCheck as CheckDriver],
  sets: [httpSet as SetDriver],
  traffic: [],
};
