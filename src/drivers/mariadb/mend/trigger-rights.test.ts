import { expect, test } from "vitest";
import { maySeeTriggers } from "./trigger-rights.ts";

test("rights of all, of a pattern and of a table are told apart", () => {
  const may = (...grants: readonly string[]) => maySeeTriggers(grants, "a_b", "orders");
  expect(may("GRANT ALL PRIVILEGES ON *.* TO `k`@`%` WITH GRANT OPTION")).toBe(true);
  expect(may("GRANT SELECT, TRIGGER ON `a\\_b`.* TO `k`@`%`")).toBe(true);
  expect(may("GRANT SELECT, TRIGGER ON `a%`.* TO `k`@`%`")).toBe(true);
  expect(may("GRANT TRIGGER ON `a_b`.`orders` TO `k`@`%`")).toBe(true);
  expect(may("GRANT TRIGGER ON `a_b`.`items` TO `k`@`%`", "GRANT SELECT ON `a_b`.* TO `k`@`%`")).toBe(false);
  expect(may("GRANT TRIGGER ON `a\\_c`.* TO `k`@`%`", "GRANT USAGE ON *.* TO `k`@`%`")).toBe(false);
});
