import type { DriverBundle, ProvisionDriver } from "../../core/ports/driver.ts";
import { terraformProvision } from "./terraform-provision.ts";

/** The `terraform` driver: what a module describes is there before anything is restored. */
export const terraformBundle: DriverBundle = {
  name: "terraform",
  components: [],
  checks: [],
  traffic: [],
  provisions: [terraformProvision as ProvisionDriver],
};
