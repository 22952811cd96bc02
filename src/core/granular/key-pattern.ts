/**
 * Names of keys as they are typed: the bytes as lists show them, escapes and all, or a pattern as Redis' own KEYS takes it (`*`, `?`, `[a-z]`, `[^a]`, a
 * backslash before what is meant as it stands).
 */
import { readName } from "../text/shown-name.ts";

const [star, question, open, close, caret, dash, backslash] = Buffer.from("*?[]^-\\");

export const isPattern = (typed: string): boolean => /[*?[]/.test(typed);

/** Does the byte fit what stands in brackets? @returns where the pattern goes on, and whether it fits */
const fitsClass = (
  pattern: Uint8Array,
  from: number,
  byte: number,
): { readonly next: number; readonly fits: boolean } => {
  let at = from;
  const isNegated = pattern[at] === caret;
  if (isNegated) at += 1;
  let fits = false;
  while (at < pattern.length && pattern[at] !== close) {
    if (pattern[at] === backslash && at + 1 < pattern.length) {
      at += 1;
      fits ||= pattern[at] === byte;
      at += 1;
    } else if (pattern[at + 1] === dash && at + 2 < pattern.length) {
      const ends = [pattern[at] ?? 0, pattern[at + 2] ?? 0];
      fits ||= byte >= Math.min(...ends) && byte <= Math.max(...ends);
      at += 3;
    } else {
      fits ||= pattern[at] === byte;
      at += 1;
    }
  }
  return { next: at + 1, fits: fits !== isNegated };
};

/** Goes back to the last star alone, so that no pattern takes more than the product of both lengths. */
const fitsPattern = (pattern: Uint8Array, text: Uint8Array): boolean => {
  let [at, read] = [0, 0];
  let retry: { at: number; read: number } | null = null;
  while (read < text.length) {
    const byte = text[read] ?? 0;
    const wanted = pattern[at];
    let next: number | null = null;
    if (wanted === star) {
      retry = { at: at + 1, read };
      at += 1;
      continue;
    }
    if (wanted === question) next = at + 1;
    else if (wanted === open) {
      const found = fitsClass(pattern, at + 1, byte);
      next = found.fits ? found.next : null;
    } else if (wanted === backslash && at + 1 < pattern.length) next = pattern[at + 1] === byte ? at + 2 : null;
    else next = wanted === byte ? at + 1 : null;
    if (next !== null) {
      at = next;
      read += 1;
    } else if (retry === null) return false;
    else {
      retry.read += 1;
      [at, read] = [retry.at, retry.read];
    }
  }
  while (pattern[at] === star) at += 1;
  return at >= pattern.length;
};

/** What all keys begin with that fit. */
export const prefixOfPattern = (typed: string): Uint8Array => {
  const bytes = readName(typed);
  const end = bytes.findIndex((byte) => [star, question, open, backslash].includes(byte));
  return end === -1 ? bytes : bytes.subarray(0, end);
};

/** A name is always its own pattern, whatever stands in it. */
export const keyPattern = (typed: string): ((key: Uint8Array) => boolean) => {
  const bytes = readName(typed);
  const isSame = (key: Uint8Array): boolean => Buffer.compare(bytes, key) === 0;
  return isPattern(typed) ? (key) => isSame(key) || fitsPattern(bytes, key) : isSame;
};
