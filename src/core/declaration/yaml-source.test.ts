import { describe, expect, test } from "vitest";
import { keyPlaceAt, nodeAt, piecePlaceAt, readYaml, valuePlaceAt } from "./yaml-source.ts";

const sourceOf = (text: string) => {
  const { text: clean, root, mistakes } = readYaml(text);
  expect(mistakes).toEqual([]);
  if (root === undefined) throw new Error("no root");
  const cut = (place: { offset: number; length: number }) => clean.slice(place.offset, place.offset + place.length);
  return { root, cut };
};

describe("a file that can be read", () => {
  test("is plain JSON in which keys, values and pieces know their places", () => {
    const { root, cut } = sourceOf(
      `\uFEFFa:\r\n  b: "x \${db.url} y \${db.url}"\r\n  c: [1, {d: true}]\r\n  e:\r\n    - f: null\r\n`,
    );
    expect(root.value).toEqual({ a: { b: "x ${db.url} y ${db.url}", c: [1, { d: true }], e: [{ f: null }] } });
    expect(cut(keyPlaceAt(root, ["a", "b"]))).toBe("b");
    expect(cut(valuePlaceAt(root, ["a", "b"]))).toBe('"x ${db.url} y ${db.url}"');
    expect(cut(valuePlaceAt(root, ["a"]))).toBe("a");
    expect(cut(valuePlaceAt(root, ["a", "c"]))).toBe("[1, {d: true}]");
    expect(cut(valuePlaceAt(root, ["a", "c", 1, "d"]))).toBe("true");
    expect(cut(valuePlaceAt(root, ["a", "e", 0, "f"]))).toBe("null");
    const first = piecePlaceAt(root, ["a", "b"], "${db.url}");
    const second = piecePlaceAt(root, ["a", "b"], "${db.url}", 1);
    expect(cut(first)).toBe("${db.url}");
    expect(second.offset - first.offset).toBe("${db.url} y ".length);
  });

  test("what is not there is shown at the nearest thing above it", () => {
    const { root, cut } = sourceOf("services:\n  shop:\n    components: {}\n  empty:\n");
    expect(cut(valuePlaceAt(root, ["services", "shop", "components", "db", "url"]))).toBe("components");
    expect(cut(valuePlaceAt(root, ["services", "empty"]))).toBe("empty");
    expect(nodeAt(root, ["services", "gone"])).toBeUndefined();
  });

  test("aliases are followed and stand at their own place; keys are text", () => {
    const { root, cut } = sourceOf("a: &x [1]\nb: *x\n8080: p\ntrue: q\n");
    expect(root.value).toEqual({ a: [1], b: [1], "8080": "p", true: "q" });
    expect(cut(valuePlaceAt(root, ["b"]))).toBe("*x");
  });

  test("a piece that is written in escapes is shown by the whole text", () => {
    const { root, cut } = sourceOf('a: "\\u0024{db.url}"\n');
    expect(root.value).toEqual({ a: "${db.url}" });
    expect(cut(piecePlaceAt(root, ["a"], "${db.url}"))).toBe('"\\u0024{db.url}"');
  });

  test.each([
    ["", null],
    ["# only a comment\n", null],
    ["text", "text"],
    ["- 1\n", [1]],
  ])("%j is %j", (text, value) => {
    expect(sourceOf(text).root.value).toEqual(value);
  });
});

/** Mistakes as `LINE:COLUMN [what is marked] message; hint`. */
const mistakesOf = (given: string): readonly string[] => {
  const { text, mistakes } = readYaml(given);
  return mistakes.map(({ place, message, hint }) => {
    const before = text.slice(0, place.offset).split("\n");
    const marked = text.slice(place.offset, place.offset + place.length);
    return `${before.length}:${(before.at(-1)?.length ?? 0) + 1} [${marked}] ${message}; ${hint}`;
  });
};

test.each<[string, string, readonly string[]]>([
  [
    "tabs, each one",
    "a:\n\tb: 1\nc:\n  d: 1\n\t\te: 2\n",
    [
      "2:1 [\t] a tab cannot indent a line; YAML indents by spaces; write two spaces for each level",
      "5:1 [\t\t] a tab cannot indent a line; YAML indents by spaces; write two spaces for each level",
    ],
  ],
  [
    "an open double quote",
    'a: "x\nb: 1\n',
    ['1:4 ["] this " is never closed; close the quote on the line where the text ends'],
  ],
  [
    "an open single quote",
    "z: 'ok'\na: 'x\nb: 1\n",
    ["2:4 ['] this ' is never closed; close the quote on the line where the text ends"],
  ],
  [
    "an open bracket",
    "z: [1]\na: [1, 2\nb: 1\n",
    ["2:4 [[] this [ is never closed; add the ] where the list of values ends"],
  ],
  ["an open brace", "a: { b: 1\nc: 2\n", ["1:4 [{] this { is never closed; add the } where the list of values ends"]],
  [
    "a cron expression that looks like an alias",
    "schedule: */5 * * * *\nb: 1\n",
    ['1:11 [*/5 * * * *] text cannot start with * without quotes; write schedule: "*/5 * * * *"'],
  ],
  [
    "a cron expression of stars",
    "schedule: * * * * *\n",
    ['1:11 [* * * * *] text cannot start with * without quotes; write schedule: "* * * * *"'],
  ],
  [
    "an alias without an anchor",
    "a: *x\n",
    ['1:4 [*x] no anchor &x stands before *x; text that starts with * is written in quotes: "*x"'],
  ],
  [
    "an alias that holds itself",
    "a: &x [*x]\n",
    ['1:8 [*x] an alias holds itself; text that starts with * is written in quotes: "*x"'],
  ],
  ["an at sign", "a: @x\nb: 1", ['1:4 [@x] text cannot start with @ without quotes; write a: "@x"']],
  [
    "a back tick with double quotes",
    'a: `x "y"`\n',
    ['1:4 [`x "y"`] text cannot start with ` without quotes; write a: \'`x "y"`\''],
  ],
  [
    "a reference in braces",
    "a: { PORT: ${self.port} }\nb: 2\n",
    ['1:12 [${self.port}] inside { } and [ ] a reference needs quotes; write "${self.port}", or one key to a line'],
  ],
  [
    "a reference in brackets",
    "a: [${self.port}]\n",
    ['1:5 [${self.port}] inside { } and [ ] a reference needs quotes; write "${self.port}", or one key to a line'],
  ],
  [
    "a line indented too deep",
    "a:\n  b: 1\n   c: 2\n",
    [
      "3:4 [c: 2] this line is indented deeper than the ones beside it; keys that belong together start in the same column",
    ],
  ],
  [
    "the same with Windows line ends",
    "a:\r\n  b: 1\r\n   c: 2\r\n",
    [
      "3:4 [c: 2] this line is indented deeper than the ones beside it; keys that belong together start in the same column",
    ],
  ],
  [
    "a line indented too little",
    "a:\n    b: 1\n  c: 2\n",
    [
      "3:3 [c: 2] a key stands in the wrong column; keys that belong together start in the same column, items of a list with a dash each",
    ],
  ],
  [
    "a key among items",
    "a:\n  - x\n  y: 1\n",
    [
      "3:3 [y: 1] a key stands in the wrong column; keys that belong together start in the same column, items of a list with a dash each",
    ],
  ],
  [
    "a colon in a value",
    "a: select x: y\n",
    ['1:4 [select x: y] a value with a colon and a space in it needs quotes; write a: "select x: y"'],
  ],
  [
    "a line without a colon",
    "a: 1\nb\nc: 1\n",
    [
      "2:1 [b] this line has no colon; a key ends with a colon; text of several lines begins with | or stands in quotes",
    ],
  ],
  ["no space after the colon", "rto:15m\nb: 2\n", ["1:1 [rto:15m] a space is missing after the colon; write rto: 15m"]],
  [
    "two documents",
    "a: 1\n---\nb: 2\n",
    ["2:1 [---] a second YAML document begins here; one file holds one declaration; remove the ---"],
  ],
  [
    "text after a quote",
    'a: "x" y\n',
    ["1:8 [y] something follows the closing quote; put the whole text inside one pair of quotes"],
  ],
  [
    "a bad escape",
    'a: "\\q"\n',
    ["1:5 [\\q] \\q means nothing in double quotes; write the backslash twice, or use single quotes"],
  ],
  [
    "a tag",
    "a: !vault x\n",
    ["1:11 [x] the tag !vault means nothing here; remove it, or put the text in quotes if it starts with !"],
  ],
  [
    "a mapping as a key",
    "{a: 1}: 2\n",
    ["1:1 [{] a key must be plain text; text that starts with { or [ is written in quotes"],
  ],
  [
    "keys written twice",
    "a:\n  b: 1\n  b: 2\n  b: 3\n",
    [
      '3:3 [b] "b" is written twice; the first is in line 2; one of them must go',
      '4:3 [b] "b" is written twice; the first is in line 2; one of them must go',
    ],
  ],
  [
    "a key that would reach into the program",
    "__proto__: { a: 1 }\n",
    ['1:1 [__proto__] "__proto__" cannot be a key; choose another name'],
  ],
])("%s", (_name, text, expected) => {
  expect(mistakesOf(text)).toEqual(expected);
});

test("aliases that multiply are stopped", () => {
  const bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 9; level += 1)
    bomb.push(`a${level}: &a${level} [${Array.from({ length: 9 }, () => `*a${level - 1}`).join(", ")}]`);
  expect(mistakesOf(bomb.join("\n"))).toEqual([
    "1:1 [] the file has more than 50000 values, aliases followed; a declaration is written and read by people; keep it small",
  ]);
});

test("a file nested too deep is stopped", () => {
  expect(mistakesOf(`${"[".repeat(80)}${"]".repeat(80)}`)).toEqual([
    "1:1 [] the file is nested more than 64 levels deep; a declaration is written and read by people; keep it small",
  ]);
});

test("a file that nobody has written by hand is stopped before it is read", () => {
  expect(mistakesOf(`a: ${"x".repeat(1024 * 1024)}\n`)).toEqual([
    "1:1 [] the file has more than 1048576 characters; a declaration is written and read by people; keep it small",
  ]);
});
