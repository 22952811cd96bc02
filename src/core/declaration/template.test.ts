import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeTemplate, findReferences, parseTemplate } from "./template.ts";

describe("parseTemplate", () => {
  test("reads outputs, secrets and what stands between them", () => {
    expect(parseTemplate("postgres://market:${file:/run/pw}@${orders.address}/x")).toEqual([
      { kind: "literal", text: "postgres://market:" },
      { kind: "secret", scheme: "file", reference: "file:/run/pw", source: "${file:/run/pw}", offset: 18 },
      { kind: "literal", text: "@" },
      { kind: "output", component: "orders", output: "address", source: "${orders.address}", offset: 34 },
      { kind: "literal", text: "/x" },
    ]);
  });

  test("a command may hold spaces and colons", () => {
    expect(parseTemplate("${command:pass show a:b}")).toEqual([
      {
        kind: "secret",
        scheme: "command",
        reference: "command:pass show a:b",
        source: "${command:pass show a:b}",
        offset: 0,
      },
    ]);
  });

  test.each([
    ["$${PORT}", "${PORT}"],
    ["echo $PORT $5 {} $", "echo $PORT $5 {} $"],
    ["a $${x} b $${y}", "a ${x} b ${y}"],
    ["$$${x}", "$${x}"],
  ])("%s is the literal %s", (text, literal) => {
    expect(parseTemplate(text)).toEqual([{ kind: "literal", text: literal }]);
  });

  test.each([
    ["${db.url", "unclosed"],
    ["${}", "empty"],
    ["${ }", "empty"],
    ["${PORT}", "variable"],
    ["${PORT:-8080}", "variable"],
    ["${db}", "no-output"],
    ["${a.b.c.d}", "too-long"],
    ["${vault:x}", "unknown-scheme"],
    ["${env:}", "bad-secret"],
    ["${env:A B}", "bad-secret"],
    ["${file:  }", "bad-secret"],
    ["${command:echo ${HOME}}", "nested"],
    ["${ db.url }", "unreadable"],
    ["${Db.url}", "unreadable"],
  ])("%s is malformed: %s", (text, malformation) => {
    expect(parseTemplate(text)[0]).toMatchObject({ kind: "malformed", malformation, offset: 0 });
  });

  test("an empty string has no parts", () => {
    expect(parseTemplate("")).toEqual([]);
  });

  test("any text comes back whole when it is escaped", () => {
    const pieces = fc.array(fc.constantFrom("$", "{", "}", "a", "${", "$${", ".", ":", "db.url", "\n"));
    fc.assert(
      fc.property(pieces, (list) => {
        const text = list.join("");
        expect(parseTemplate(escapeTemplate(text))).toEqual(text === "" ? [] : [{ kind: "literal", text }]);
      }),
    );
  });

  test("references stand where their offsets say, and nothing is lost between them", () => {
    const pieces = fc.array(fc.constantFrom("$", "x", "${db.url}", "${env:A}", "${", "}", "${A}", " "));
    fc.assert(
      fc.property(pieces, (list) => {
        const text = list.join("").replaceAll(/\$+/g, () => "$");
        const parts = parseTemplate(text);
        expect(parts.map((part) => (part.kind === "literal" ? part.text : part.source)).join("")).toBe(text);
        const references = parts.filter((part) => part.kind !== "literal");
        expect(references.every(({ source, offset }) => text.startsWith(source, offset))).toBe(true);
      }),
    );
  });
});

test("findReferences walks lists and mappings and says where each reference stands", () => {
  const found = findReferences({
    start: "node server.js",
    environment: { URL: "${db.url}", BOTH: "${db.address}/${env:NAME}", N: 5, none: null },
    list: [true, "${uploads.path}"],
    "${key.ignored}": "$${escaped}",
  });
  expect(found.map(({ path, part }) => [path.join("."), part.source])).toEqual([
    ["environment.URL", "${db.url}"],
    ["environment.BOTH", "${db.address}"],
    ["environment.BOTH", "${env:NAME}"],
    ["list.1", "${uploads.path}"],
  ]);
});
