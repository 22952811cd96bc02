import { expect, it } from "vitest";
import { missedWarning } from "./stillness.ts";

it("warns of what was made while nothing was held by what it is: a point or a mark", () => {
  expect(missedWarning("shop", "the lock was not given", "point")).toMatchObject({
    message: "the point is not quiesced: the lock was not given",
    hint: "it was captured while the service went on",
    nextCommand: "refloat validate --live shop",
  });
  const mark = missedWarning("shop", "the lock was not given", "mark");
  expect(mark).toMatchObject({
    message: "the service was not held for the mark: the lock was not given",
    hint: "its markers were placed while the service went on",
  });
  expect(JSON.stringify(mark)).not.toContain("point");
});
