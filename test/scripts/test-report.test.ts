import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCounts } from "../../scripts/test-report.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "refloat-counts-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const count = (text: string) => {
  const path = join(folder, "report.json");
  writeFileSync(path, text);
  return readCounts(path);
};

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((test) => ({ status: test })),
});

describe("readCounts", () => {
  it("counts tests over files, and what was skipped apart", () => {
    const report = { testResults: [file("passed", "passed", "pending"), file("failed", "failed", "passed", "todo")] };
    expect(count(JSON.stringify(report))).toEqual({ passed: 2, failed: 1, skipped: 2 });
  });

  it("counts a file that failed without a failed test as one failure", () => {
    const report = { testResults: [file("passed", "passed"), file("failed"), file("failed", "passed")] };
    expect(count(JSON.stringify(report))).toEqual({ passed: 2, failed: 2, skipped: 0 });
  });

  it.each([
    ["is cut off", '{"testResults":[{"status":"passed"'],
    ["is something else", '{"passed":12}'],
  ])("takes a report that %s for a failure", (_, text) => {
    expect(count(text)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });

  it("takes a report that is not there for a failure", () => {
    expect(readCounts(join(folder, "none.json"))).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});
