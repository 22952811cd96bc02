/** Counts what vitest's JSON report tells, so that a failure cannot hide: not in a file that could not be loaded, nor in a report that is not there. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const reportSchema = z.object({
  testResults: z.array(
    z.object({
      status: z.string(),
      assertionResults: z.array(z.object({ status: z.string() })),
    }),
  ),
});

export type Counts = { readonly passed: number; readonly failed: number; readonly skipped: number };

/** A test file that failed without a failed test (it could not be loaded, or its hooks failed) counts as one failure. */
const countResults = (report: z.infer<typeof reportSchema>): Counts => {
  const assertions = report.testResults.flatMap((file) => file.assertionResults);
  const failedTests = assertions.filter(({ status }) => status === "failed").length;
  const failedFiles = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  ).length;
  const passed = assertions.filter(({ status }) => status === "passed").length;
  return { passed, failed: failedTests + failedFiles, skipped: assertions.length - passed - failedTests };
};

/** @param path of the JSON report; one that is missing or cut off is a failure: vitest died before it could report */
export const readCounts = (path: string): Counts => {
  try {
    return countResults(reportSchema.parse(JSON.parse(readFileSync(path, "utf8"))));
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
};
