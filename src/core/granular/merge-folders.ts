/** Several versions of one folder, entry by entry: what has the same name in all of them comes together. Holds one entry of each. */
import type { FolderEntry } from "../ports/vault-snapshots.ts";

export type MergedEntry = {
  readonly name: Uint8Array;
  /** In the order of the folders; undefined where a folder has no such entry. */
  readonly entries: readonly (FolderEntry | undefined)[];
};

/** @param folders each in byte order of names */
export function* mergeFolders(folders: readonly Iterable<FolderEntry>[]): Generator<MergedEntry> {
  const iterators = folders.map((folder) => folder[Symbol.iterator]());
  const heads = iterators.map((iterator) => iterator.next());
  for (;;) {
    let name: Uint8Array | undefined;
    for (const { done, value } of heads) {
      if (done !== true && (name === undefined || Buffer.compare(value.name, name) < 0)) name = value.name;
    }
    if (name === undefined) return;
    const entries: (FolderEntry | undefined)[] = [];
    for (const [at, head] of heads.entries()) {
      const isSame = head.done !== true && Buffer.compare(head.value.name, name) === 0;
      entries.push(isSame ? head.value : undefined);
      if (isSame) heads[at] = iterators[at]?.next() ?? { done: true, value: undefined };
    }
    yield { name, entries };
  }
}
