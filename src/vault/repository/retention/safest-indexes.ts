/**
 * Which indexes a point rests on: those that name its packs, and no others. Where several name one pack, the best locked of them is enough,
 * since whoever takes away the others takes nothing from the point.
 */
import type { FileLock } from "../stores/store.ts";

/** What the store says of one file. */
export type LockAnswer = FileLock | "none" | "missing";

/** @returns positive if `a` holds longer, or as long and more strictly */
const compareAnswers = (a: LockAnswer, b: LockAnswer): number => {
  const rank = (answer: LockAnswer): number => (answer === "missing" ? 0 : answer === "none" ? 1 : 2);
  if (typeof a === "string" || typeof b === "string") return rank(a) - rank(b);
  const strictness = ({ mode }: FileLock): number => (mode === "compliance" ? 1 : 0);
  return a.until.getTime() - b.until.getTime() || strictness(a) - strictness(b);
};

/**
 * @param indexesByPack the indexes that name each pack
 * @returns the indexes, and the packs that none names: nobody would find what is in them
 */
export const safestIndexes = (
  packs: Iterable<string>,
  indexesByPack: ReadonlyMap<string, readonly string[]>,
  answers: ReadonlyMap<string, LockAnswer>,
): { readonly indexes: ReadonlySet<string>; readonly unnamed: readonly string[] } => {
  const answerOf = (index: string): LockAnswer => answers.get(index) ?? "missing";
  const indexes = new Set<string>();
  const unnamed: string[] = [];
  for (const pack of packs) {
    const [best] = (indexesByPack.get(pack) ?? []).toSorted((a, b) => compareAnswers(answerOf(b), answerOf(a)));
    if (best === undefined) unnamed.push(pack);
    else indexes.add(best);
  }
  return { indexes, unnamed };
};
