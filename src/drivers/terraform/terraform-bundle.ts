import type { CheckDriver, ComponentDriver, DriverBundle } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { terraformCheck } from "./component/terraform-check.ts";
import { terraformComponent } from "./component/terraform-component.ts";
import { terraformProvision } from "./terraform-provision.ts";

/** The `terraform` driver: what a module describes is there before anything is restored; and a module with its state as a component, with its check. */
export const terraformBundle: DriverBundle = {
  name: "terraform",
  components: [terraformComponent as ComponentDriver],
  checks: [terraformCheck as CheckDriver],
  traffic: [],
  provisions: [terraformProvision as ProvisionDriver],
};
