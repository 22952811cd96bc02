/** Buckets of a bolt file: the leaf pages of one, found by its branch pages level by level, so that the file is read forwards and not once for each key. */
import {
  type BoltFile,
  type BoltPage,
  PageSet,
  type PageRef,
  childrenOf,
  damagedPlace,
  entriesOf,
  inlinePage,
  readPages,
} from "./bolt-pages.ts";

/** Before an inline page, or alone: page of the root, and a sequence. */
const bucketHeadBytes = 16;

type Tree = { readonly file: BoltFile; readonly used: PageSet; readonly signal: AbortSignal };

/** The leaves below a page: of a bolt tree all of them lie equally deep. */
const leavesBelow = async ({ file, used, signal }: Tree, root: number): Promise<readonly PageRef[]> => {
  let level: readonly PageRef[] = [{ page: root, from: "", to: null }];
  for (;;) {
    const first = level.slice(0, 1);
    for await (const page of readPages(file, first, { signal })) if (page.kind === "leaf") return level;
    const next: PageRef[] = [];
    for await (const page of readPages(file, level, { kind: "branch", used, signal }))
      for (const child of childrenOf(page)) next.push(child);
    level = next;
  }
};

export type BucketLeaves = {
  /** In the order of the file, as often as it is called. The bytes of one are good until the next is asked for. */
  readonly read: (signal: AbortSignal) => AsyncGenerator<BoltPage>;
};

/** @returns null where the file has no bucket of that name @throws RefloatError point.damaged, source.unsupported, vault.* */
export const findBucket = async (file: BoltFile, name: string, signal: AbortSignal): Promise<BucketLeaves | null> => {
  const used = new PageSet(file);
  const tree = { file, used, signal };
  const roots = await leavesBelow(tree, file.rootPage);
  for await (const page of readPages(file, roots, { kind: "leaf", used, signal })) {
    for (const { key, value, valueOffset, isBucket } of entriesOf(page)) {
      if (!isBucket || key.toString("latin1") !== name) continue;
      if (value.length < bucketHeadBytes) throw damagedPlace(page.place, `has no root of the bucket ${name}`);
      const root = Number(value.readBigUInt64LE(0));
      return root === 0
        ? inlineLeaves(Buffer.from(value.subarray(bucketHeadBytes)), valueOffset + bucketHeadBytes)
        : storedLeaves(file, await leavesBelow(tree, root));
    }
  }
  return null;
};

const inlineLeaves = (value: Buffer, offset: number): BucketLeaves => ({
  read: async function* () {
    yield inlinePage(value, offset);
  },
});

const storedLeaves = (file: BoltFile, leaves: readonly PageRef[]): BucketLeaves => ({
  read: (signal) => readPages(file, leaves, { kind: "leaf", used: new PageSet(file), signal }),
});
