/** Captures, restores and checks of real configurations: secrets, applies in the middle, backends, a program that is missing, a full disk. */
import { chmod, mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CheckContext, InstanceTarget } from "../../../core/ports/driver.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import type { CapturedComponent } from "../../../model/manifest.ts";
import { type TestFolder, createTestCheckContext, createTestFolder } from "../../../testing/driver-context.ts";
import {
  applied,
  captureTerraformInto,
  createVault,
  hasTerraform,
  makeConfiguration,
  password,
  readTerraformContent,
  terraform,
  terraformContext,
  terraformDriver,
} from "../../../testing/terraform-bench.ts";
import { terraformBundle } from "../terraform-bundle.ts";
import type { TerraformContext } from "./component-options.ts";

vi.setConfig({ testTimeout: 300_000 });

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const { instances, switching, writes } = terraformDriver;

describe.skipIf(!hasTerraform)("a Terraform configuration", () => {
  let folder: TestFolder;
  let vault: Repository;
  let path: string;
  let context: TerraformContext;
  let target: InstanceTarget;

  const restore = async (captured: CapturedComponent) =>
    instances.restore(context, target, await vault.openSnapshot(captured.snapshot), captured);
  const check = (terraformKind: string, at: string, given: Partial<CheckContext> = {}) => {
    const [driver] = terraformBundle.checks;
    if (driver === undefined) throw new Error("the bundle has no check");
    const outputs = { path: { value: at, secret: false } };
    const asked = createTestCheckContext({ outputs, timeoutMs: 30_000, ...given });
    return driver.run(asked, driver.options.parse({ terraform: terraformKind }));
  };

  beforeEach(async () => {
    folder = await createTestFolder("refloat-terraform");
    vault = await createVault(folder.path);
    path = join(folder.path, "infrastructure");
    await makeConfiguration(path);
    context = terraformContext(path, folder.path);
    target = { name: await instances.name(context, 42), run: 42, runUid };
  });
  afterEach(async () => {
    await vault.close();
    await folder.remove();
  });

  test("comes back with its state, which only its owner may read, and whose secrets stand nowhere else", async () => {
    const owner = process.getuid?.() === 0 ? 65_534 : process.getuid?.();
    await execa("chown", ["-R", String(owner), path]);
    const captured = await captureTerraformInto(context, vault);
    expect(captured.facts).toMatchObject({
      counts: { files: 1, resources: 2, outputs: 1 },
      units: { terraform_data: { rows: 2 } },
    });
    expect(captured.facts.position?.mark).toMatchObject({ lineage: expect.any(String), serial: expect.any(Number) });
    expect(JSON.stringify(captured)).not.toContain(password);
    expect((await execa("grep", ["-rlF", password, join(folder.path, "vault")], { reject: false })).stdout).toBe("");
    await restore(captured);
    expect((await readdir(target.name)).toSorted()).toEqual(["main.tf", "terraform.tfstate"]);
    const { mode, uid } = await stat(join(target.name, "terraform.tfstate"));
    expect({ mode: mode & 0o777, uid }).toEqual({ mode: 0o600, uid: owner });
    const outcomes = await instances.validate(context, target, captured.facts);
    expect(outcomes).toMatchObject([{ status: "passed" }, { status: "passed", found: "valid" }]);
    // Looking at it has left nothing in it.
    expect((await readdir(target.name)).toSorted()).toEqual(["main.tf", "terraform.tfstate"]);
    expect(await check("plan", target.name)).toMatchObject({
      status: "passed",
      found: "state and configuration agree",
    });
    expect(JSON.stringify([outcomes, await terraformDriver.preflight(context)])).not.toContain(password);
  });

  test("a check tells a plan that would change something, and a configuration that is wrong, without a value", async () => {
    await writeFile(join(path, "more.tf"), `resource "terraform_data" "new" { input = "${password}" }\n`);
    expect(await check("plan", path)).toMatchObject({
      status: "failed",
      found: "Plan: 1 to add, 0 to change, 0 to destroy.",
    });
    expect(await check("validate", path)).toMatchObject({ status: "passed" });
    await writeFile(join(path, "more.tf"), 'resource "terraform_data" "new" { nothing = 1 }\n');
    expect(await check("validate", path)).toMatchObject({ status: "failed", found: "Unsupported argument" });
    expect((await readdir(path)).toSorted()).toEqual(["main.tf", "more.tf", "terraform.tfstate"]);
  });

  test("a check runs the component's program with the component's environment, and shows no secret of it", async () => {
    await terraform(path, "apply", "-auto-approve", "-no-color", "-var=price=7");
    const { bind } = createTestCheckContext({ values: { "env:PRICE": "7", "env:BAD": "secret!-hunter2" } });
    const declaring = (environment: Record<string, string>, more = {}) => ({
      bind,
      declared: { path, environment, ...more },
    });
    expect(await check("plan", path, declaring({ TF_VAR_price: "${env:PRICE}" }))).toMatchObject({ status: "passed" });
    expect(await check("plan", path)).toMatchObject({ status: "failed", found: expect.stringContaining("to change") });
    const bad = await check("plan", path, declaring({ TF_CLI_ARGS_plan: "${env:BAD}" }));
    expect(bad).toMatchObject({ status: "failed", found: expect.stringContaining("provided but not defined") });
    expect(bad.found).not.toContain("hunter2");
    expect(await check("plan", path, declaring({}, { program: "/nowhere/tofu" }))).toMatchObject({
      status: "failed",
      found: expect.stringContaining("/nowhere/tofu"),
    });
  });

  test("an apply in the middle of a capture is no point", async () => {
    const capturing = captureTerraformInto(context, vault, (sink) => ({
      ...sink,
      tree: async (...given) => {
        const receipt = await sink.tree(...given);
        await terraform(path, "apply", "-auto-approve", "-no-color", "-var=price=9");
        return receipt;
      },
    }));
    await expect(capturing).rejects.toMatchObject({
      code: "source.failed",
      message: expect.stringContaining("was applied while"),
    });
  });

  test("a state in a backend is captured from there, lies beside after a restore, and the backend is left as it is", async () => {
    const remote = join(folder.path, "remote.tfstate");
    await writeFile(join(path, "backend.tf"), `terraform {\n  backend "local" { path = "${remote}" }\n}\n`);
    await terraform(path, "init", "-migrate-state", "-force-copy", "-no-color");
    const captured = await captureTerraformInto(context, vault);
    const before = await readFile(remote, "utf8");
    await restore(captured);
    expect((await readdir(target.name)).toSorted()).toEqual(["backend.tf", "main.tf", "restored.tfstate"]);
    expect(await instances.validate(context, target, captured.facts)).toMatchObject([
      { status: "passed" },
      { status: "passed" },
    ]);
    expect(await check("plan", target.name)).toMatchObject({ status: "skipped" });
    await terraform(path, "apply", "-auto-approve", "-no-color", "-var=price=9");
    const exchange = { incoming: target.name, outgoing: await instances.retiredName(context, 42) };
    await switching.exchange(context, exchange, await switching.observe(context, exchange));
    expect(await readFile(remote, "utf8")).not.toBe(before);
    const [next, push] = (await switching.settle?.(context, exchange.outgoing)) ?? [];
    expect(next).toContain("nothing was applied");
    expect(push).toContain("state push restored.tfstate");
    await terraform(path, "init", "-no-color");
    await terraform(path, "state", "push", "-force", join(path, "restored.tfstate"));
    expect(JSON.parse(await terraform(path, "state", "pull"))).toMatchObject({ outputs: { price: { value: 5 } } });
  });

  test("a state that was changed, or differs from the facts, is told", async () => {
    const captured = await captureTerraformInto(context, vault);
    const detail = { ...captured.facts.detail, stateSha256: "0".repeat(64) };
    await expect(restore({ ...captured, facts: { ...captured.facts, detail } })).rejects.toMatchObject({
      code: "point.damaged",
    });
    await instances.drop(context, target);
    await restore(captured);
    await terraform(target.name, "init", "-no-color");
    await applied(target.name);
    await terraform(target.name, "apply", "-auto-approve", "-no-color", "-destroy", "-target=terraform_data.product");
    expect(await instances.validate(context, target, captured.facts)).toMatchObject([
      { status: "failed", found: expect.stringMatching(/^the state's serial is \d+, captured \d+$/) },
      { status: "failed", found: "terraform_data: 1, captured 2" },
      { status: "passed" },
    ]);
  });

  test("without the program a point is restored and compared, and what only the program could tell is skipped by name", async () => {
    const captured = await captureTerraformInto(context, vault);
    context = terraformContext(path, folder.path, { program: "/nowhere/terraform" });
    await restore(captured);
    expect(await instances.validate(context, target, captured.facts)).toMatchObject([
      { status: "passed" },
      { status: "skipped", found: expect.stringContaining("/nowhere/terraform is not installed") },
    ]);
    await expect(captureTerraformInto(context, vault)).rejects.toMatchObject({ code: "program.missing" });
  });

  test("a folder without init, another workspace and a state of another form are refused, without a word of their content", async () => {
    await terraform(path, "workspace", "new", "staging");
    await expect(captureTerraformInto(context, vault)).rejects.toMatchObject({
      code: "source.unsupported",
      message: expect.stringContaining("workspace staging"),
    });
    await terraform(path, "workspace", "select", "default");
    expect((await captureTerraformInto(context, vault)).warnings).toEqual([
      "other workspaces are not in the point: staging",
    ]);
    const fake = join(folder.path, "fake");
    await writeFile(
      fake,
      `#!/bin/sh\ncase "$1" in version) echo '{"terraform_version":"9.9.9"}';; workspace) echo '* default';; *) echo '{"version":9,"secret":"${password}"}';; esac\n`,
    );
    await chmod(fake, 0o755);
    const refused = captureTerraformInto(terraformContext(path, folder.path, { program: fake }), vault);
    await expect(refused).rejects.toMatchObject({
      code: "source.unsupported",
      message: "the state is not one of version 4 of Terraform's format",
    });
    const bare = join(folder.path, "bare");
    await mkdir(bare);
    await writeFile(
      join(bare, "main.tf"),
      `terraform {\n  backend "local" { path = "${folder.path}/else.tfstate" }\n}\n`,
    );
    await expect(captureTerraformInto(terraformContext(bare, folder.path), vault)).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:source|program)\.failed$/),
      message: expect.stringContaining("nit"),
    });
  });

  test("a restore to a full disk says so, is dropped, and is made again when there is room", async ({ skip }) => {
    skip(process.getuid?.() !== 0, "only root may mount a small tmpfs to fill");
    await execa("sh", ["-c", "head -c 300000 /dev/urandom | base64 > large.txt"], { cwd: path });
    const captured = await captureTerraformInto(context, vault);
    const disk = join(folder.path, "disk");
    await mkdir(disk);
    await execa("mount", ["-t", "tmpfs", "-o", "size=100k", "tmpfs", disk]);
    try {
      context = terraformContext(join(disk, "infrastructure"), folder.path);
      target = { ...target, name: await instances.name(context, 42) };
      await expect(restore(captured)).rejects.toMatchObject({ code: "target.failed" });
      expect(await instances.inspect(context, target)).toBe("partial");
      await instances.drop(context, target);
      await execa("mount", ["-o", "remount,size=8m", disk]);
      await restore(captured);
      expect(await readTerraformContent(target.name)).toBe(await readTerraformContent(path));
    } finally {
      await execa("umount", [disk]);
    }
  });

  test("writes are told by the state's serial and by the files, and no write as none", async () => {
    const captured = await captureTerraformInto(context, vault);
    const { position } = captured.facts;
    if (writes === undefined || position === undefined) throw new Error("there is no ledger");
    const since = () => writes.writesSince(context, { location: null, since: position });
    expect(await since()).toEqual({ lastWriteAt: null, units: [], gaps: [] });
    await terraform(path, "apply", "-auto-approve", "-no-color", "-var=price=9");
    expect((await since()).gaps).toEqual([expect.stringMatching(/^the state was written \d+ times \(serial/)]);
    await writeFile(join(path, "more.tf"), "");
    expect((await since()).gaps).toHaveLength(2);
    await restore(captured);
    expect(await writes.writesSince(context, { location: target.name, since: position })).toEqual({
      lastWriteAt: null,
      units: [],
      gaps: [],
    });
  });
});
