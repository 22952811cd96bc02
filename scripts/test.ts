/**
 * `npm test [-- PATH...]`: every test (or those under the paths) on real servers. The last line is `N passed, N failed`, counted from
 * vitest's JSON report; before it stand the files that took longest, and a line for each failure. A run without tests is a failure.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setUp } from "./setup.ts";
import { readTestReport } from "./test-report.ts";

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
  const report = readTestReport(reportPath, root);
  if (code !== 0 && report.failed === 0) process.stdout.write(`vitest ended with ${String(signal ?? code)}\n`);
  for (const file of report.slowest) process.stdout.write(`slow: ${file}\n`);
  if (report.skipped > 0) process.stdout.write(`${report.skipped} skipped\n`);
  if (report.passed === 0 && report.failed === 0) process.stdout.write("no test ran\n");
  for (const failure of report.failures) process.stdout.write(`failed: ${failure}\n`);
  process.exitCode = code === 0 && report.failed === 0 && report.passed > 0 ? 0 : 1;
  process.stdout.write(`${report.passed} passed, ${report.failed} failed\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
