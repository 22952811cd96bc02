import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goJsonBytes, goJsonString, goQuote, goUnquote } from "./go-text.ts";

/** Bytes as names have them: text of all kinds, and what is no text. */
const anyName = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: "binary", maxLength: 30 }).map((text) => Buffer.from(text)),
  fc
    .array(fc.constantFrom("\\", '"', "\n", "é", "\u{1f600}", "\ufeff", "\ufffd", "\u2028", "x"), { maxLength: 12 })
    .map((parts) => Buffer.from(parts.join(""))),
);

describe("strconv.Quote", () => {
  it.each([
    ["plain.txt", "plain.txt"],
    ['say "hi"', '\\"hi\\"'],
    ["back\\slash", "back\\\\slash"],
    ["\u0007\b\f\n\r\t\v", "\\a\\b\\f\\n\\r\\t\\v"],
    ["\u0000\u001f\u007f", "\\x00\\x1f\\x7f"],
    ["\u00a0\u00ad\u2028\ufeff", "\\u00a0\\u00ad\\u2028\\ufeff"],
    ["é 日本 😀", "é 日本 😀"],
    ["\u{e0001}", "\\U000e0001"],
    ["\ufffd", "\ufffd"],
  ])("quotes %j", (text, quoted) => {
    expect(goQuote(Buffer.from(text))).toContain(quoted);
    expect(goUnquote(goQuote(Buffer.from(text)))).toEqual(Buffer.from(text));
  });

  it("keeps bytes that are not UTF-8", () => {
    expect(goQuote(Buffer.from("6261c3b164fffe6e", "hex"))).toBe("bañd\\xff\\xfen");
    // A surrogate, an overlong form and a sequence that is cut.
    expect(goQuote(Buffer.from("eda080c0afe282", "hex"))).toBe("\\xed\\xa0\\x80\\xc0\\xaf\\xe2\\x82");
  });

  it("is undone by Unquote, whatever the bytes", () => {
    fc.assert(
      fc.property(anyName, (name) => {
        expect(goUnquote(goQuote(name))).toEqual(name);
      }),
      { numRuns: 1000 },
    );
  });

  it("does not take what Quote never makes", () => {
    for (const text of ["\\", "\\q", "\\x1", "\\u12", "\\U00110000"]) expect(goUnquote(text)).toBeUndefined();
  });
});

describe("encoding/json", () => {
  it("escapes what JSON.stringify leaves", () => {
    expect(goJsonString("<a & b>\u2028\u2029 é")).toBe('"\\u003ca \\u0026 b\\u003e\\u2028\\u2029 é"');
    expect(goJsonString('plain "quoted" \\ \n')).toBe('"plain \\"quoted\\" \\\\ \\n"');
  });

  it("writes one replacement for each byte that is not UTF-8", () => {
    expect(goJsonBytes(Buffer.from("61fffe62", "hex"))).toBe('"a\\ufffd\\ufffdb"');
  });

  it("is read back by any JSON parser", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(text.isWellFormed());
        expect(JSON.parse(goJsonString(text))).toBe(text);
        expect(JSON.parse(goJsonBytes(Buffer.from(text)))).toBe(text);
      }),
    );
  });
});
