import { expect, it } from "vitest";
import { describeUnit } from "./describe-unit.ts";

const written = (name: string, added: number, changed: number, removed: number) => ({ name, added, changed, removed });

it("tells how much of what was written, one of it as one", () => {
  expect(describeUnit(written("files", 1, 1, 2))).toBe("1 file, 1 changed file, 2 removed files");
  expect(describeUnit(written("files", 1, 0, 0), "new ")).toBe("1 new file");
  expect(describeUnit(written("large objects", 0, 0, 1))).toBe("1 removed large object");
});

it("leaves the name of a table as it is", () => {
  expect(describeUnit(written("address", 312, 1, 0), "new ")).toBe("312 new address, 1 changed address");
  expect(describeUnit(written("news", 1, 0, 0))).toBe("1 news");
});

it("says what was counted where the unit only holds it", () => {
  expect(describeUnit({ ...written("shop", 1, 5009, 2), counted: "rows" }, "new ")).toBe(
    "1 row added in shop, 5,009 rows changed in shop, 2 rows removed in shop",
  );
  expect(describeUnit({ ...written("db0", 1, 0, 0), counted: "keys" })).toBe("1 key added in db0");
});
