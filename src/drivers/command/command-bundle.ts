import type {
  CheckDriver,
  ComponentDriver,
  DriverBundle,
  ProvisionDriver,
  TrafficDriver,
} from "../../core/ports/driver.ts";
import { commandCheck } from "./command-check.ts";
import { commandComponent } from "./command-component.ts";
import { commandProvision } from "./command-provision.ts";
import { commandTraffic } from "./command-traffic.ts";

/** The `command` driver: the way out for whatever has no driver of its own. */
export const commandBundle: DriverBundle = {
  name: "command",
  components: [commandComponent as ComponentDriver],
  checks: [commandCheck as CheckDriver],
  traffic: [commandTraffic as TrafficDriver],
  provisions: [commandProvision as ProvisionDriver],
};
