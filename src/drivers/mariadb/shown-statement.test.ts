import { expect, test } from "vitest";
import { shownStatement } from "./shown-statement.ts";

test.each([
  ["ALTER TABLE products   ADD COLUMN\n extra INT", "ALTER TABLE products ADD COLUMN extra INT"],
  [
    "CREATE TABLE far (id INT) ENGINE=FEDERATED CONNECTION='mysql://shop:se\\'cret@db/shop'",
    "CREATE TABLE far (id INT) ENGINE=FEDERATED CONNECTION='...'",
  ],
  [
    `ALTER TABLE far COMMENT = "password ""secret""", ADD note CHAR(9) DEFAULT ''`,
    `ALTER TABLE far COMMENT = "...", ADD note CHAR(9) DEFAULT ''`,
  ],
  [
    "CREATE PROCEDURE p() CREATE USER u IDENTIFIED BY 'it''s secret'",
    "CREATE PROCEDURE p() CREATE USER u IDENTIFIED BY '...'",
  ],
  ['DROP TABLE "orders"', 'DROP TABLE "orders"'],
  ["DROP TABLE `it's`, `o'clock`", "DROP TABLE `it's`, `o'clock`"],
])("%s is shown without what its texts hold", (sql, shown) => {
  expect(shownStatement(sql)).toBe(shown);
});

test("a long statement is cut", () => {
  const shown = shownStatement(`DROP TABLE ${"orders, ".repeat(50)}`);
  expect(shown).toHaveLength(100);
  expect(shown).toMatch(/^DROP TABLE orders, .*\.\.\.$/);
});
