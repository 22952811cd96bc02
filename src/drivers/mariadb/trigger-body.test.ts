import { expect, it } from "vitest";
import { triggerBody } from "./trigger-body.ts";

it.each([
  ["CREATE TRIGGER t AFTER INSERT ON o FOR EACH ROW SET @a = 'it\\'s'", "", "SET @a = 'it\\'s'"],
  [
    "create definer=`a``FOR EACH ROW x`@`%` trigger `t` before update on `s`.`o`\n for /* FOR EACH ROW */ each row follows `u`\n BEGIN END",
    "",
    "BEGIN END",
  ],
  ['CREATE TRIGGER "FOR EACH ROW x" AFTER INSERT ON o FOR EACH ROW DO 1', "STRICT_ALL_TABLES,ANSI_QUOTES", "DO 1"],
  [
    "CREATE TRIGGER t AFTER INSERT ON o FOR EACH ROW SET @a = 'C:\\', @b = 'é😀'",
    "NO_BACKSLASH_ESCAPES",
    "SET @a = 'C:\\', @b = 'é😀'",
  ],
])("is what stands behind the head of %s", (statement, mode, body) => {
  expect(triggerBody(statement, mode)).toBe(body);
});

it("is none of what is no trigger or is cut", () => {
  expect(triggerBody("CREATE TABLE t (i INT)", "")).toBeNull();
  expect(triggerBody("CREATE TRIGGER t AFTER INSERT ON o FOR EACH ROW", "")).toBeNull();
});
