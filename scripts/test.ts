/**
 * `npm test [-- PATH...]`: every test (or those under the paths) on real servers. The last line is `N passed, N failed`, counted from
 * vitest's JSON report; before it stand the files that took longest, and a line for each failure. A run without tests is a failure.
 * Where few files of the whole suite fail, they are run once more, alone: what fails then has failed. What does not is named `unsteady`, so that it is mended.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setUp } from "./setup.ts";
import { readTestReport, readUnhandled } from "./test-report.ts";
import { unhandledPath } from "./unhandled-errors.ts";

const root = join(import.meta.dirname, "..");
/** With more than that something is wrong with what is tested, or with the machine. */
const mostFilesAgain = 3;

const unhandledOf = (reportPath: string): string => `${reportPath}.unhandled`;

const runVitest = async (args: readonly string[], reportPath: string): Promise<string | number> => {
  const child = spawn(
    process.execPath,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--reporter=${join(root, "scripts/unhandled-errors.ts")}`,
      `--outputFile.json=${reportPath}`,
      ...args,
    ],
    { cwd: root, stdio: "inherit", env: { ...process.env, [unhandledPath]: unhandledOf(reportPath) } },
  );
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  return code ?? signal ?? "no status";
};

setUp("tests");
const folder = mkdtempSync(join(tmpdir(), "refloat-test-report-"));
try {
  const args = process.argv.slice(2);
  const [first, again] = [join(folder, "report.json"), join(folder, "again.json")];
  const reports = [first];
  let ended = await runVitest(args, first);
  let report = readTestReport(first, root);
  const { failedFiles } = report;
  if (args.length === 0 && failedFiles.length > 0 && failedFiles.length <= mostFilesAgain) {
    for (const failure of report.failures) process.stdout.write(`run again: ${failure}\n`);
    reports.push(again);
    ended = await runVitest(["--no-file-parallelism", ...failedFiles], again);
    report = readTestReport(first, root, again);
  }
  const unhandled = readUnhandled(reports.map(unhandledOf));
  const failed = report.failed + unhandled.length;
  if (ended !== 0 && failed === 0) process.stdout.write(`vitest ended with ${ended}\n`);
  for (const file of report.slowest) process.stdout.write(`slow: ${file}\n`);
  if (report.skipped > 0) process.stdout.write(`${report.skipped} skipped\n`);
  if (report.passed === 0 && failed === 0) process.stdout.write("no test ran\n");
  for (const failure of report.unsteady) process.stdout.write(`unsteady: ${failure}\n`);
  for (const failure of [...report.failures, ...unhandled]) process.stdout.write(`failed: ${failure}\n`);
  process.exitCode = ended === 0 && failed === 0 && report.passed > 0 ? 0 : 1;
  process.stdout.write(`${report.passed} passed, ${failed} failed\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
