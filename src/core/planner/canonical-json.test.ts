import canonicalize from "canonicalize";
import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalJson } from "./canonical-json.ts";

const keys = fc.oneof(fc.string(), fc.constantFrom("b", "a", "10", "9", "__proto__", "toJSON", "é", "😀", "\u{fb33}"));
const { values } = fc.letrec((tie) => ({
  values: fc.oneof(
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("values"), { maxLength: 4 }),
    fc.dictionary(keys, fc.option(tie("values"), { nil: undefined }), { maxKeys: 4 }),
  ),
}));

it("is what the library writes, whatever the keys and the texts are", () => {
  fc.assert(
    fc.property(fc.dictionary(keys, values), (record) => {
      expect(canonicalJson(record)).toBe(canonicalize(record));
    }),
    { numRuns: 500 },
  );
});

it("puts names of digits in the order of their letters, and takes a text that looks like half a character as it is", () => {
  expect(canonicalJson({ b: 1, "9": 2, "10": [{ d: 1, c: "\\ud800" }] })).toBe(
    String.raw`{"10":[{"c":"\\ud800","d":1}],"9":2,"b":1}`,
  );
  expect(canonicalJson({ at: new Date(0), a: [undefined] })).toBe('{"a":[null],"at":"1970-01-01T00:00:00.000Z"}');
});

it("refuses what JSON cannot hold", () => {
  expect(() => canonicalJson({ a: "\ud800" })).toThrow("Lone surrogate");
  expect(() => canonicalJson({ a: [Number.NaN] })).toThrow("NaN");
  expect(() => canonicalJson({ a: Number.NEGATIVE_INFINITY })).toThrow("Infinity");
});
