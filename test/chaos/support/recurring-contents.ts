/** Contents that recur from snapshot to snapshot, so that what one prune takes away the next capture needs. */
import { noise } from "../../interop/support/nasty-tree.ts";

export const poolSize = 10;

export const contentOf = (content: number): Buffer => noise(30_000 + content * 7_000, `content ${content}`);

export const contentsTag = (contents: readonly number[]): string => `contents=${contents.join("+")}`;

export const contentsOfTags = (tags: readonly string[]): readonly number[] =>
  tags
    .flatMap((tag) => (tag.startsWith("contents=") ? [tag.slice("contents=".length)] : []))
    .flatMap((list) => list.split("+").map(Number));
