/** Keys out of snapshots of a real server, held against what the server itself tells: revisions, removals, compaction, pages of every kind, and damage. */
import { copyFile, open, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { CapturedKey, KeySource } from "../../core/ports/captured-keys.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureEtcdInto, etcdContext, etcdSnapshotTree, writeEtcd } from "../../testing/etcd-bench.ts";
import { type EtcdServer, startEtcdServer } from "../../testing/etcd-server.ts";
import { findBucket } from "./bolt-buckets.ts";
import { type BoltPage, openBolt } from "./bolt-pages.ts";
import { etcdCapturedKeys, readSnapshotKeys } from "./captured-keys.ts";
import type { EtcdContext } from "./etcd-options.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const { signal } = new AbortController();

let server: EtcdServer;
let folder: TestFolder;
let context: EtcdContext;
let vaults = 0;
let vault = "";

const snapshotPath = () => join(vault, "config/data/snapshot.db");

const capture = async (): Promise<KeySource> => {
  vault = join(folder.path, `vault-${(vaults += 1)}`);
  return { captured: await captureEtcdInto(context, vault), tree: etcdSnapshotTree(vault) };
};

type Shown = { readonly value: string; readonly lease: string | null };

const contentOf = async (source: KeySource): Promise<ReadonlyMap<string, Shown>> => {
  const found = new Map<string, Shown>();
  for await (const { key, value, lease } of readSnapshotKeys(source, () => true, signal)) {
    const name = key.toString("latin1");
    // A key comes once.
    expect(found.has(name)).toBe(false);
    found.set(name, { value: value.toString("latin1"), lease });
  }
  return found;
};

const inOrder = (found: ReadonlyMap<string, Shown>) => [...found].toSorted(([a], [b]) => (a < b ? -1 : 1));

const askedContent = async () => {
  const said = JSON.parse(await server.ctl("get", "", "--from-key", "--write-out", "json")) as {
    kvs?: readonly { key: string; value?: string; lease?: number }[];
  };
  const latin1 = (base64 = ""): string => Buffer.from(base64, "base64").toString("latin1");
  return (said.kvs ?? []).map(({ key, value, lease = 0 }) => [
    latin1(key),
    // As a number the id has lost its last digits.
    { value: latin1(value), leased: lease !== 0 },
  ]);
};

const sameAsServer = async (source: KeySource): Promise<number> => {
  const found = inOrder(await contentOf(source));
  expect(found.map(([key, { value, lease }]) => [key, { value, leased: lease !== null }])).toEqual(
    await askedContent(),
  );
  return found.length;
};

/** The same numbers each time. */
const numbers = (seed: number) => {
  let state = seed;
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
};

const fileOf = async (sizeBytes: number) => {
  const bytes = await readFile(snapshotPath());
  return openBolt({ sizeBytes, read: async (at, length) => Buffer.from(bytes.subarray(at, at + length)) });
};

const pagesOf = async (): Promise<readonly BoltPage[]> => {
  const { length } = await readFile(snapshotPath());
  const bucket = await findBucket(await fileOf(length - 32), "key", signal);
  const pages: BoltPage[] = [];
  if (bucket !== null) for await (const page of bucket.read(signal)) pages.push(page);
  return pages;
};

const listed = async (source: KeySource, typed: string | null): Promise<readonly CapturedKey[]> => {
  const keys: CapturedKey[] = [];
  for await (const key of etcdCapturedKeys.list(source, typed, signal)) keys.push(key);
  return keys;
};

const taken = async (source: KeySource, typed: string, form: "value" | "dump" = "value"): Promise<Buffer> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of etcdCapturedKeys.take(source, { typed, form, signal })) pieces.push(piece);
  return Buffer.concat(pieces);
};

const restart = async (): Promise<void> => {
  server = await startEtcdServer();
  context = await etcdContext(server, folder.path);
};

beforeAll(async () => {
  folder = await createTestFolder("refloat-etcd-keys");
  await restart();
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

test("a store with nothing in it, and one so small that its bucket lies within another", async () => {
  expect(await sameAsServer(await capture())).toBe(0);
  await server.ctl("put", "/only", "one");
  expect(await sameAsServer(await capture())).toBe(1);
  expect((await pagesOf()).map(({ place }) => place)).toEqual([expect.stringContaining("within another one")]);
});

test("the last revision counts, what was removed is gone, and a lease is told", async () => {
  const lease = /lease (\w+) granted/.exec(await server.ctl("lease", "grant", "3600"))?.[1] ?? "";
  await server.ctl("put", "/a", "first");
  await server.ctl("put", "/a", "second");
  await server.ctl("put", "/b", "removed");
  await server.ctl("del", "/b");
  await server.ctl("put", "/c", "removed, and there again");
  await server.ctl("del", "/c");
  await server.ctl("put", "/c", "");
  await server.ctl("put", "/leased", "x", `--lease=${lease}`);
  await writeEtcd(server, [
    { key: Buffer.from([0xff, 0x00, 0x0a]), value: Buffer.from([0, 1, 2, 255]) },
    { key: Buffer.from("/only"), value: null },
  ]);
  const source = await capture();
  await sameAsServer(source);
  expect((await listed(source, null)).map(({ key }) => Buffer.from(key).toString("latin1")).toSorted()).toEqual([
    "/a",
    "/c",
    "/leased",
    "\u00ff\u0000\n",
  ]);
  expect(await listed(source, "/leased")).toEqual([
    { key: Buffer.from("/leased"), prefix: "", type: "value", sizeBytes: 1, expiresAt: null, lease },
  ]);
  expect(await listed(source, "/b")).toEqual([]);
  expect((await listed(source, "/[ac]")).map(({ sizeBytes }) => sizeBytes).toSorted((a, b) => a - b)).toEqual([0, 6]);
  expect((await taken(source, "/a")).toString()).toBe("second");
  expect(await taken(source, "/c")).toHaveLength(0);
  expect([...(await taken(source, "\\xff\\x00\\n"))]).toEqual([0, 1, 2, 255]);
  for (const gone of ["/b", "/nothing", "/a*"])
    await expect(taken(source, gone)).rejects.toMatchObject({ code: "point.unknown" });
  // What etcd has removed the revisions of is the same store.
  const revision = /"Revision" : (\d+)/.exec(await server.ctl("get", "/a", "--write-out", "fields"))?.[1] ?? "";
  await server.ctl("compaction", revision, "--physical");
  await sameAsServer(await capture());
});

describe("of many keys", () => {
  const draw = numbers(42);
  const bytes = (length: number): Buffer => Buffer.from(Array.from({ length }, () => draw(256)));
  const names = Array.from({ length: 6_000 }, (_, index) => Buffer.concat([Buffer.from(`/many/${index}/`), bytes(3)]));

  const round = (share: number, removed: number): Promise<void> =>
    writeEtcd(
      server,
      names.flatMap((key) =>
        draw(100) >= share
          ? []
          : [{ key, value: draw(100) < removed ? null : bytes(draw(40) === 0 ? 3_000 : draw(300)) }],
      ),
    );

  test("as the server tells them, whatever was written, removed, compacted and moved", async () => {
    await round(100, 0);
    await round(40, 50);
    const source = await capture();
    expect(await sameAsServer(source)).toBeGreaterThan(4_000);
    const pages = await pagesOf();
    // More leaves than one branch page leads to, so that there are two levels of those.
    expect(pages.length).toBeGreaterThan(400);
    const revision = /"Revision" : (\d+)/.exec(await server.ctl("get", "/many", "--write-out", "fields"))?.[1] ?? "";
    await server.ctl("compaction", revision, "--physical");
    // Into pages that are free now, out of the order of their revisions.
    await round(60, 20);
    await round(60, 20);
    const compacted = await capture();
    await sameAsServer(compacted);
    const order = (await pagesOf()).map(({ from }) => from);
    expect(order).not.toEqual(order.toSorted());
    await server.ctl("defrag");
    await sameAsServer(await capture());
  });

  test("values that take many pages are whole, and in the form that the server takes back", async () => {
    const large = Array.from({ length: 3 }, (_, index) => ({
      key: Buffer.from(`/large/${index}`),
      value: bytes(1_000_000 + index),
    }));
    for (const one of large) await writeEtcd(server, [one]);
    const source = await capture();
    await sameAsServer(source);
    expect(Math.max(...(await pagesOf()).map((page) => page.bytes.length))).toBeGreaterThan(1_000_000);
    for (const { key, value } of large) expect((await taken(source, key.toString())).equals(value)).toBe(true);
    await server.ctl("put", "/large/1", "overwritten");
    const put = await fetch(`${server.url}/v3/kv/put`, {
      method: "POST",
      body: new Uint8Array(await taken(source, "/large/1", "dump")),
    });
    expect(put.status).toBe(200);
    const [now] = (
      JSON.parse(await server.ctl("get", "/large/1", "--write-out", "json")) as { kvs: readonly { value: string }[] }
    ).kvs;
    expect(Buffer.from(now?.value ?? "", "base64").equals(large[1]?.value ?? Buffer.alloc(0))).toBe(true);
  });

  describe("in a file that is damaged", () => {
    let source: KeySource;
    let pages: readonly BoltPage[];
    const write = async (at: number, what: Uint8Array): Promise<void> => {
      const file = await open(snapshotPath(), "r+");
      await file.write(what, 0, what.length, at);
      await file.close();
    };
    const u16 = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);
    const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);

    beforeAll(async () => {
      source = await capture();
      pages = (await pagesOf()).map((page) => ({ ...page, bytes: Buffer.from(page.bytes) }));
      await copyFile(snapshotPath(), `${snapshotPath()}.whole`);
    });

    const pageAt = (share: number): BoltPage => {
      const page = pages[Math.floor(pages.length * share)];
      if (page === undefined) throw new Error("no page");
      return page;
    };
    /** A branch page in use: it leads to a leaf that is. */
    const branch = async (): Promise<number> => {
      const whole = await readFile(`${snapshotPath()}.whole`);
      const wanted = pageAt(0.5).page;
      for (let at = 0; at + 4096 <= whole.length; at += 4096) {
        if (whole.readUInt16LE(at + 8) !== 1 || Number(whole.readBigUInt64LE(at)) !== at / 4096) continue;
        for (let index = 0; index < whole.readUInt16LE(at + 10); index += 1)
          if (Number(whole.readBigUInt64LE(at + 16 + index * 16 + 8)) === wanted) return at;
      }
      throw new Error("no branch page");
    };

    test.each<[string, () => Promise<void>, RegExp]>([
      ["a leaf that is another page", () => write(pageAt(0.3).offset, u32(7)), /page \d+ .*number of another page/],
      ["a leaf that is none", () => write(pageAt(0.3).offset + 8, u16(0x10)), /page \d+ .*is no leaf page/],
      ["more elements than fit", () => write(pageAt(0.3).offset + 10, u16(60_000)), /page \d+ .*no room/],
      ["an overflow behind the end", () => write(pageAt(0.3).offset + 12, u32(1 << 30)), /page \d+ .*behind the end/],
      ["an element outside", () => write(pageAt(0.3).offset + 16 + 4, u32(1 << 20)), /page \d+ .*lies outside/],
      [
        "half a page that was never written",
        () => write(pageAt(0.3).offset + 2048, Buffer.alloc(2048)),
        /page \d+ .*(does not belong there|is no revision|lies outside)/,
      ],
      [
        "a page of another place under its number",
        async () => {
          const [here, there] = [pageAt(0.3), pageAt(0.7)];
          await write(here.offset + 8, there.bytes.subarray(8, 4096));
        },
        /page \d+ .*(does not belong there|behind the end)/,
      ],
      [
        "a branch that leads to itself",
        async () => {
          const at = await branch();
          await write(at + 16 + 8, u32(at / 4096));
        },
        /page \d+ .*(led to twice|is no leaf page)/,
      ],
      ["a branch that leads outside", async () => write((await branch()) + 16 + 8, u32(1 << 30)), /page \d+ .*outside/],
      [
        "no meta page",
        async () => {
          await write(40, Buffer.from([0x55]));
          await write(4096 + 40, Buffer.from([0x55]));
        },
        /its beginning is none/,
      ],
    ])("%s is told with its place", async (_, damage, words) => {
      await copyFile(`${snapshotPath()}.whole`, snapshotPath());
      await damage();
      await expect(contentOf(source)).rejects.toMatchObject({
        code: "point.damaged",
        message: expect.stringMatching(words) as string,
      });
    });

    test("with one of both meta pages it is read by the other", async () => {
      await copyFile(`${snapshotPath()}.whole`, snapshotPath());
      const whole = await contentOf(source);
      await write(40, Buffer.from([0x55]));
      expect(await contentOf(source)).toEqual(whole);
    });

    test("shorter than it was is told before anything is read", async () => {
      await copyFile(`${snapshotPath()}.whole`, snapshotPath());
      await truncate(snapshotPath(), 100_000);
      await expect(contentOf(source)).rejects.toMatchObject({
        code: "point.damaged",
        message: expect.stringContaining("100000 bytes") as string,
      });
      // As one whose facts say so too.
      const { captured } = source;
      const shorter = { ...source, captured: { ...captured, facts: { ...captured.facts, sizeBytes: 100_000 } } };
      await expect(contentOf(shorter)).rejects.toMatchObject({
        code: "point.damaged",
        message: expect.stringMatching(/its end \(byte 99968\) comes before/) as string,
      });
    });
  });
});
