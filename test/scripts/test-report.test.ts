import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readTestReport, readUnhandled } from "../../scripts/test-report.ts";

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

const died = {
  passed: 0,
  failed: 1,
  skipped: 0,
  failures: ["vitest ended before it could report"],
  unsteady: [],
  failedFiles: [],
  slowest: [],
};

describe("readTestReport", () => {
  it("counts tests over files, what was skipped apart, and names what failed", () => {
    const report = { testResults: [file("passed", "passed", "pending"), file("failed", "failed", "passed", "todo")] };
    expect(read(JSON.stringify(report))).toEqual({
      passed: 2,
      failed: 1,
      skipped: 2,
      failures: ["src/some.test.ts: it holds: AssertionError: it does not"],
      unsteady: [],
      failedFiles: ["/project/src/some.test.ts"],
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

  describe("with a second run of what failed", () => {
    const named = (name: string, ...rest: Parameters<typeof file>) => ({ ...file(...rest), name: `/project/${name}` });
    const first = {
      testResults: [
        named("a.ts", "failed", "failed", "passed"),
        named("b.ts", "failed", "failed"),
        named("c.ts", "failed"),
        named("d.ts", "passed", "passed"),
      ],
    };
    const readBoth = (again: string) => {
      const path = join(folder, "again.json");
      writeFileSync(path, again);
      writeFileSync(join(folder, "first.json"), JSON.stringify(first));
      return readTestReport(join(folder, "first.json"), "/project", path);
    };

    it("names what passed then as unsteady, and counts each test once", () => {
      const again = {
        testResults: [
          named("a.ts", "passed", "passed", "passed"),
          named("b.ts", "failed", "failed"),
          named("c.ts", "passed", "passed"),
        ],
      };
      expect(readBoth(JSON.stringify(again))).toMatchObject({
        passed: 4,
        failed: 1,
        failures: ["b.ts: it holds: AssertionError: it does not"],
        failedFiles: ["/project/b.ts"],
        unsteady: ["a.ts: it holds: AssertionError: it does not", "c.ts: Cannot find module"],
      });
    });

    it("keeps the failure of a file that the second run does not tell of", () => {
      const some = { testResults: [named("a.ts", "passed", "passed", "passed")] };
      expect(readBoth(JSON.stringify(some)).failedFiles).toEqual(["/project/b.ts", "/project/c.ts"]);
      expect(readBoth("{")).toMatchObject({ passed: 2, failed: 3, unsteady: [] });
    });
  });

  it("is told what no test has caught, of the first run too", () => {
    const [first, again] = [join(folder, "first.unhandled"), join(folder, "again.unhandled")];
    writeFileSync(first, JSON.stringify(["nobody hears\nat nowhere"]));
    writeFileSync(again, "[]");
    expect(readUnhandled([first, again])).toEqual(["in no test: nobody hears"]);
    expect(readUnhandled([again])).toEqual([]);
    expect(readUnhandled([again, join(folder, "none")])).toHaveLength(1);
  });

  it("takes a report that is not there for a failure", () => {
    expect(readTestReport(join(folder, "none.json"), "/project")).toEqual(died);
  });
});
