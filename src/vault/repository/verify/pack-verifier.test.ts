import { createHash, randomBytes } from "node:crypto";
import { truncate } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { PackWriter } from "../blobs/pack-writer.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { Sealer, keyBytes } from "../seal/seal.ts";
import { createLocalStore } from "../stores/local-store.ts";
import type { Store } from "../stores/store.ts";
import { createPackVerifier } from "./pack-verifier.ts";

describe("reading a pack through", () => {
  const sealer = new Sealer(randomBytes(keyBytes));
  let folder: TestFolder;
  let store: Store;
  let reads: number;

  beforeEach(async () => {
    folder = await createTestFolder("refloat-pack");
    store = await createLocalStore(`${folder.path}/vault`, { blocking: true });
    reads = 0;
  });
  afterEach(() => folder.remove());

  const counted = (): Store =>
    new Proxy(store, {
      get: (target, key) => {
        if (key !== "readRange") return Reflect.get(target, key) as unknown;
        return (...args: Parameters<Store["readRange"]>) => {
          reads += 1;
          return target.readRange(...args);
        };
      },
    });

  const packOf = async (contents: readonly Buffer[]): Promise<IndexedPack & { readonly sizeBytes: number }> => {
    const packs: IndexedPack[] = [];
    const writer = new PackWriter({ type: "data", store, sealer, finished: (pack) => packs.push(pack) });
    for (const content of contents) writer.add(createHash("sha256").update(content).digest("hex"), content);
    await writer.flush();
    const [pack] = packs;
    if (pack === undefined || packs.length > 1) throw new Error(`one pack was expected, not ${packs.length}`);
    return { ...pack, sizeBytes: (await store.stat("data", pack.id)).sizeBytes };
  };

  const verify = ({ id, blobs, sizeBytes }: IndexedPack & { readonly sizeBytes: number }) =>
    createPackVerifier(counted(), sealer)({ job: 1, packId: id, sizeBytes, blobs }, async () => undefined);

  it("asks for many blobs at once, and for a large pack more than once", async () => {
    const small = await packOf(Array.from({ length: 500 }, (_, n) => Buffer.from(`content ${n}`)));
    expect(await verify(small)).toEqual({ bytesRead: small.sizeBytes, problems: [] });
    expect(reads).toBe(1);
    const large = await packOf(Array.from({ length: 9 }, () => randomBytes(1_500_000)));
    expect(await verify(large)).toEqual({ bytesRead: large.sizeBytes, problems: [] });
    // Steps of 4 MiB hold two blobs of 1.5 MB each; what is left of a step is read again with the next.
    expect(reads - 1).toBeLessThanOrEqual(6);
  });

  it("names the blobs behind the end of one that was cut, and none before", async () => {
    const pack = await packOf(Array.from({ length: 20 }, () => randomBytes(100_000)));
    const cut = pack.blobs[12]?.offset ?? 0;
    const path = `${folder.path}/vault/data/${pack.id.slice(0, 2)}/${pack.id}`;
    await truncate(path, cut + 10);
    const { problems } = await verify({ ...pack, sizeBytes: cut + 10 });
    expect(problems.flatMap(({ blob }) => blob?.id ?? [])).toEqual(pack.blobs.slice(12).map(({ id }) => id));
  });
});
