/**
 * Which indexes a point rests on: those that name its packs, and no others. Where several name one pack, the best locked of them is enough,
 * since whoever takes away the others takes nothing from the point.
 */
import type { FileLock } from "../stores/store.ts";

/** What the store says of one file. `replaced`: something else is there in its place. */
export type LockAnswer = FileLock | "none" | "replaced" | "missing";

/** @returns positive if `a` holds longer, or as long and more strictly */
const compareAnswers = (a: LockAnswer, b: LockAnswer): number => {
  const rank = (answer: LockAnswer): number =>
    answer === "missing" || answer === "replaced" ? 0 : answer === "none" ? 1 : 2;
  if (typeof a === "string" || typeof b === "string") return rank(a) - rank(b);
  const strictness = ({ mode }: FileLock): number => (mode === "compliance" ? 1 : 0);
  return a.until.getTime() - b.until.getTime() || strictness(a) - strictness(b);
};

/**
 * @param candidates for each item, the files of which one is enough
 * @returns the best locked one for each item, and the items that have none
 */
export const safestOf = (
  items: Iterable<string>,
  candidates: ReadonlyMap<string, readonly string[]>,
  answers: ReadonlyMap<string, LockAnswer>,
): { readonly chosen: ReadonlySet<string>; readonly without: readonly string[] } => {
  const answerOf = (file: string): LockAnswer => answers.get(file) ?? "missing";
  const chosen = new Set<string>();
  const without: string[] = [];
  for (const item of items) {
    const [best] = (candidates.get(item) ?? []).toSorted((a, b) => compareAnswers(answerOf(b), answerOf(a)));
    if (best === undefined) without.push(item);
    else chosen.add(best);
  }
  return { chosen, without };
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
  const { chosen, without } = safestOf(packs, indexesByPack, answers);
  return { indexes: chosen, unnamed: without };
};
