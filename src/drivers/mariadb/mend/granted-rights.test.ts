import { expect, test } from "vitest";
import { lackingPrivileges, maySeeTriggers } from "./granted-rights.ts";

test("rights of all, of a pattern and of a table are told apart", () => {
  const may = (...grants: readonly string[]) => maySeeTriggers({ grants, database: "a_b" }, "orders");
  expect(may("GRANT ALL PRIVILEGES ON *.* TO `k`@`%` WITH GRANT OPTION")).toBe(true);
  expect(may("GRANT SELECT, TRIGGER ON `a\\_b`.* TO `k`@`%`")).toBe(true);
  expect(may("GRANT SELECT, TRIGGER ON `a%`.* TO `k`@`%`")).toBe(true);
  expect(may("GRANT TRIGGER ON `a_b`.`orders` TO `k`@`%`")).toBe(true);
  expect(may("GRANT TRIGGER ON `a_b`.`items` TO `k`@`%`", "GRANT SELECT ON `a_b`.* TO `k`@`%`")).toBe(false);
  expect(may("GRANT TRIGGER ON `a\\_c`.* TO `k`@`%`", "GRANT USAGE ON *.* TO `k`@`%`")).toBe(false);
});

test("what is lacking is told at once, for all that is to be done", () => {
  const lacking = (...grants: readonly string[]) => lackingPrivileges({ grants, database: "shop" }, ["mend"]);
  expect(lacking("GRANT USAGE ON *.* TO `k`@`%`", "GRANT SELECT, UPDATE ON `shop`.* TO `k`@`%`")).toEqual([
    "INSERT",
    "DELETE",
    "TRIGGER",
    "CREATE TEMPORARY TABLES",
  ]);
  const most = "GRANT INSERT, DELETE, TRIGGER, CREATE TEMPORARY TABLES ON `shop`.* TO `k`@`%`";
  expect(lacking(most, "GRANT SELECT, UPDATE ON `other`.* TO `k`@`%`")).toEqual(["SELECT", "UPDATE"]);
  // Of one table, and even of one column: then it is another table that is concerned.
  expect(lacking(most, "GRANT SELECT, UPDATE (`note`) ON `shop`.`orders` TO `k`@`%`")).toEqual(["SELECT", "UPDATE"]);
  expect(lacking(most, "GRANT SELECT ON `shop`.`orders` TO `k`@`%`")).toEqual(["UPDATE"]);
  expect(lacking("GRANT ALL PRIVILEGES ON *.* TO `k`@`%` WITH GRANT OPTION")).toEqual([]);
  expect(lackingPrivileges({ grants: [most], database: "shop" }, ["compare", "make"])).toEqual([
    "SELECT",
    "CREATE",
    "ALTER",
    "DROP",
    "REFERENCES",
    "LOCK TABLES",
  ]);
});
