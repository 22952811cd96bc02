/** What a running process rests on, by its own map of memory. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createTestFolder } from "../testing/driver-context.ts";
import { mappedFiles } from "./fingerprint.ts";

it("names a program whose path has dots, as those of interpreters have, and its libraries", async () => {
  const folder = await createTestFolder("refloat-mapped");
  const program = join(folder.path, "app-1.2");
  await copyFile("/bin/sleep", program);
  const child = spawn(program, ["600"], { stdio: "ignore" });
  try {
    await once(child, "spawn");
    await expect.poll(() => mappedFiles(child.pid ?? 0)).toContainEqual(expect.stringMatching(/\/libc\.so\.6$/));
    const found = await mappedFiles(child.pid ?? 0);
    expect(found).toContain(program);
    // Data that is only read is no part of the program.
    expect(found.filter((path) => path.includes("/locale/"))).toEqual([]);
  } finally {
    child.kill("SIGKILL");
    await folder.remove();
  }
});
