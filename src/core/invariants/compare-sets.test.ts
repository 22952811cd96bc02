import { describe, expect, it } from "vitest";
import { compareSets, lines } from "./compare-sets.ts";

const encode = async function* (...chunks: string[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
};

describe("compareSets", () => {
  it("tells broken links and orphans apart, each value once", async () => {
    const every = encode("a\nb\nb\n", "c\n\nd\n");
    const within = encode("b\nc\nb\nx\nx\n", "y\n");
    expect(await compareSets(every, within)).toEqual({
      every: 4,
      in: 4,
      broken: 2,
      orphans: 2,
      brokenSamples: ["a", "d"],
      orphanSamples: ["x", "y"],
    });
  });

  it("finds no broken link among referents that were written while the referrers were read", async () => {
    const written: string[] = ["1"];
    const every = (async function* () {
      for (const order of ["1", "2", "3"]) {
        // As an application does: the file, then the row that names it.
        written.push(order);
        yield Buffer.from(`${order}\n`);
      }
    })();
    const within = (async function* () {
      yield Buffer.from(`${written.join("\n")}\n4\n`);
    })();
    expect(await compareSets(every, within)).toMatchObject({ every: 3, broken: 0, orphans: 1 });
  });
});

describe("lines", () => {
  it("joins what chunks have cut, also inside a character, and skips empty lines", async () => {
    const euro = Buffer.from("10 €\n\nlast");
    const found: string[] = [];
    const chunks = (async function* () {
      yield euro.subarray(0, 4);
      yield euro.subarray(4);
    })();
    for await (const line of lines(chunks)) found.push(line);
    expect(found).toEqual(["10 €", "last"]);
  });
});
