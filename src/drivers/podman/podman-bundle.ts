import type { DriverBundle } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { podmanProvision } from "./podman-provision.ts";

/** The `podman` driver: a container is there before anything is restored. */
export const podmanBundle: DriverBundle = {
  name: "podman",
  components: [],
  checks: [],
  traffic: [],
  provisions: [podmanProvision as ProvisionDriver],
};
