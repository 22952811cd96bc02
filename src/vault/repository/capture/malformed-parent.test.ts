/** A parent snapshot with a tree that somebody with the key, or a bug, has written: it must cost time and a word, not the capture. */
import { hash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Repository } from "../../../core/ports/vault.ts";
import { type SnapshotId, snapshotIdSchema } from "../../../model/identifiers.ts";
import { systemClock } from "../../../platform/system-clock.ts";
import { unsteadyWarnings } from "../../../platform/tree-facts.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { BlobReader } from "../blobs/blob-reader.ts";
import { createBlobTable } from "../blobs/blob-table.ts";
import { PackWriter } from "../blobs/pack-writer.ts";
import { createRepository } from "../create-repository.ts";
import { type IndexedPack, readIndex, writeIndex } from "../format/index-file.ts";
import { readSnapshot, writeSnapshot } from "../format/snapshot-file.ts";
import { openMasterKey } from "../seal/key-file.ts";
import { Sealer } from "../seal/seal.ts";
import { openStore } from "../stores/open-store.ts";

const never = new AbortController().signal;
const password = "password";

let folder: TestFolder;
let tree: string;
let repository: Repository;
let first: Awaited<ReturnType<typeof capture>>;

beforeAll(async () => {
  folder = await createTestFolder("refloat-malformed");
  tree = `${folder.path}/tree`;
  await mkdir(`${tree}/sub`, { recursive: true });
  for (const name of ["a", "b", "c", "sub/d", "z"]) await writeFile(`${tree}/${name}`, `content of ${name}`);
  repository = await createRepository(`${folder.path}/vault`, password, { clock: systemClock });
  first = await capture();
});

afterAll(async () => {
  await repository.close();
  await folder.remove();
});

const capture = async (parent?: SnapshotId) => {
  const given = parent === undefined ? {} : { parent };
  const options = { hostname: "h", time: new Date(), tags: [], paths: ["/t"], ...given };
  const writer = await repository.beginSnapshot(options);
  try {
    const receipt = await writer.tree(tree, { exclude: [], oneFileSystem: false, as: "/t" }, never);
    return { receipt, ...(await writer.commit()) };
  } finally {
    await writer.abort();
  }
};

/** The snapshot once more, with another text in the place of one tree. */
const craft = async (id: SnapshotId, path: string, change: (text: string) => string): Promise<SnapshotId> => {
  const reader = await repository.openTree(id);
  const trees = await Promise.all(
    ["/", "/t", "/t/sub"].map(async (at) => ({ at, id: (await reader.entry(at))?.treeId ?? "" })),
  );
  const store = openStore(repository.location, { blocking: false });
  const sealer = new Sealer(await openMasterKey(store, password));
  const table = createBlobTable();
  for await (const { name } of store.list("index"))
    await readIndex(store, sealer, name, (pack) => table.place(pack.id, pack.blobs));
  const blobs = new BlobReader(store, sealer, table);
  const packs: IndexedPack[] = [];
  const pack = new PackWriter({ type: "tree", store, sealer, finished: (done) => packs.push(done) });
  let below: readonly [before: string, now: string] | undefined;
  for (const { at, id: before } of trees.toReversed()) {
    if (below === undefined && at !== path) continue;
    const text = (await blobs.read(before, "tree")).toString("latin1");
    const bytes = Buffer.from(below === undefined ? change(text) : text.replace(below[0], below[1]), "latin1");
    const now = hash("sha256", bytes, "hex");
    pack.add(now, bytes);
    below = [before, now];
  }
  await pack.flush();
  await writeIndex(store, sealer, 2, packs);
  const { hostname, paths } = await readSnapshot(store, sealer, id);
  const time = new Date();
  const summary = { backupStart: time, backupEnd: time, totalFiles: 0, totalBytes: 0, newBytes: 0 };
  const crafted = await writeSnapshot(store, sealer, 2, {
    time,
    parent: undefined,
    tree: below?.[1] ?? "",
    paths,
    hostname,
    username: "",
    uid: 0,
    gid: 0,
    excludes: [],
    tags: [],
    programVersion: "",
    summary,
  });
  await store.close();
  return snapshotIdSchema.parse(crafted);
};

const setName = (name: string, other: string) => (text: string) =>
  text.replace(`{"name":"${name}"`, `{"name":${other}`);

describe("a capture whose parent holds a malformed tree", () => {
  it.each([
    ["no list of nodes", "/t", () => "{}", 0],
    ["an end in the middle", "/t", (text: string) => text.slice(0, text.indexOf('{"name":"c"') + 40), 2],
    ["an end after a node", "/t", (text: string) => text.slice(0, text.indexOf(',{"name":"c"')), 1],
    ["a time that is none", "/t", (text: string) => text.replaceAll(/"mtime":"[^"]*"/g, '"mtime":"never"'), 0],
    ["a name that is no string", "/t", setName("c", "5"), 2],
    ["a hostile name", "/t", setName("c", '".."'), 2],
    ["a subtree that is no id", "/t", (text: string) => text.replace(/"subtree":"[0-9a-f]+"/, '"subtree":"x"'), 3],
    ["no list of nodes further down", "/t/sub", () => "[]", 4],
    ["no list of nodes above", "/", () => "{}", 0],
  ])("goes on where it has %s", async (_title, path, change, unchanged) => {
    const crafted = await craft(first.id, path, change);
    const { receipt, id } = await capture(crafted);
    expect(receipt).toMatchObject({ files: 5, unchangedFiles: unchanged });
    const hurt = path === "/t/sub" ? `${tree}/sub` : tree;
    expect(receipt.unsteady).toEqual([{ path: hurt, reason: "read-anew" }]);
    expect(unsteadyWarnings(receipt)).toEqual([
      "1 folders were read anew with all below, since what an earlier point holds of them cannot be read (`refloat verify` tells " +
        `what is hurt): ${hurt}`,
    ]);
    // The same files, so the same trees: nothing of what was crafted is in it.
    expect((await (await repository.openTree(id)).entry("/t"))?.treeId).toBe(
      (await (await repository.openTree(first.id)).entry("/t"))?.treeId,
    );
    expect((await capture(id)).receipt).toMatchObject({ files: 5, unchangedFiles: 5, unsteady: [] });
  });

  it("tells once of a folder that several tasks take", async () => {
    await Promise.all(Array.from({ length: 3000 }, async (_, at) => writeFile(`${tree}/many-${at}`, "")));
    const { id } = await capture();
    const { receipt } = await capture(await craft(id, "/t", setName("a", "5")));
    expect(receipt.unsteady).toEqual([{ path: tree, reason: "read-anew" }]);
    expect(receipt.files).toBe(3005);
  });
});
