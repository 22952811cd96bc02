/** What a vault in a bucket is asked for: each request is a round trip and costs money, so what is read much is read in large steps. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { S3 } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { SnapshotId } from "../../src/model/identifiers.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type RadosgwServer, startRadosgw } from "../../src/testing/radosgw-server.ts";
import { makeBucket, s3ClientOf, s3SettingsOf } from "../../src/testing/s3-bucket.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { createStoreUse, readStoreUse } from "../../src/vault/repository/stores/decorators/store-use.ts";
import { openStore } from "../../src/vault/repository/stores/open-store.ts";
import { noise } from "./support/nasty-tree.ts";
import { password } from "./support/restic.ts";

const never = new AbortController().signal;
const files = 2000;
const stepBytes = 4 * 1024 * 1024;

let server: RadosgwServer;
let client: S3;
let folder: TestFolder;
let vault: string;
let id: SnapshotId;

const settings = () => ({ s3: s3SettingsOf(server.owner) });

/** What the act asks of the bucket, and how many bytes come back. */
const asked = async (act: (repository: Repository) => Promise<void>) => {
  const use = createStoreUse();
  const repository = await openRepository(vault, password, { clock: systemClock, settings: { ...settings(), use } });
  try {
    await act(repository);
  } finally {
    await repository.close();
  }
  const { read, list } = readStoreUse(use).acts;
  return { reads: read?.calls ?? 0, bytes: read?.bytes ?? 0, lists: list?.calls ?? 0 };
};

const storedBytes = async (): Promise<{ readonly packs: number; readonly bytes: number; readonly files: number }> => {
  const { Contents = [] } = await client.listObjectsV2({ Bucket: "counted" });
  const packs = Contents.filter(({ Key }) => Key?.includes("/data/"));
  return { packs: packs.length, bytes: packs.reduce((sum, { Size = 0 }) => sum + Size, 0), files: Contents.length };
};

beforeAll(async () => {
  server = await startRadosgw();
  client = s3ClientOf(server);
  folder = await createTestFolder("refloat-s3-requests");
  await makeBucket(client, "counted", { locks: false });
  vault = `s3:${server.url}/counted/vault`;
  for (let at = 0; at < 10; at += 1) await mkdir(join(folder.path, "tree", String(at)), { recursive: true });
  for (let at = 0; at < files; at += 1)
    await writeFile(join(folder.path, "tree", String(at % 10), String(at)), noise(9000, `file ${at}`));
  const repository = await createRepository(vault, password, { clock: systemClock, settings: settings() });
  const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/tree"] });
  const rules = { exclude: [], oneFileSystem: false, as: "/tree" };
  await writer.tree(join(folder.path, "tree"), rules, never);
  id = (await writer.commit()).id;
  await repository.close();
}, 300_000);

afterAll(async () => {
  client.destroy();
  await server.stop();
  await folder.remove();
});

describe("a bucket", () => {
  it("is asked by a copy for its data in large steps", async () => {
    const target = await createRepository(join(folder.path, "copy"), password, { clock: systemClock });
    const { reads, bytes } = await asked(async (repository) => {
      const source = await repository.copies();
      const copying = await target.beginCopy(source, { dryRun: false });
      const { blobs } = await copying.add([{ id, tags: [] }], { lock: null }, never);
      expect(blobs).toBeGreaterThan(files);
      copying.close();
      source.release();
    });
    // Config, key, snapshot, index; a few for the trees, level by level; the rest is 18 MB of data.
    expect(reads).toBeLessThan(40);
    const stored = await storedBytes();
    expect(bytes).toBeGreaterThan(files * 9000);
    expect(bytes).toBeLessThan(stored.bytes * 1.2);
    expect((await target.verify({ depth: "read-data" }, never)).findings).toEqual([]);
    await target.close();
  });

  it("is asked by a verification for so much as the documents say", async () => {
    const { packs, bytes: all, files: objects } = await storedBytes();
    const structure = await asked(async (repository) => {
      expect((await repository.verify({ depth: "structure" }, never)).findings).toEqual([]);
    });
    const everything = await asked(async (repository) => {
      expect((await repository.verify({ depth: "read-data" }, never)).findings).toEqual([]);
    });
    const some = await asked(async (repository) => {
      const { reading } = await repository.verify({ depth: "sample", limit: { bytes: 1 } }, never);
      expect(reading?.packsRead).toBe(1);
    });
    // Each small file once or twice, and a few for the trees.
    expect(structure.reads).toBeLessThan(2 * (objects - packs) + 8);
    expect(structure.bytes).toBeLessThan(all / 10);
    expect(everything.reads - structure.reads).toBeGreaterThanOrEqual(packs);
    expect(everything.reads - structure.reads).toBeLessThan(Math.ceil(all / stepBytes) + 2 * packs + objects);
    expect(everything.bytes - structure.bytes).toBeGreaterThanOrEqual(all);
    expect(everything.bytes - structure.bytes).toBeLessThan(all * 1.1);
    expect(some.reads - structure.reads).toBeLessThan(12);
    expect(everything.lists).toBe(structure.lists);
  });

  it("is asked by a repair for each pack that no index names in large steps", async () => {
    const store = openStore(vault, { blocking: false, settings: settings() });
    for await (const { name } of store.list("index")) await store.remove("index", name);
    await store.close();
    const { packs, bytes: all } = await storedBytes();
    const { reads, bytes } = await asked(async (repository) => {
      const report = await repository.verify({ depth: "structure" }, never);
      const options = { apply: true, sources: [], keepEvidence: async (name: string) => name };
      expect(await repository.repair(report, options, never)).toMatchObject({ packsIndexed: packs, packsReplaced: 0 });
      expect((await repository.verify({ depth: "structure" }, never)).findings).toEqual([]);
    });
    expect(bytes).toBeGreaterThanOrEqual(all);
    expect(reads).toBeLessThan(Math.ceil(all / stepBytes) + 10 * packs + 60);
  });
});
