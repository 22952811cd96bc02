/**
 * Which files of the store snapshots rest on: the packs that hold their trees and contents, the indexes that name these, keys and config without which
 * nobody finds or opens these, and the snapshot files themselves.
 */
import { type BlobSource, damagedBlob } from "../blobs/blob-reader.ts";
import { createBlobTable } from "../blobs/blob-table.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import type { BlobType } from "../format/pack-header.ts";
import { decodeTree } from "../format/tree-decoder.ts";
import type { RepositoryContext } from "../repository-context.ts";
import { type StoreKind, configName } from "../stores/store.ts";

/** @property sha256 of what it has to hold, where its name does not say it */
export type NeededFile = { readonly kind: StoreKind; readonly name: string; readonly sha256?: string };

/** Each is a round trip to the store. */
const treesAtOnce = 16;

/** By a key of its own, packs of which each holds the same blobs that are needed. */
export type PackAlternatives = ReadonlyMap<string, readonly string[]>;

/**
 * @param packsOf those that hold a blob
 * @param unreadable told of each blob that no index names and each tree that cannot be read; without it that is thrown
 * @throws RefloatError vault.damaged
 */
export const packsOfTrees = async (
  {
    blobs,
    packsOf,
  }: { readonly blobs: BlobSource; readonly packsOf: (id: string, type: BlobType) => readonly string[] },
  roots: readonly string[],
  signal: AbortSignal,
  unreadable?: (error: RefloatError) => void,
): Promise<PackAlternatives> => {
  const alternatives = new Map<string, readonly string[]>();
  const tell = (error: RefloatError): void => {
    if (unreadable === undefined) throw error;
    unreadable(error);
  };
  /** Used as a set: blobs that were seen. */
  const seen = createBlobTable();
  const need = (id: string, type: BlobType): boolean => {
    if (!seen.claim(id, type)) return false;
    const packs = packsOf(id, type);
    if (packs.length > 0) alternatives.set(packs.join(" "), packs);
    // A tree that is in no pack is told of when it is read.
    if (packs.length === 0 && type === "data") tell(damagedBlob(id, null, "is in no pack that the index knows"));
    return true;
  };
  const waiting = roots.filter((root) => need(root, "tree"));
  while (waiting.length > 0) {
    signal.throwIfAborted();
    const batch = waiting.splice(-treesAtOnce);
    const trees = await Promise.all(batch.map(async (id) => ({ id, bytes: await readTree(blobs, id, tell) })));
    for (const { id, bytes } of trees) {
      if (bytes === undefined) continue;
      for (const node of decodeTree(bytes, id)) {
        for (const content of node.content ?? []) need(content, "data");
        if (node.subtree !== undefined && need(node.subtree, "tree")) waiting.push(node.subtree);
      }
    }
  }
  return alternatives;
};

const readTree = async (
  blobs: BlobSource,
  id: string,
  tell: (error: RefloatError) => void,
): Promise<Buffer | undefined> => {
  try {
    return await blobs.read(id, "tree");
  } catch (error) {
    if (!(error instanceof RefloatError && error.code === "vault.damaged")) throw error;
    tell(error);
    return undefined;
  }
};

/** Without these nothing in the vault is opened. What is promised is promised to whoever has any of the passwords: so all keys are locked. */
export const configAndKeys = async ({
  store,
  config: { sha256 },
}: Pick<RepositoryContext, "store" | "config">): Promise<readonly NeededFile[]> => {
  const files: NeededFile[] = [{ kind: "config", name: configName, sha256 }];
  for await (const { name } of store.list("keys")) files.push({ kind: "keys", name });
  return files;
};

/**
 * Of the keys only the one that has opened the vault: it is enough to open all of it, and the only one of which that is proven. Another
 * one may have been added since, without a lock, or be forged. Where it is not known, or not there any more, all keys.
 */
export const configAndKey = async (
  context: Pick<RepositoryContext, "store" | "config" | "openedBy">,
): Promise<readonly NeededFile[]> => {
  const { openedBy } = context;
  const all = await configAndKeys(context);
  const isThere = all.some(({ kind, name }) => kind === "keys" && name === openedBy);
  return isThere ? all.filter(({ kind, name }) => kind !== "keys" || name === openedBy) : all;
};
