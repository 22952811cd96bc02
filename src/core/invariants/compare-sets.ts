/**
 * Compares the two sets of an invariant, read as streams of lines. A value of `every` that is not in `in` is a broken link;
 * a value of `in` that nothing names is an orphan. Holds both sets in memory as strings.
 */
import { RefloatError } from "../../model/refloat-error.ts";
import type { ByteStream } from "../ports/bytes.ts";

export type SetComparison = {
  readonly every: number;
  readonly in: number;
  readonly broken: number;
  readonly orphans: number;
  /** The first few of each, for the report, as they are. */
  readonly brokenSamples: readonly string[];
  readonly orphanSamples: readonly string[];
};

const sampleSize = 5;

const firstOf = (set: ReadonlySet<string>): readonly string[] => {
  const samples: string[] = [];
  for (const value of set) {
    if (samples.length === sampleSize) break;
    samples.push(value);
  }
  return samples;
};

/** What a set of the language can hold, and what a machine's memory may. */
const valueLimit = 16_000_000;

const add = (set: Set<string>, value: string): void => {
  set.add(value);
  if (set.size > valueLimit)
    throw new RefloatError(
      "source.unsupported",
      `an invariant has more than ${valueLimit.toLocaleString("en-US")} different values on one side`,
      { hint: "let each side give fewer, such as those of one day or one prefix" },
    );
};

/**
 * Reads `every` to its end before it asks for the first value of `in`. On a live source both grow: what a new row names is written
 * before the row, so a set of files that was read first would lack it, and a link that holds would be called broken.
 */
export const compareSets = async (every: ByteStream, within: ByteStream): Promise<SetComparison> => {
  const missing = new Set<string>();
  for await (const line of lines(every)) add(missing, line);
  const total = missing.size;
  const present = new Set<string>();
  const orphans = new Set<string>();
  for await (const line of lines(within)) {
    if (missing.delete(line)) present.add(line);
    else if (!present.has(line)) add(orphans, line);
  }
  return {
    every: total,
    in: present.size + orphans.size,
    broken: missing.size,
    orphans: orphans.size,
    brokenSamples: firstOf(missing),
    orphanSamples: firstOf(orphans),
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
