/**
 * A remote store seen through the cache: one view for what is read whole (indexes, snapshots), one for packs of trees, which are fetched whole
 * since browsing reads them here and there. Data packs are never kept. What is listed always comes from the store itself.
 */
import { gatherFile } from "../stores/gathered-file.ts";
import { type Store, type StoreKind, retentionOf } from "../stores/store.ts";
import { CacheFolder, type CacheSettings, type CachedFile, type CachedKind } from "./cache-folder.ts";

export type StoreViews = {
  /** Indexes and snapshots are taken from the cache where it has them. */
  readonly documents: Store;
  /** Packs that are read and written hold trees. */
  readonly trees: Store;
};

const mostOpenPacks = 32;

const isDocument = (kind: StoreKind): kind is CachedKind & StoreKind => kind === "index" || kind === "snapshots";

const documentStore = (store: Store, cache: CacheFolder): Store => ({
  ...forwarding(store),
  read: async (kind, name) => {
    if (!isDocument(kind)) return store.read(kind, name);
    const known = cache.get(kind, name);
    if (known !== undefined) return known;
    const content = await store.read(kind, name);
    cache.put(kind, name, content);
    return content;
  },
  write: async (kind, name, content) => {
    await store.write(kind, name, content);
    if (isDocument(kind)) cache.put(kind, name, content);
  },
});

const treeStore = (store: Store, cache: CacheFolder): Store => {
  /** In the order of their last use: a Map keeps the order of insertion. */
  const open = new Map<string, CachedFile>();
  const coming = new Map<string, Promise<Buffer>>();

  const keepOpen = (name: string, file: CachedFile): void => {
    open.delete(name);
    open.set(name, file);
    for (const [oldest, pack] of open) {
      if (open.size <= mostOpenPacks) return;
      pack.close();
      open.delete(oldest);
    }
  };
  /** Those who ask for the same pack at the same time wait for one transfer. */
  const fetch = async (name: string): Promise<Buffer> => {
    const known = coming.get(name);
    if (known !== undefined) return known;
    const fetching = store.read("data", name);
    coming.set(name, fetching);
    try {
      const pack = await fetching;
      cache.put("data", name, pack);
      return pack;
    } finally {
      coming.delete(name);
    }
  };
  const write = async (kind: StoreKind, name: string, content: Uint8Array): Promise<void> => {
    await store.write(kind, name, content);
    if (kind === "data") cache.put("data", name, content);
  };

  return {
    ...forwarding(store),
    readRange: async (kind, name, offset, length, into) => {
      if (kind !== "data") return store.readRange(kind, name, offset, length, into);
      const file = open.get(name) ?? cache.open("data", name);
      if (file !== undefined) {
        keepOpen(name, file);
        const found = file.readRange(offset, length);
        if (found !== undefined) return found;
      }
      const pack = await fetch(name);
      // The store itself says what it means that there is less.
      if (offset + length > pack.length) return store.readRange(kind, name, offset, length, into);
      return Buffer.from(pack.subarray(offset, offset + length));
    },
    write,
    begin: (kind) =>
      kind === "data" ? gatherFile(async (name, content) => write(kind, name, content)) : store.begin(kind),
    close: async () => {
      for (const pack of open.values()) pack.close();
      open.clear();
    },
  };
};

const forwarding = (store: Store): Store => ({
  ...retentionOf(store),
  location: store.location,
  list: (kind) => store.list(kind),
  stat: async (kind, name) => store.stat(kind, name),
  read: async (kind, name) => store.read(kind, name),
  readRange: async (kind, name, offset, length, into) => store.readRange(kind, name, offset, length, into),
  write: async (kind, name, content) => store.write(kind, name, content),
  begin: (kind) => store.begin(kind),
  remove: async (kind, name) => store.remove(kind, name),
  sweep: async () => store.sweep(),
  close: async () => store.close(),
});

/** The views of a folder are the folder: it is as near as the cache. */
export const cachedViews = (
  store: Store,
  cache: CacheSettings | undefined,
  warn: (message: string, fields: Record<string, unknown>) => void,
): StoreViews => {
  if (cache === undefined || !/^(sftp|s3):/.test(store.location)) return { documents: store, trees: store };
  const folder = new CacheFolder(cache, warn);
  return { documents: documentStore(store, folder), trees: treeStore(store, folder) };
};
