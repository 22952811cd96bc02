import { describe, expect, test } from "vitest";
import { formatDatabase, formatTable, parseExcerptName } from "./excerpt-name.ts";

describe("the name of a part of a cluster", () => {
  test.each([
    ["bench", { kind: "database", database: "bench" }],
    ["shop.v2", { kind: "database", database: "shop.v2" }],
    ["bench/orders", { kind: "table", database: "bench", schema: null, table: "orders" }],
    ["bench/audit.log", { kind: "table", database: "bench", schema: "audit", table: "log" }],
    ["bench/audit.", { kind: "schema", database: "bench", schema: "audit" }],
    ["Bench/Orders", { kind: "table", database: "Bench", schema: null, table: "Orders" }],
    ['"a/b"/"Odd Schema"."a.""b"', { kind: "table", database: "a/b", schema: "Odd Schema", table: 'a."b' }],
    ['"data"', { kind: "database", database: "data" }],
  ])("%s", (typed, name) => {
    expect(parseExcerptName(typed)).toEqual(name);
  });

  test.each(["", "/orders", "bench/", "bench/a.b.c", "bench/a/b", '"open/orders', '""', "data/base/1/2"])(
    "%j has no such form",
    (typed) => {
      expect(parseExcerptName(typed)).toBeNull();
    },
  );

  test("is written so that it is read back as it was", () => {
    for (const database of ["bench", "a/b", 'a"b', "shop.v2"])
      for (const [schema, table] of [
        ["public", "orders"],
        ["Odd Schema", 'a."b'],
      ] as const)
        expect(parseExcerptName(`${formatDatabase(database)}/${formatTable(schema, table)}`)).toEqual({
          kind: "table",
          database,
          schema,
          table,
        });
  });
});
