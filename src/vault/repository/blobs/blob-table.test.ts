import { createHash } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { BlobRecords } from "../format/blob-records.ts";
import { encodeIndex } from "../format/index-file.ts";
import { IndexScanner } from "../format/index-scanner.ts";
import type { PackedBlob } from "../format/pack-header.ts";
import { createBlobTable } from "./blob-table.ts";

const idOf = (n: number): string => createHash("sha256").update(String(n)).digest("hex");

const blob = (n: number, offset: number): PackedBlob => ({
  id: idOf(n),
  type: n % 3 === 0 ? "tree" : "data",
  offset,
  length: 100 + n,
  plainLength: n % 2 === 0 ? 200 + n : 0,
});

describe("the table of blobs", () => {
  it("knows where each of many blobs lies, across all growth", () => {
    const table = createBlobTable();
    const perPack = 1000;
    const packs = 40;
    for (let pack = 0; pack < packs; pack += 1) {
      table.place(
        idOf(-1 - pack),
        Array.from({ length: perPack }, (_, at) => blob(pack * perPack + at, at * 1000)),
      );
    }
    expect(table.size).toBe(packs * perPack);
    for (let n = 0; n < packs * perPack; n += 1) {
      const { id, type, ...place } = blob(n, (n % perPack) * 1000);
      expect(table.locate(id, type)).toEqual([{ ...place, packId: idOf(-1 - Math.floor(n / perPack)) }]);
      expect(table.has(id, type === "data" ? "tree" : "data")).toBe(false);
    }
    expect(table.locate(idOf(packs * perPack), "data")).toEqual([]);
  });

  it("gives a claim once, and shows no place before the pack is durable", () => {
    const table = createBlobTable();
    expect(table.claim(idOf(1), "data")).toBe(true);
    expect(table.claim(idOf(1), "data")).toBe(false);
    // The text of a tree in a file is another blob.
    expect(table.claim(idOf(1), "tree")).toBe(true);
    expect(table.has(idOf(1), "data")).toBe(true);
    expect(table.locate(idOf(1), "data")).toEqual([]);
    table.place(idOf(100), [{ ...blob(1, 7), type: "data" }]);
    expect(table.locate(idOf(1), "data")).toMatchObject([{ packId: idOf(100), offset: 7 }]);
    expect(table.claim(idOf(1), "data")).toBe(false);
  });

  it("forgets claims that were given up, and packs that are gone, but not copies of what was in them", () => {
    const table = createBlobTable();
    table.place(idOf(100), [blob(1, 0), blob(2, 10)]);
    table.place(idOf(101), [blob(2, 20)]);
    table.claim(idOf(5), "data");
    table.dropClaims();
    expect(table.claim(idOf(5), "data")).toBe(true);
    table.dropPacks((packId) => packId === idOf(100));
    expect(table.has(idOf(1), "data")).toBe(false);
    expect(table.locate(idOf(2), "data").map(({ packId }) => packId)).toEqual([idOf(101)]);
    expect(table.claim(idOf(1), "data")).toBe(true);
    expect(table.claim(idOf(5), "data")).toBe(false);
    table.place(idOf(102), [blob(1, 30)]);
    expect(table.locate(idOf(1), "data")).toMatchObject([{ packId: idOf(102), offset: 30 }]);
  });

  it("tells ids apart that differ in their last byte only", () => {
    const table = createBlobTable();
    const one = "ab".repeat(31);
    expect(table.claim(`${one}00`, "data")).toBe(true);
    expect(table.claim(`${one}01`, "data")).toBe(true);
    expect(table.claim(`${one}00`, "data")).toBe(false);
  });

  it("keeps every copy of a blob", () => {
    const table = createBlobTable();
    table.place(idOf(100), [blob(1, 0)]);
    table.place(idOf(101), [blob(1, 50)]);
    expect(table.locate(idOf(1), "data").map(({ packId }) => packId)).toEqual([idOf(100), idOf(101)]);
  });

  it("takes the blobs of an index as numbers, in little memory and none for what they were read from", () => {
    const table = createBlobTable();
    const blobs = 40_000;
    table.reserve(blobs);
    const pack = { id: idOf(-1), blobs: Array.from({ length: blobs }, (_, n) => blob(n, n * 1000)) };
    for (const { id, records } of new IndexScanner(encodeIndex([pack])).scan()) table.placeRecords(id, records);
    expect(table.size).toBe(blobs);
    for (let n = 0; n < blobs; n += 977) {
      const { id, type, ...place } = blob(n, n * 1000);
      expect(table.locate(id, type)).toEqual([{ ...place, packId: pack.id }]);
    }
    const { ids, places, buckets } = table.handle;
    const bytes = ids.byteLength + places.byteLength + buckets.byteLength;
    expect(bytes / blobs).toBeLessThan(70);
  });

  it("gives a place to what was claimed when another's index names it, and keeps guesses within what fits", () => {
    const table = createBlobTable();
    table.reserve(2 ** 40);
    expect(table.claim(idOf(4), "data")).toBe(true);
    const records = new BlobRecords();
    expect(records.takeHexId(Buffer.from(idOf(4)), 0)).toBe(true);
    records.add("data", 0xffff_ffff, 2, 3);
    table.placeRecords(idOf(100), records);
    expect(table.locate(idOf(4), "data")).toEqual([
      { packId: idOf(100), offset: 0xffff_ffff, length: 2, plainLength: 3 },
    ]);
    expect(table.size).toBe(1);
    expect(records.takeHexId(Buffer.from(idOf(4).toUpperCase().replace(/^./, "G")), 0)).toBe(false);
  });

  it("gives each claim to one of several threads, while it grows", async () => {
    const table = createBlobTable();
    const blobs = 30_000;
    const script = `
      const { workerData, parentPort } = await import("node:worker_threads");
      const { createHash } = await import("node:crypto");
      const { BlobTable } = await import(workerData.module);
      const table = new BlobTable(workerData.handle);
      let won = 0;
      for (let n = 0; n < ${blobs}; n += 1) {
        if (table.claim(createHash("sha256").update(String(n)).digest("hex"), "data")) won += 1;
      }
      parentPort.postMessage(won);
    `;
    const module = new URL("blob-table.ts", import.meta.url).href;
    const entry = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
    const workers = [1, 2, 3].map(() => new Worker(entry, { workerData: { module, handle: table.handle } }));
    const won = await Promise.all(workers.map(async (worker) => Number((await once(worker, "message"))[0])));
    expect(won.reduce((sum, count) => sum + count, 0)).toBe(blobs);
    expect(table.size).toBe(blobs);
    for (let n = 0; n < blobs; n += 1) expect(table.claim(idOf(n), "data")).toBe(false);
  });
});
