/** The `terraform` component: a configuration with its state, restored beside, switched by path. Nothing is ever applied. */
import type { ComponentDriver } from "../../../core/ports/driver.ts";
import { createPathInstances, createPathSwitching } from "../../../platform/path-operations.ts";
import { captureTerraform } from "./capture.ts";
import { type TerraformOptions, stablePathOf, terraformOptionsSchema } from "./component-options.ts";
import { preflightTerraform } from "./preflight.ts";
import { describeNext, restoreTerraform } from "./restore.ts";
import { validateTerraform } from "./validate.ts";
import { terraformWrites } from "./writes.ts";

export const terraformComponent: ComponentDriver<TerraformOptions> = {
  type: "terraform",
  summary: "A Terraform configuration with its state, switched by path; nothing is applied.",
  options: terraformOptionsSchema,
  outputs: { path: { description: "Absolute path of the root module.", secret: false } },
  stableOutputs: async (context) => ({ path: { value: await stablePathOf(context), secret: false } }),
  preflight: preflightTerraform,
  capture: captureTerraform,
  instances: {
    ...createPathInstances<TerraformOptions>(stablePathOf, async (_context, _target, path) => ({
      path: { value: path, secret: false },
    })),
    restore: restoreTerraform,
    validate: validateTerraform,
  },
  switching: {
    ...createPathSwitching<TerraformOptions>(stablePathOf),
    settle: async (context) => describeNext(await stablePathOf(context)),
  },
  writes: terraformWrites,
};
