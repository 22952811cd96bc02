/** Pages of relations are held against their checksums while a file is read: what a disk has spoilt must not become a point. */
import { readSync } from "node:fs";
import { basename } from "node:path";
import type { PageRules } from "../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../model/refloat-error.ts";
import { createPageCheck } from "./page-checksum.ts";

/** Looks at a piece that was read of an open file at an offset. @throws RefloatError source.failed naming the page */
export type RequireGoodPages = (piece: Uint8Array, offset: number, fd: number) => void;

/** Whoever writes the page may wait for his turn in the middle of it. */
const pauseMs = 20;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** @returns null for a file that has no pages with checksums */
export const pageChecksOf = (rules: PageRules, path: string): RequireGoodPages | null => {
  const check = createPageCheck(rules, basename(path));
  if (check === null) return null;
  return (piece, offset, fd) => {
    const page = check(piece, offset, (at, bytes, look) => {
      if (look > 1) Atomics.wait(pause, 0, 0, pauseMs);
      const again = Buffer.allocUnsafe(bytes);
      return again.subarray(0, readSync(fd, again, 0, bytes, at));
    });
    if (page === null) return;
    throw new RefloatError(
      "source.failed",
      `page ${page} of ${path} does not fit its checksum: the disk does not hold what the server wrote`,
      {
        context: { path },
        state: "no point was made",
        hint: "look after the disk first; an earlier point has the page as it was",
      },
    );
  };
};
