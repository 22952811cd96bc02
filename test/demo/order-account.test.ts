import { expect, it } from "vitest";
import { accountFor } from "../../scripts/demo/order-account.ts";

const first = { id: 1, total: "10.00" };
const second = { id: 2, total: "20.00" };

it("finds each order in one place", () => {
  expect(accountFor([first, second], [second], [first])).toEqual({
    acknowledged: 2,
    inNewDatabase: 1,
    inExport: 1,
    missing: [],
    twice: [],
  });
});

it("misses what is nowhere", () => {
  expect(accountFor([first, second], [second], []).missing).toEqual([1]);
});

it.each([
  ["told to two customers", [first, { ...first, total: "11.00" }], [first], [{ ...first, total: "11.00" }]],
  ["of one order in both places", [first], [first], [first]],
  ["of another order in the new database", [first], [{ ...first, total: "99.00" }], [first]],
  ["of another order in the export", [first], [first], [{ ...first, total: "99.00" }]],
])("notices a number %s", (_, acknowledged, kept, exported) => {
  expect(accountFor(acknowledged, kept, exported).twice).toEqual([1]);
});
