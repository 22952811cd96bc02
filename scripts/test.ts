/**
 * `npm test [-- PATH...]`: every test (or those under the paths) on real servers. The last line is `N passed, N failed`, counted from
 * vitest's JSON report. A run without tests is a failure.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setUp } from "./setup.ts";
import { readCounts } from "./test-report.ts";

const root = join(import.meta.dirname, "..");

setUp("tests");
const folder = mkdtempSync(join(tmpdir(), "refloat-test-report-"));
try {
  const reportPath = join(folder, "report.json");
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const child = spawn(
    process.execPath,
    [
      vitest,
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${reportPath}`,
      ...process.argv.slice(2),
    ],
    { cwd: root, stdio: "inherit" },
  );
  const [code, signal] = await once(child, "exit");
  const counts = readCounts(reportPath);
  if (code !== 0 && counts.failed === 0) process.stdout.write(`vitest ended with ${String(signal ?? code)}\n`);
  if (counts.skipped > 0) process.stdout.write(`${counts.skipped} skipped\n`);
  if (counts.passed === 0 && counts.failed === 0) process.stdout.write("no test ran\n");
  process.exitCode = code === 0 && counts.failed === 0 && counts.passed > 0 ? 0 : 1;
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
