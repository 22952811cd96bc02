import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readTestReport } from "../../scripts/test-report.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "refloat-counts-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (text: string) => {
  const path = join(folder, "report.json");
  writeFileSync(path, text);
  return readTestReport(path, "/project");
};

const file = (status: string, ...tests: string[]) => ({
  name: "/project/src/some.test.ts",
  status,
  startTime: 1000,
  endTime: 3400,
  message: "Cannot find module\nat nowhere",
  assertionResults: tests.map((test) => ({
    status: test,
    fullName: "it holds",
    failureMessages: test === "failed" ? ["AssertionError: it does not\n  at line 3"] : [],
  })),
});

const died = { passed: 0, failed: 1, skipped: 0, failures: ["vitest ended before it could report"], slowest: [] };

describe("readTestReport", () => {
  it("counts tests over files, what was skipped apart, and names what failed", () => {
    const report = { testResults: [file("passed", "passed", "pending"), file("failed", "failed", "passed", "todo")] };
    expect(read(JSON.stringify(report))).toEqual({
      passed: 2,
      failed: 1,
      skipped: 2,
      failures: ["src/some.test.ts: it holds: AssertionError: it does not"],
      slowest: ["   2s  src/some.test.ts", "   2s  src/some.test.ts"],
    });
  });

  it("counts a file that failed without a failed test as one failure", () => {
    const report = { testResults: [file("passed", "passed"), file("failed"), file("failed", "passed")] };
    const why = "src/some.test.ts: Cannot find module";
    expect(read(JSON.stringify(report))).toMatchObject({ passed: 2, failed: 2, skipped: 0, failures: [why, why] });
  });

  it.each([
    ["is cut off", '{"testResults":[{"status":"passed"'],
    ["is something else", '{"passed":12}'],
  ])("takes a report that %s for a failure", (_, text) => {
    expect(read(text)).toEqual(died);
  });

  it("names the files that took longest, twenty of them", () => {
    const took = (seconds: number) => ({
      ...file("passed", "passed"),
      name: `/project/${seconds}.ts`,
      endTime: 1000 * (1 + seconds),
    });
    const { slowest } = read(
      JSON.stringify({ testResults: Array.from({ length: 25 }, (_, seconds) => took(seconds)) }),
    );
    expect(slowest).toHaveLength(20);
    expect(slowest[0]).toBe("  24s  24.ts");
  });

  it("takes a report that is not there for a failure", () => {
    expect(readTestReport(join(folder, "none.json"), "/project")).toEqual(died);
  });
});
