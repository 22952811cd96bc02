/**
 * Compares the two sets of an invariant, read as streams of lines. A value of `every` that is not in `in` is a broken link;
 * a value of `in` that nothing names is an orphan. Holds one of the sets in memory as strings.
 */
import type { ByteStream } from "../ports/bytes.ts";

export type SetComparison = {
  readonly every: number;
  readonly in: number;
  readonly broken: number;
  readonly orphans: number;
  /** The first few broken links, for the report. */
  readonly brokenSamples: readonly string[];
};

const sampleSize = 5;

export const compareSets = async (every: ByteStream, within: ByteStream): Promise<SetComparison> => {
  const present = new Set<string>();
  for await (const line of lines(within)) present.add(line);
  const named = new Set<string>();
  const broken = new Set<string>();
  for await (const line of lines(every)) {
    if (present.has(line)) named.add(line);
    else broken.add(line);
  }
  return {
    every: named.size + broken.size,
    in: present.size,
    broken: broken.size,
    orphans: present.size - named.size,
    brokenSamples: [...broken].slice(0, sampleSize),
  };
};

/** Splits at newlines; empty lines (nulls) are skipped. */
export const lines = async function* (bytes: ByteStream): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of bytes) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part !== "") yield part;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
};
