/**
 * Canonical JSON (RFC 8785) of what may be as large as the plan of a large service. Only the order of keys sets it apart from what Node writes by
 * itself, in a fraction of the time. What does not stay in order, or may not be written at all, is left to the library.
 */
import canonicalize from "canonicalize";

/** An object has numbers first, by value, and takes the other one for its prototype. */
const willfulKey = /^(?:\d+|__proto__)$/;

/** How Node writes half of a pair of surrogates, which may not be written. Other texts may look the same. */
const loneSurrogate = /\\ud[89a-f]/;

/** @returns undefined for what JSON has no word for @throws for numbers and texts that it cannot hold, and for circles */
export const canonicalJson = (value: object): string | undefined => {
  let isOrderly = true;
  const inOrder = (one: unknown): unknown => {
    if (typeof one === "number" && !Number.isFinite(one)) isOrderly = false;
    if (typeof one !== "object" || one === null || !isOrderly) return one;
    if (Array.isArray(one)) return one.map(inOrder);
    if ("toJSON" in one) isOrderly = false;
    const sorted: Record<string, unknown> = {};
    for (const key of Object.keys(one).sort()) {
      if (willfulKey.test(key)) isOrderly = false;
      sorted[key] = inOrder((one as Readonly<Record<string, unknown>>)[key]);
    }
    return sorted;
  };
  const text = JSON.stringify(inOrder(value));
  return isOrderly && !loneSurrogate.test(text) ? text : canonicalize(value);
};
