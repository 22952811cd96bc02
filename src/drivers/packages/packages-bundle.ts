import type { DriverBundle } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { packagesProvision } from "./packages-provision.ts";

/** The `packages` driver: what a captured application rests on is installed before anything is restored. */
export const packagesBundle: DriverBundle = {
  name: "packages",
  components: [],
  checks: [],
  traffic: [],
  provisions: [packagesProvision as ProvisionDriver],
};
