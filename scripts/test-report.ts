/** Reads what vitest's JSON report tells, so that a failure cannot hide: not in a file that could not be loaded, nor in a report that is not there. */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { z } from "zod";

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      startTime: z.number(),
      endTime: z.number(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({ status: z.string(), fullName: z.string(), failureMessages: z.array(z.string()).nullish() }),
      ),
    }),
  ),
});

type Report = z.infer<typeof reportSchema>;
type FileResult = Report["testResults"][number];

export type TestReport = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** A line for each failure: the file, the test, the first line of what it said. */
  readonly failures: readonly string[];
  /** Files and the seconds that each took beside what else ran, longest first: what the length of the suite is made of. */
  readonly slowest: readonly string[];
};

const slowestShown = 20;

const firstLine = (text: string | undefined): string => text?.split("\n", 1)[0] ?? "it says nothing";

/** A test file that failed without a failed test (it could not be loaded, or its hooks failed) is one failure. */
const failuresOf = (file: FileResult, root: string): readonly string[] => {
  const path = relative(root, file.name);
  const failed = file.assertionResults.filter(({ status }) => status === "failed");
  if (failed.length === 0) return file.status === "failed" ? [`${path}: ${firstLine(file.message)}`] : [];
  return failed.map(({ fullName, failureMessages }) => `${path}: ${fullName}: ${firstLine(failureMessages?.[0])}`);
};

const readReport = (report: Report, root: string): TestReport => {
  const failures = report.testResults.flatMap((file) => failuresOf(file, root));
  const assertions = report.testResults.flatMap((file) => file.assertionResults);
  const passed = assertions.filter(({ status }) => status === "passed").length;
  const failedTests = assertions.filter(({ status }) => status === "failed").length;
  const slowest = report.testResults
    .map(({ name, startTime, endTime }) => ({ name: relative(root, name), seconds: (endTime - startTime) / 1000 }))
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, slowestShown)
    .map(({ name, seconds }) => `${seconds.toFixed(0).padStart(4)}s  ${name}`);
  return { passed, failed: failures.length, skipped: assertions.length - passed - failedTests, failures, slowest };
};

/**
 * @param path of the JSON report; one that is missing or cut off is a failure: vitest died before it could report
 * @param root what the files are named from
 */
export const readTestReport = (path: string, root: string): TestReport => {
  try {
    return readReport(reportSchema.parse(JSON.parse(readFileSync(path, "utf8"))), root);
  } catch {
    return { passed: 0, failed: 1, skipped: 0, failures: ["vitest ended before it could report"], slowest: [] };
  }
};
