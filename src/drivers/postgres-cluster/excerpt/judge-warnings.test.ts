import { describe, expect, test } from "vitest";
import { judgeWarnings } from "./judge-warnings.ts";

const judge = judgeWarnings({ hollow: new Set(["5/16400"]), databases: new Set(["1", "5"]) });

describe("what a server says of a page that its log needs and that is not there", () => {
  test.each([
    "WARNING:  page 7 of relation base/5/16400 is uninitialized",
    "WARNING:  page 7 of relation base/5/16400_vm does not exist",
    "WARNING:  page 7 of relation pg_tblspc/16385/PG_15_202209061/5/16400 is uninitialized",
    // A copy that the log has made of a database with holes.
    "WARNING:  page 0 of relation base/16999/16400 is uninitialized",
    "WARNING:  WAL contains references to invalid pages",
    "LOG:  page 7 of relation base/5/16500 is uninitialized",
  ])("%s is as meant, or says nothing of a page", (line) => {
    expect(() => judge(line)).not.toThrow();
  });

  test.each([
    "WARNING:  page 7 of relation base/5/16500 is uninitialized",
    "WARNING:  page 7 of relation base/5/1259 does not exist",
    "WARNING:  page 7 of relation global/1260 does not exist",
  ])("%s is damage", (line) => {
    expect(() => judge(line)).toThrow(expect.objectContaining({ code: "log.damaged" }));
  });

  test("nothing is hollow in a whole copy", () => {
    const strict = judgeWarnings({ hollow: new Set(), databases: new Set(["5"]) });
    expect(() => strict("WARNING:  page 0 of relation base/16999/16400 is uninitialized")).toThrow(
      "page 0 of base/16999/16400",
    );
  });
});
