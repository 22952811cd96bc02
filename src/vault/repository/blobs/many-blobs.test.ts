import { hash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RefloatError } from "../../../model/refloat-error.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import type { IndexedPack } from "../format/index-file.ts";
import { Sealer, keyBytes } from "../seal/seal.ts";
import { openStore } from "../stores/open-store.ts";
import { createLocalStore } from "../stores/local-store.ts";
import type { Store } from "../stores/store.ts";
import { BlobReader } from "./blob-reader.ts";
import { createBlobTable } from "./blob-table.ts";
import { type ManyBlobs, createManyBlobs } from "./many-blobs.ts";
import { PackWriter } from "./pack-writer.ts";

const never = new AbortController().signal;
const sealer = new Sealer(randomBytes(keyBytes));
const table = createBlobTable();
const contents = new Map<string, Buffer>();
const packs: IndexedPack[] = [];
let folder: TestFolder;
let store: Store;
let manyBlobs: ManyBlobs;
let reads = 0;

beforeAll(async () => {
  folder = await createTestFolder("refloat-many-blobs");
  await (await createLocalStore(folder.path, { blocking: false })).close();
  store = openStore(folder.path, { blocking: false });
  const writer = new PackWriter({ type: "data", store, sealer, finished: (pack) => packs.push(pack) });
  // Some that fill more than a batch, many small ones.
  for (let at = 0; at < 600; at += 1) {
    const bytes = randomBytes(at % 100 === 0 ? 3_000_000 : 2000);
    const id = hash("sha256", bytes, "hex");
    contents.set(id, bytes);
    writer.add(id, bytes);
    await writer.settle(1);
  }
  await writer.flush();
  for (const { id, blobs } of packs) table.place(id, blobs);
  const counting: Store = {
    location: store.location,
    list: (kind) => store.list(kind),
    sweep: async () => store.sweep(),
    stat: async (...file) => store.stat(...file),
    read: async (...file) => store.read(...file),
    readRange: async (...range) => {
      reads += 1;
      return store.readRange(...range);
    },
    write: async (...file) => store.write(...file),
    begin: (kind) => store.begin(kind),
    remove: async (...file) => store.remove(...file),
    close: async () => store.close(),
  };
  manyBlobs = createManyBlobs(counting, sealer, table, new BlobReader(counting, sealer, table));
});

afterAll(async () => {
  await store.close();
  await folder.remove();
});

/** What was told of each, and how often. */
const readAll = async (ids: readonly string[]) => {
  const found = new Map<string, string>();
  let told = 0;
  await manyBlobs(
    ids,
    "data",
    async (id, bytes) => {
      told += 1;
      found.set(
        id,
        bytes instanceof RefloatError
          ? bytes.code
          : bytes.equals(contents.get(id) ?? Buffer.alloc(0))
            ? "same"
            : "wrong",
      );
    },
    never,
  );
  return { found, told };
};

describe("many blobs", () => {
  it("come each once, by few large reads, whatever the order in which they are asked for", async () => {
    const ids = [...contents.keys()].toSorted();
    reads = 0;
    const { found, told } = await readAll(ids);
    expect(told).toBe(ids.length);
    expect(new Set(found.values())).toEqual(new Set(["same"]));
    expect(reads).toBeLessThan(20);
  });

  it("that nobody has are told of, alone or among others", async () => {
    const lost = ["0", "f"].map((digit) => digit.repeat(64));
    const some = [...contents.keys()].slice(0, 5);
    expect((await readAll(lost)).found).toEqual(new Map(lost.map((id) => [id, "vault.damaged"])));
    const { found, told } = await readAll([...lost, ...some]);
    expect(told).toBe(7);
    expect(lost.map((id) => found.get(id))).toEqual(["vault.damaged", "vault.damaged"]);
    expect(some.map((id) => found.get(id))).toEqual(some.map(() => "same"));
    expect((await readAll([])).told).toBe(0);
  });

  it("that are damaged are told of, and those behind them come all the same", async () => {
    const [first] = packs;
    const hurt = first?.blobs[10];
    if (first === undefined || hurt === undefined) throw new Error("a pack of many blobs");
    const bytes = await store.read("data", first.id);
    bytes[hurt.offset + 40] = (bytes[hurt.offset + 40] ?? 0) ^ 1;
    const path = `${folder.path}/data/${first.id.slice(0, 2)}/${first.id}`;
    await store.remove("data", first.id);
    await writeFile(path, bytes);
    const { found, told } = await readAll([...contents.keys()]);
    expect(told).toBe(contents.size);
    expect([...found].filter(([, what]) => what !== "same")).toEqual([[hurt.id, "vault.damaged"]]);
  });

  it("end with what whoever takes them throws", async () => {
    const refuse = async (): Promise<void> => {
      throw new RefloatError("vault.no-space", "full");
    };
    await expect(manyBlobs([...contents.keys()], "data", refuse, never)).rejects.toMatchObject({
      code: "vault.no-space",
    });
  });
});
