import { expect, test } from "vitest";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { diagnosticText } from "./diagnostic-text.ts";

const diagnostic: Diagnostic = {
  severity: "error",
  code: "config.unknown-key",
  message: 'services.shop.components.app has no "enviroment"',
  file: "refloat.yaml",
  line: 33,
  column: 9,
  length: 10,
  excerpt: "        enviroment:",
  path: "services.shop.components.app",
  hint: 'did you mean "environment"?',
};

test("a mistake is shown where it was made", () => {
  expect(diagnosticText(diagnostic)).toBe(
    [
      'error config.unknown-key: services.shop.components.app has no "enviroment"',
      "  refloat.yaml:33:9 |         enviroment:",
      '                    |         ^^^^^^^^^^ did you mean "environment"?',
    ].join("\n"),
  );
});

test("a mistake of several places is told as a trail", () => {
  const trail = "app > worker (31:21) > queue (38:21) > app (44:16, by ${app.url})";
  expect(
    diagnosticText({
      ...diagnostic,
      code: "config.cycle",
      message: "components wait for each other",
      line: 31,
      column: 21,
      trail,
      hint: "a reference is a dependency too; drop one of the three",
    }),
  ).toBe(
    [
      "error config.cycle: components wait for each other",
      `  refloat.yaml:31:21  ${trail}`,
      "hint: a reference is a dependency too; drop one of the three",
    ].join("\n"),
  );
});

test("a long hint has a line of its own, an empty line no carets", () => {
  expect(diagnosticText({ ...diagnostic, hint: "x".repeat(80) })).toBe(
    [
      'error config.unknown-key: services.shop.components.app has no "enviroment"',
      "  refloat.yaml:33:9 |         enviroment:",
      "                    |         ^^^^^^^^^^",
      `hint: ${"x".repeat(80)}`,
    ].join("\n"),
  );
  expect(diagnosticText({ ...diagnostic, excerpt: "", column: 1, length: 0, line: 1 })).toBe(
    [
      'error config.unknown-key: services.shop.components.app has no "enviroment"',
      "  refloat.yaml:1:1",
      'hint: did you mean "environment"?',
    ].join("\n"),
  );
});

test("carets stand under wide characters and tabs; control characters reach no terminal", () => {
  expect(diagnosticText({ ...diagnostic, excerpt: "\t名前: \u001B[31mx", column: 6, length: 6, hint: "h" })).toBe(
    [
      'error config.unknown-key: services.shop.components.app has no "enviroment"',
      "  refloat.yaml:33:9 | →名前: ·[31mx".replace(":9", ":6"),
      "                    |        ^^^^^^ h",
    ].join("\n"),
  );
});

test("of a long line the part around the mistake is shown", () => {
  const excerpt = `${"a".repeat(300)}WRONG${"b".repeat(300)}`;
  const [, line = "", carets = ""] = diagnosticText({ ...diagnostic, excerpt, column: 301, length: 5 }).split("\n");
  expect(line).toMatch(/^ {2}refloat\.yaml:33:301 \| \.\.\.a{30}WRONGb{69}\.\.\.$/);
  expect(carets.indexOf("^")).toBe(line.indexOf("WRONG"));
  expect(carets).toMatch(/\^{5} did you mean "environment"\?$/);
});
