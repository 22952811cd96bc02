/** The check for authors of plugins: passes what keeps the contract, and says where the rest breaks it. */
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fillFolder, folderPlugin } from "../../src/testing/command-bench.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder("refloat-check-plugin-test");
  await fillFolder(join(folder.path, "srv", "data"));
  await writeFile(join(folder.path, "token"), "hunter2\n");
});
afterEach(() => folder.remove());

const check = async (fault: string) => {
  const file = join(folder.path, "component.yaml");
  const keys = {
    type: "command",
    plugin: folderPlugin,
    name: join(folder.path, "srv", "data"),
    options: { token: `\${file:${join(folder.path, "token")}}` },
    environment: { FAULT: fault },
  };
  await writeFile(file, JSON.stringify(keys));
  const script = join(import.meta.dirname, "../../scripts/check-plugin.ts");
  const { exitCode, stdout, stderr } = await execa(process.execPath, [script, file], { reject: false });
  return { exitCode, stdout, stderr };
};

test("a plugin that keeps the contract has no faults, and nothing is left of the check", async () => {
  const { exitCode, stdout } = await check("");
  expect(stdout).toContain("ok    has the facts that were captured: files, revision as captured");
  expect(stdout).toMatch(/no faults$/);
  expect(exitCode).toBe(0);
  expect(readdirSync(join(folder.path, "srv"))).toEqual(["data"]);
});

test.each([
  ["no seal", "FAULT captures whole: capture of checked by folder 1.2.3 failed: its data is torn: it has no seal"],
  ["killed while it restores", "FAULT restores: restore of checked by folder 1.2.3 failed: ended by SIGKILL"],
  ["odd presence", "FAULT has nothing where an instance goes: inspect of checked"],
])("one that breaks it (%s) is told where", async (fault, message) => {
  const { exitCode, stdout } = await check(fault);
  expect(stdout).toContain(message);
  expect(stdout).not.toContain("hunter2");
  expect(exitCode).toBe(4);
});
