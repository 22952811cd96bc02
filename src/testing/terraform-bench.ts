/** What tests of the `terraform` driver share: an applied configuration of the built-in provider, captures in a folder, files and state in one text. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { captureTerraform } from "../drivers/terraform/component/capture.ts";
import { terraformBundle } from "../drivers/terraform/terraform-bundle.ts";
import type { TerraformContext, TerraformOptions } from "../drivers/terraform/component/component-options.ts";
import type { CaptureSink } from "../core/ports/vault-snapshots.ts";
import type { ComponentDriver } from "../core/ports/driver.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { createRepository } from "../vault/repository/create-repository.ts";
import type { Repository } from "../core/ports/vault.ts";
import { systemClock } from "../platform/system-clock.ts";
import { createTestContext } from "./driver-context.ts";

const [driver] = terraformBundle.components;
if (driver === undefined) throw new Error("the bundle has no driver");
export const terraformDriver: ComponentDriver = driver;

/** The program is in no Debian package. */
export const hasTerraform = (await execa("terraform", ["version"], { reject: false })).exitCode === 0;
if (!hasTerraform) process.stderr.write("SKIPPED: no terraform program, so its driver is not tested on this machine\n");

export const terraform = async (path: string, ...words: readonly string[]): Promise<string> =>
  (await execa("terraform", [`-chdir=${path}`, ...words], { env: { CHECKPOINT_DISABLE: "1" } })).stdout;

export const applied = (path: string): Promise<string> => terraform(path, "apply", "-auto-approve", "-no-color");

export const password = "hunter2 of a state";

export const makeConfiguration = async (path: string): Promise<void> => {
  await mkdir(path);
  await writeFile(
    join(path, "main.tf"),
    `variable "price" { default = 5 }
resource "terraform_data" "product" { input = var.price }
resource "terraform_data" "login" { input = sensitive("${password}") }
output "price" { value = terraform_data.product.output }
`,
  );
  await terraform(path, "init", "-no-color");
  await applied(path);
};

export const terraformContext = (
  path: string,
  folder: string,
  more: Partial<TerraformOptions> = {},
): TerraformContext => createTestContext<TerraformOptions>({ options: { path, ...more }, folder, component: "config" });

/** A real vault: patterns leave files out. */
export const createVault = (folder: string): Promise<Repository> =>
  createRepository(join(folder, "vault"), "password", { clock: systemClock });

export const captureTerraformInto = async (
  context: TerraformContext,
  vault: Repository,
  around: (sink: CaptureSink) => CaptureSink = (sink) => sink,
): Promise<CapturedComponent> => {
  const writer = await vault.beginSnapshot({ hostname: "test", time: new Date(), tags: [], paths: ["/config"] });
  try {
    const report = await captureTerraform(context, around(writer), null);
    const { id, newBytes } = await writer.commit();
    return {
      name: "config",
      driver: "terraform",
      snapshot: id,
      sizeBytes: report.facts.sizeBytes,
      newBytes,
      finishedAt: report.window.endAt,
      ...report,
    };
  } finally {
    await writer.abort();
  }
};

export const readTerraformContent = async (path: string): Promise<string> =>
  (await Promise.all(["main.tf", "terraform.tfstate"].map((name) => readFile(join(path, name), "utf8")))).join("\n");
