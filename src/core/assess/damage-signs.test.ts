import { expect, test } from "vitest";
import type { MendedTable } from "../../model/mend.ts";
import { damageSigns } from "./damage-signs.ts";

const table = (more: Partial<MendedTable>): MendedTable => ({
  name: "products",
  asked: true,
  made: false,
  key: ["id"],
  equal: 1000,
  changed: 0,
  gone: 0,
  newer: 0,
  puts: { changed: 0, gone: 0 },
  columns: [],
  samples: [],
  alike: [],
  triggers: [],
  ...more,
});
const words = (more: Partial<MendedTable>) => damageSigns(table(more)).map((sign) => sign.words);
const column = (rows: number, alike: number, distinctBefore: number) => ({
  name: "price",
  rows,
  mostly: { value: "0.00", rows: alike },
  distinctBefore,
});

test("many values that became one are a sign, a state that all went through is none", () => {
  expect(words({ changed: 40, columns: [column(40, 40, 31)] })).toEqual(["price is 0.00 in all of 40 changed rows"]);
  expect(words({ changed: 40, columns: [column(40, 37, 31)] })).toEqual(["price is 0.00 in 37 of 40 changed rows"]);
  expect(words({ changed: 40, columns: [column(40, 40, 2)] })).toEqual([]);
  expect(words({ changed: 40, columns: [column(40, 20, 31)] })).toEqual([]);
  expect(words({ changed: 9, columns: [column(9, 9, 9)] })).toEqual([]);
});

test("rows that are gone, and a table of which most differs", () => {
  expect(words({ gone: 1 })).toEqual(["1 of 1,001 rows gone"]);
  expect(words({ equal: 10, changed: 30, newer: 500 })).toEqual(["30 of 40 rows differ"]);
  expect(words({ equal: 30, changed: 29, newer: 5 })).toEqual([]);
  expect(words({ newer: 5000 })).toEqual([]);
});
