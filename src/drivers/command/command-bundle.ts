import type { CheckDriver, ComponentDriver, DriverBundle, SetDriver } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { commandCheck } from "./command-check.ts";
import { commandComponent } from "./command-component.ts";
import { commandProvision } from "./command-provision.ts";
import { commandSet, shellSet } from "./command-sets.ts";
import { commandTraffic } from "./command-traffic.ts";

/** The `command` driver: the way out for whatever has no driver of its own. */
export const commandBundle: DriverBundle = {
  name: "command",
  components: [commandComponent as ComponentDriver],
  checks: [commandCheck as CheckDriver],
  sets: [commandSet as SetDriver, shellSet as SetDriver],
  traffic: [commandTraffic as TrafficDriver],
  provisions: [commandProvision as ProvisionDriver],
};
