/** Which packs nobody uses, and which are so little used that what is used of them is better copied out. Pure. */
import type { CountedPack } from "./census.ts";

/** As restic's `--max-unused`: so much of what is used may lie around unused, since copying costs as well. */
const maxUnusedPart = 0.05;

export type PackChoice = {
  /** Nothing of it is used. */
  readonly unused: readonly CountedPack[];
  /** What is used of it is copied out; then it is unused. The emptiest first. */
  readonly repack: readonly CountedPack[];
  readonly usedBytes: number;
  /** In packs that are left as they are. */
  readonly toleratedBytes: number;
};

/**
 * @param isMarked whether a pack was found unused before: it is not found again
 * @param isHeld whether nothing is to be copied out of a pack: the store does not let go of it, or a repair has taken all that is sound
 */
export const choosePacks = (
  packs: readonly CountedPack[],
  isMarked: (id: string) => boolean,
  isHeld: (id: string) => boolean = () => false,
): PackChoice => {
  const open = packs.filter(({ id }) => !isMarked(id));
  const usedBytes = packs.reduce((sum, pack) => sum + pack.usedBytes, 0);
  const waste = (pack: CountedPack): number => (pack.usedBlobs === pack.blobs ? 0 : pack.bytes - pack.usedBytes);
  const partly = open
    .filter((pack) => pack.usedBlobs > 0 && pack.usedBlobs < pack.blobs)
    .sort((a, b) => waste(b) / b.bytes - waste(a) / a.bytes);
  let toleratedBytes = partly.reduce((sum, pack) => sum + waste(pack), 0);
  const repack: CountedPack[] = [];
  for (const pack of partly.filter(({ id }) => !isHeld(id))) {
    if (toleratedBytes <= (usedBytes * maxUnusedPart) / (1 - maxUnusedPart)) break;
    repack.push(pack);
    toleratedBytes -= waste(pack);
  }
  return { unused: open.filter(({ usedBlobs }) => usedBlobs === 0), repack, usedBytes, toleratedBytes };
};
