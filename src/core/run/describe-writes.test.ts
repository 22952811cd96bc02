import { expect, it } from "vitest";
import { describeWrites } from "./describe-writes.ts";

it("tells how many of what, as all screens write numbers, and what is not known", () => {
  const units = [{ name: "orders", added: 1662, changed: 0, removed: 3 }];
  expect(describeWrites({ units, gaps: [] })).toBe("1,662 new orders, 3 removed orders");
  expect(describeWrites({ units, gaps: ["a cannot be read"] })).toBe(
    "1,662 new orders, 3 removed orders; may be more: a cannot be read",
  );
  expect(describeWrites({ units: [], gaps: ["a cannot be read"] })).toBe("may be some: a cannot be read");
});
