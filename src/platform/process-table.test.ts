import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { describeProcess } from "./process-table.ts";

test("a stranger's process is named without what it was given in secret, since errors and the journal keep the name", async () => {
  const words = ["-c", "read line", "--password=hunter4", "--api-token", "hunter5", "postgres://u:hunter6@h/d"];
  const shell = spawn("sh", words, { stdio: ["pipe", "ignore", "ignore"] });
  try {
    await once(shell, "spawn");
    const said = describeProcess(shell.pid ?? 0);
    expect(said).toMatch(/^\d+ \(sh -c read line --password=\*\*\* --api-token \*\*\*/);
    expect(said).not.toMatch(/hunter/);
  } finally {
    shell.kill("SIGKILL");
  }
});
