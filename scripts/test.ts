/**
 * `npm test`: every test on real servers. The last line is `N passed, N failed`, counted from vitest's JSON report; a test file
 * that cannot be loaded counts as one failure, and a run without tests is a failure too.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { setUp } from "./setup.ts";

const root = join(import.meta.dirname, "..");

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
});

type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

const countResults = (report: z.infer<typeof reportSchema>): Counts => {
  const assertions = report.testResults.flatMap((file) => file.assertionResults);
  const failedAssertions = assertions.filter(({ status }) => status === "failed").length;
  const unloadable = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  ).length;
  const passed = assertions.filter(({ status }) => status === "passed").length;
  return { passed, failed: failedAssertions + unloadable, skipped: assertions.length - passed - failedAssertions };
};

const readReport = (path: string): Counts => {
  try {
    return countResults(reportSchema.parse(JSON.parse(readFileSync(path, "utf8"))));
  } catch {
    // vitest died before it could report: that is one failure, never a silent zero.
    return { passed: 0, failed: 1, skipped: 0 };
  }
};

setUp();
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
  const counts = readReport(reportPath);
  if (code !== 0 && counts.failed === 0) process.stdout.write(`vitest ended with ${String(signal ?? code)}\n`);
  if (counts.skipped > 0) process.stdout.write(`${counts.skipped} skipped\n`);
  if (counts.passed === 0 && counts.failed === 0) process.stdout.write("no test ran\n");
  process.exitCode = code === 0 && counts.failed === 0 && counts.passed > 0 ? 0 : 1;
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
