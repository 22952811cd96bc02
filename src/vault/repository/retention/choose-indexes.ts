/**
 * Which indexes are locked with packs that shall be safe: as few as name them all, and none that would keep much else in the vault as long as
 * the lock is prolonged. Pure.
 */

export type IndexChoice = {
  readonly lock: ReadonlySet<string>;
  /** By index that is not worth a lock: the packs that only such ones name, to be named by a new index. */
  readonly rewrite: ReadonlyMap<string, ReadonlySet<string>>;
};

/**
 * @param named by index, the packs that it names
 * @param passedOver packs that a prune wants to take away: an index with one of them can go only when its lock ends
 */
export const chooseIndexes = (
  needed: ReadonlySet<string>,
  named: ReadonlyMap<string, readonly string[]>,
  passedOver: ReadonlySet<string>,
): IndexChoice => {
  const candidates = [...named]
    .map(([index, packs]) => {
      const used = packs.filter((pack) => needed.has(pack));
      const isDue = packs.some((pack) => passedOver.has(pack) && !needed.has(pack));
      return { index, used, isFit: !isDue && used.length * 2 >= packs.length };
    })
    .filter(({ used }) => used.length > 0)
    .sort((a, b) => Number(b.isFit) - Number(a.isFit) || b.used.length - a.used.length || (a.index < b.index ? -1 : 1));
  const covered = new Set<string>();
  const lock = new Set<string>();
  const rewrite = new Map<string, ReadonlySet<string>>();
  for (const { index, used, isFit } of candidates) {
    const open = used.filter((pack) => !covered.has(pack));
    if (open.length === 0) continue;
    for (const pack of open) covered.add(pack);
    if (isFit) lock.add(index);
    else rewrite.set(index, new Set(open));
  }
  return { lock, rewrite };
};
