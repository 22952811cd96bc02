/** The contract of component drivers, on a real configuration of the built-in provider. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, vi } from "vitest";
import { describeComponentDriver } from "../../../testing/component-driver-contract.ts";
import { createTestFolder } from "../../../testing/driver-context.ts";
import {
  applied,
  captureTerraformInto,
  createVault,
  hasTerraform,
  makeConfiguration,
  readTerraformContent,
  terraformContext,
  terraformDriver,
} from "../../../testing/terraform-bench.ts";

vi.setConfig({ testTimeout: 300_000 });

describe.skipIf(!hasTerraform)("with the terraform program", () => {
  describeComponentDriver("a Terraform configuration", async () => {
    const folder = await createTestFolder("refloat-terraform-contract");
    const path = join(folder.path, "infrastructure");
    await makeConfiguration(path);
    const context = terraformContext(path, folder.path);
    const vault = await createVault(folder.path);
    return {
      driver: terraformDriver,
      context,
      capture: () => captureTerraformInto(context, vault),
      open: (captured) => vault.openSnapshot(captured.snapshot),
      write: async () => {
        await writeFile(join(path, "main.tf"), 'resource "terraform_data" "product" { input = 0 }\n');
        await applied(path);
      },
      content: (location) => readTerraformContent(location ?? path),
      close: async () => {
        await vault.close();
        await folder.remove();
      },
    };
  });
});
