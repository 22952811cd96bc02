import type { DriverBundle } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { qemuProvision } from "./qemu-provision.ts";

/** The `qemu` driver: a virtual machine is there before anything is restored. */
export const qemuBundle: DriverBundle = {
  name: "qemu",
  components: [],
  checks: [],
  traffic: [],
  provisions: [qemuProvision as ProvisionDriver],
};
