import { expect, test } from "vitest";
import { nearestWord, suggestWord } from "./nearest-word.ts";

const keys = ["type", "url", "path", "release", "start", "environment", "dependsOn", "checks", "exclude", "ports"];

test.each([
  ["enviroment", "environment"],
  ["env", "environment"],
  ["ENVIRONMENT", "environment"],
  ["depends_on", "dependsOn"],
  ["depends-on", "dependsOn"],
  ["needs", "dependsOn"],
  ["ulr", "url"],
  ["dsn", "url"],
  ["cmd", "start"],
  ["port", "ports"],
  ["check", "checks"],
  ["healthcheck", "checks"],
  ["dir", "path"],
  ["excludes", "exclude"],
  ["tpye", "type"],
])("%s means %s", (wrong, right) => {
  expect(nearestWord(wrong, keys)).toBe(right);
});

test.each(["zebra", "x", "", "hello", "toString", "constructor"])("%j means nothing here", (word) => {
  expect(nearestWord(word, keys)).toBeUndefined();
});

test("what other tools say is offered only where it is possible", () => {
  expect(nearestWord("cmd", ["path"])).toBeUndefined();
  expect(nearestWord("retention", ["keep", "lock"])).toBe("keep");
});

test("a slip in a long word is nearer than a short one that it begins with", () => {
  const types = ["postgres", "postgres-cluster", "mariadb", "mariadb-server"];
  expect(nearestWord("mariadb-sever", types)).toBe("mariadb-server");
  expect(nearestWord("postgres-clustr", types)).toBe("postgres-cluster");
  expect(nearestWord("mariad", types)).toBe("mariadb");
});

test("without a near word there is the choice", () => {
  expect(suggestWord("strat", keys, "choose")).toBe('did you mean "start"?');
  expect(suggestWord("zebra", keys, "choose")).toBe("choose");
});
