import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readName, showName } from "./shown-name.ts";

describe("names as people see them", () => {
  it.each([
    ["plain file.txt", "plain file.txt"],
    ["Grüße/日本.txt", "Grüße/日本.txt"],
    ["two\nlines\t\r", String.raw`two\nlines\t\r`],
    ["\u001B[31mred\u0007", String.raw`\x1b[31mred\x07`],
    ["exe\u202Etxt.", String.raw`exe\u{202e}txt.`],
    [String.raw`back\slash`, String.raw`back\\slash`],
  ])("%j is shown as %j", (name, shown) => {
    expect(showName(Buffer.from(name))).toBe(shown);
  });

  it("hold the bytes that are no UTF-8", () => {
    expect(showName(Buffer.from([0x63, 0xe9, 0x2e, 0xff, 0xc3, 0xa4, 0xc3]))).toBe(String.raw`c\xe9.\xffä\xc3`);
  });

  it("are read back to the same bytes, and never look like another name", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(Buffer.from(readName(showName(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
        const shown = showName(Buffer.from(text));
        expect(Buffer.from(readName(shown)).equals(Buffer.from(text))).toBe(true);
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      }),
    );
  });
});
