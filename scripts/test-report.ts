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
  /** The same for what failed and then did not, when its file was run again: no failure of the run, and a fault to be mended. */
  readonly unsteady: readonly string[];
  /** Paths of the files that have failures. */
  readonly failedFiles: readonly string[];
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

const summarize = (report: Report, root: string): Omit<TestReport, "unsteady"> => {
  const failures = report.testResults.flatMap((file) => failuresOf(file, root));
  const failedFiles = report.testResults.filter((file) => failuresOf(file, root).length > 0).map(({ name }) => name);
  const assertions = report.testResults.flatMap((file) => file.assertionResults);
  const passed = assertions.filter(({ status }) => status === "passed").length;
  const failedTests = assertions.filter(({ status }) => status === "failed").length;
  const slowest = report.testResults
    .map(({ name, startTime, endTime }) => ({ name: relative(root, name), seconds: (endTime - startTime) / 1000 }))
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, slowestShown)
    .map(({ name, seconds }) => `${seconds.toFixed(0).padStart(4)}s  ${name}`);
  const skipped = assertions.length - passed - failedTests;
  return { passed, failed: failures.length, skipped, failures, failedFiles, slowest };
};

const parse = (path: string): Report | null => {
  try {
    return reportSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
};

/**
 * What no test has caught, of all runs: a second run of other files does not take it back.
 * @param paths of what `unhandled-errors.ts` has written; one that is not there tells of a run that ended before @returns a line for each
 */
export const readUnhandled = (paths: readonly string[]): readonly string[] =>
  paths.flatMap((path) => {
    try {
      const errors = z.array(z.string()).parse(JSON.parse(readFileSync(path, "utf8")));
      return errors.map((message) => `in no test: ${firstLine(message)}`);
    } catch {
      return ["in no test: vitest ended before it could tell of errors that no test has caught"];
    }
  });

/** What the second run says of a file takes the place of what the first one said of it; of a file that it does not tell of, the first one holds. */
const replaced = (first: Report, again: Report): Report => {
  const byName = new Map(again.testResults.map((file) => [file.name, file]));
  return { testResults: first.testResults.map((file) => byName.get(file.name) ?? file) };
};

/**
 * @param path of the JSON report; one that is missing or cut off is a failure: vitest died before it could report
 * @param root what the files are named from
 * @param again path of the report of a second run of the files that had failed; null without one
 */
export const readTestReport = (path: string, root: string, again: string | null = null): TestReport => {
  const first = parse(path);
  if (first === null)
    return {
      passed: 0,
      failed: 1,
      skipped: 0,
      failures: ["vitest ended before it could report"],
      unsteady: [],
      failedFiles: [],
      slowest: [],
    };
  const second = again === null ? null : parse(again);
  if (second === null) return { ...summarize(first, root), unsteady: [] };
  const last = summarize(replaced(first, second), root);
  const stillFailing = new Set(last.failedFiles);
  const steadied = first.testResults.filter(({ name }) => !stillFailing.has(name));
  return { ...last, unsteady: steadied.flatMap((file) => failuresOf(file, root)) };
};
