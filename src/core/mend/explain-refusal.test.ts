import { expect, test } from "vitest";
import { RefloatError } from "../../model/refloat-error.ts";
import { explainFailure } from "./explain-refusal.ts";

test.each([
  ["changed", "rows.changed"],
  ["overtaken", "rows.changed"],
  ["refused", "target.failed"],
] as const)("a script that failed since a row was %s tells that nothing was changed, and what to do", (kind, code) => {
  const cause = new Error("the server's own");
  for (const direction of ["mend", "undo"] as const)
    expect(explainFailure(cause, { kind, message: "row 7" }, direction)).toMatchObject({
      code,
      cause,
      message: expect.stringContaining("row 7"),
      state: "nothing was changed: it is all or nothing",
      hint: expect.stringContaining("compare again"),
    });
});

test("where the last word was sent and not answered nobody is told that nothing was changed", () => {
  const lost = new RefloatError("source.unreachable", "the connection was lost");
  expect(explainFailure(lost, { kind: "unheard" }, "mend")).toMatchObject({
    code: "source.unreachable",
    state: "it is not known whether it was done: compare again",
  });
  expect(explainFailure(lost, { kind: "other" }, "mend")).toMatchObject({
    state: "nothing was changed: it is all or nothing",
  });
});
