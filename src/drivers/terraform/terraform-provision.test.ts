/** Provision by the real terraform, of resources that leave files in the world. Skipped, and said, where the program is not installed. */
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execaSync } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DriverContext } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { driverRegistry } from "../../driver-registry.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { describeProvisionContract } from "../../testing/provision-contract.ts";

const isInstalled = execaSync("terraform", ["version"], { reject: false }).exitCode === 0;
if (!isInstalled)
  process.stderr.write("SKIPPED: provision by terraform is not shown, since terraform is not installed\n");

/** Resources of the provider that is built in, each with a file in the world. */
const moduleIn = async (folder: string): Promise<string> => {
  const directory = join(folder, "module");
  await mkdir(directory, { recursive: true });
  await writeFile(
    join(directory, "main.tf"),
    `variable "made" { type = string }
variable "token" {
  type      = string
  sensitive = true
  default   = "none"
}
resource "terraform_data" "disk" {
  input = var.made
  provisioner "local-exec" { command = "while [ -e '\${self.input}.hold' ]; do sleep 0.05; done; touch '\${self.input}'" }
  provisioner "local-exec" {
    when    = destroy
    command = "rm -f '\${self.input}'"
  }
}
resource "terraform_data" "server" { input = terraform_data.disk.id }
output "path" { value = var.made }
output "token" {
  value     = var.token
  sensitive = true
}
`,
  );
  return directory;
};

describe.skipIf(!isInstalled)("terraform", () => {
  describeProvisionContract({
    type: "terraform",
    declare: async (folder) => ({ directory: await moduleIn(folder), variables: { made: join(folder, "made") } }),
    count: async ({ stateDirectory }) => (existsSync(join(stateDirectory, "made")) ? 1 : 0),
  });

  describe("what terraform makes", { timeout: 300_000 }, () => {
    const driver = driverRegistry.provisions.get("terraform") as ProvisionDriver;
    const owner = { run: 42, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0042" };
    let folder: TestFolder;
    let context: DriverContext;
    let given: { folder: string; component: string; options: unknown; values: Record<string, string> };

    beforeEach(async () => {
      folder = await createTestFolder("refloat-terraform");
      given = {
        folder: folder.path,
        component: "site",
        options: {
          directory: await moduleIn(folder.path),
          variables: { made: join(folder.path, "made"), token: "${file:/token}" },
        },
        values: { "file:/token": "secret!hunter2" },
      };
      context = createTestContext(given);
    });
    afterEach(() => folder.remove());

    it("is shown as terraform's own plan, without a secret, and writes nothing into the module", async () => {
      const { what, detail } = await driver.preview(context);
      expect(what).toBe(`terraform in ${join(folder.path, "module")}: Plan: 2 to add, 0 to change, 0 to destroy`);
      expect(detail.join("\n")).toContain("# terraform_data.disk will be created");
      expect(detail.join("\n")).not.toContain("hunter2");
      expect(await readdir(join(folder.path, "module"))).toEqual(["main.tf"]);
      expect(await driver.inspect(context)).toEqual({ presence: "absent" });
    });

    it("gives its outputs, sensitive ones as secrets", async () => {
      await driver.apply(context, owner);
      expect(await driver.read(context)).toEqual({
        path: { value: join(folder.path, "made"), secret: false },
        token: { value: "hunter2", secret: true },
      });
      await driver.destroy(context, owner);
    });

    it("does not destroy what somebody added to its state, nor take a changed module for done", async () => {
      await driver.apply(context, owner);
      const file = join(folder.path, "module/main.tf");
      await writeFile(file, `${await readFile(file, "utf8")}resource "terraform_data" "other" {}\n`);
      expect(await driver.inspect(context)).toMatchObject({ presence: "partial", owner });
      execaSync(
        "terraform",
        ["apply", "-auto-approve", `-var=made=${join(folder.path, "made")}`, "-var=token=hunter2"],
        {
          cwd: join(folder.path, "module"),
          env: { TF_DATA_DIR: join(folder.path, "terraform") },
        },
      );
      await expect(driver.destroy(context, owner)).rejects.toThrow(
        "site is not torn down: its state holds terraform_data.other, which run 42 has not made",
      );
      expect(existsSync(join(folder.path, "made"))).toBe(true);
    });

    it("sees what a module called data has made, and neither takes it over nor destroys it for another run", async () => {
      const inner = join(folder.path, "module/inner");
      await mkdir(inner);
      const { version, ...read } = { version: 4, serial: 1, lineage: "other", outputs: {}, resources: [] };
      await writeFile(
        join(folder.path, "other.tfstate"),
        JSON.stringify({ version, terraform_version: "1.0.0", ...read }),
      );
      await writeFile(
        join(inner, "main.tf"),
        `resource "terraform_data" "x" {}
data "terraform_remote_state" "other" {
  backend = "local"
  config  = { path = "${join(folder.path, "other.tfstate")}" }
}
`,
      );
      const directory = join(folder.path, "module");
      await writeFile(join(directory, "main.tf"), 'module "data" { source = "./inner" }\n');
      context = createTestContext({ ...given, options: { directory } });
      for (const words of [["init"], ["apply", "-auto-approve"]])
        execaSync("terraform", words, { cwd: directory, env: { TF_DATA_DIR: join(folder.path, "terraform") } });
      // What is read is nothing that was made; what a module has is, whatever the module is called.
      expect(await driver.inspect(context)).toEqual({
        presence: "done",
        owner: null,
        found: "1 resource in the state, as the module wants them",
      });
      await expect(driver.apply(context, owner)).rejects.toThrow("its module would make nothing");
      await expect(driver.destroy(context, owner)).rejects.toThrow("this machine knows no run that made it");
    });

    it("does not take a state that cannot be read for an empty one", async () => {
      await writeFile(join(folder.path, "module/terraform.tfstate"), "not a state");
      await expect(driver.inspect(context)).rejects.toThrow("Unsupported state file format");
      await expect(driver.destroy(context, owner)).rejects.toThrow("Unsupported state file format");
    });

    it("shows no secret of a variable that the module does not call sensitive", async () => {
      const file = join(folder.path, "module/main.tf");
      const plain = (await readFile(file, "utf8")).replaceAll(/^ *sensitive *= true\n/gm, "");
      await writeFile(file, `${plain}resource "terraform_data" "shown" { input = var.token }\n`);
      const key = "-----BEGIN KEY-----\nc2VjcmV0\n-----END KEY-----";
      for (const secret of [key, JSON.stringify({ user: "shop", key: 'hun"ter2' })]) {
        context = createTestContext({ ...given, values: { "file:/token": `secret!${secret}` } });
        const { detail } = await driver.preview(context);
        expect(detail.join("\n")).toContain("[secret]");
        expect(detail.join("\n")).not.toMatch(/ter2|c2VjcmV0/);
      }
      await driver.apply(context, owner);
      expect(await driver.read(context)).toMatchObject({ token: { secret: true }, path: { secret: false } });
      await driver.destroy(context, owner);
    });

    it("goes on to its end when Refloat is killed, and what it has made is known", async () => {
      const hold = join(folder.path, "made.hold");
      await writeFile(hold, "");
      const file = join(folder.path, "request.json");
      await writeFile(
        file,
        JSON.stringify({ type: "terraform", context: given, act: "apply", owner, marker: "refloat/42/terraform/1" }),
      );
      const program = fileURLToPath(new URL("../../testing/provision-act-program.ts", import.meta.url));
      const child = spawn(process.execPath, [program, file], { stdio: "ignore" });
      while (
        !(await readFile(join(folder.path, "terraform/apply.log"), "utf8").catch(() => "")).includes(
          "Provisioning with",
        )
      )
        await delay(50);
      child.kill("SIGKILL");
      await once(child, "exit");
      await rm(hold);
      // It waits for the lock of the one that goes on, and then removes all that was made.
      await driver.destroy(context, owner);
      expect(existsSync(join(folder.path, "made"))).toBe(false);
      expect(await driver.inspect(context)).toEqual({ presence: "absent" });
    });
  });
});
