/**
 * Canonical JSON (RFC 8785) of what may be as large as the plan of a large service. Only the order of keys sets it apart from what Node writes by
 * itself, in a fraction of the time. What does not stay in order, or may not be written at all, is left to the library.
 */
import canonicalize from "canonicalize";

/** An object has numbers first, by value, and takes the other one for its prototype. */
const willfulKey = /^(?:\d+|__proto__)$/;

/** How Node writes half of a pair of surrogates, which may not be written. Other texts may look the same. */
const loneSurrogate = /\\ud[89a-f]/;

/** By the order of their letters' code units, as `sort` has them. */
const isSorted = (keys: readonly string[]): boolean => {
  for (let at = 1; at < keys.length; at += 1) if ((keys[at - 1] ?? "") > (keys[at] ?? "")) return false;
  return true;
};

/** @returns undefined for what JSON has no word for @throws for numbers and texts that it cannot hold, and for circles */
export const canonicalJson = (value: object): string | undefined => {
  let isOrderly = true;
  const inOrder = (one: unknown): unknown => {
    if (typeof one === "number" && !Number.isFinite(one)) isOrderly = false;
    if (typeof one !== "object" || one === null || !isOrderly) return one;
    if (Array.isArray(one)) return listInOrder(one);
    if ("toJSON" in one) isOrderly = false;
    const keys = Object.keys(one);
    const record = one as Readonly<Record<string, unknown>>;
    return isSorted(keys) ? sortedInOrder(record, keys) : sortedCopy(record, keys.sort());
  };
  // What is in order is written as it stands: a copy of all steps of a large plan costs more than its digest.
  const listInOrder = (list: readonly unknown[]): readonly unknown[] => {
    let copy: unknown[] | undefined;
    for (let index = 0; index < list.length; index += 1) {
      const ordered = inOrder(list[index]);
      if (ordered !== list[index]) (copy ??= [...list])[index] = ordered;
    }
    return copy ?? list;
  };
  const sortedInOrder = (record: Readonly<Record<string, unknown>>, keys: readonly string[]): object => {
    let copy: Record<string, unknown> | undefined;
    for (const key of keys) {
      const ordered = inOrder(record[key]);
      if (ordered === record[key]) continue;
      if (willfulKey.test(key)) isOrderly = false;
      (copy ??= { ...record })[key] = ordered;
    }
    return copy ?? record;
  };
  const sortedCopy = (record: Readonly<Record<string, unknown>>, keys: readonly string[]): object => {
    const sorted: Record<string, unknown> = {};
    for (const key of keys) {
      if (willfulKey.test(key)) isOrderly = false;
      sorted[key] = inOrder(record[key]);
    }
    return sorted;
  };
  const text = JSON.stringify(inOrder(value));
  return isOrderly && !loneSurrogate.test(text) ? text : canonicalize(value);
};
