import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { LogPiece, LogStore } from "../../core/ports/vault-logs.ts";
import type { Repository } from "../../core/ports/vault.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { createRepository } from "../repository/create-repository.ts";
import { createLogs } from "./logs.ts";

const never = new AbortController().signal;
const name = { service: "shop", component: "db" };
const line = "7000/1";
const begin = bytesBefore("0/1000000");

let folder: TestFolder;
let repository: Repository;
let logs: LogStore;

beforeEach(async () => {
  folder = await createTestFolder("refloat-logs");
  repository = await createRepository(`${folder.path}/vault`, "password", { clock: systemClock });
  logs = open();
});

afterEach(async () => {
  await repository.close();
  await folder.remove();
});

/** As another process sees it. */
const open = (clock = systemClock): LogStore => createLogs({ repository, clock, lockFor: async () => null });

const at = (ms: number): string => new Date(Date.UTC(2026, 10, 26, 10) + ms).toISOString();

/** The log's own byte at each place, so that any stretch of it can be told. */
const bytesOf = (from: number, to: number): Buffer =>
  Buffer.from(Array.from({ length: to - from }, (_none, index) => ((from + index) * 31 + ((from + index) >> 8)) & 255));

const place = (offset: number): string => positionAfter(begin + BigInt(offset));

/** One second for each thousand bytes. */
const pieceAt = (from: number, to: number, more: Partial<LogPiece> = {}): LogPiece => ({
  ...name,
  driver: "postgres-cluster",
  line,
  from: place(from),
  to: place(to),
  fromAt: at(from),
  toAt: at(to),
  moments: [from, (from + to) >> 1, to].map((offset) => ({ position: place(offset), at: at(offset) })),
  ...more,
});

const append = (from: number, to: number, more: Partial<LogPiece> = {}, store = logs): Promise<void> =>
  store.append(pieceAt(from, to, more), bytesOf(from, to));

const read = async (from: number, to: number, store = open()): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await store.reader(name)).read(line, place(from), place(to))) chunks.push(chunk);
  return Buffer.concat(chunks);
};

const snapshots = async (): Promise<number> => (await readdir(`${folder.path}/vault/snapshots`)).length;

it("pieces that are appended are one span, and any stretch of them is read as it was written", async () => {
  await append(0, 3000);
  await append(3000, 3500);
  await append(3500, 9000);
  expect(await open().spans("shop")).toEqual([
    { ...name, driver: "postgres-cluster", line, from: place(0), to: place(9000), fromAt: at(0), toAt: at(9000) },
  ]);
  expect(await open().spans("notes")).toEqual([]);
  expect(await read(2999, 8001)).toEqual(bytesOf(2999, 8001));
});

it("the same piece twice is there once, and of one that overlaps only the new part is written", async () => {
  await append(0, 3000);
  await append(0, 3000);
  await append(1000, 2000, {}, open());
  expect(await snapshots()).toBe(1);
  await append(1000, 5000, {}, open());
  expect(await snapshots()).toBe(2);
  expect((await open().pieces()).map(({ from, to }) => [from, to])).toEqual([
    [place(0), place(3000)],
    [place(3000), place(5000)],
  ]);
  expect(await read(0, 5000)).toEqual(bytesOf(0, 5000));
});

it("a time is found as the last known position at or before it, and not where nothing is held", async () => {
  await append(0, 3000);
  await append(3000, 5000);
  await append(8000, 9000);
  const store = open();
  const found = async (ms: number) => (await store.positionAt({ ...name, at: at(ms) }))?.position;
  expect(await found(0)).toBe(place(0));
  expect(await found(1499)).toBe(place(0));
  expect(await found(1500)).toBe(place(1500));
  expect(await found(4999)).toBe(place(4000));
  expect(await found(5000)).toBe(place(5000));
  expect(await found(5001)).toBeUndefined();
  expect(await found(8500)).toBe(place(8500));
  expect(await found(-1)).toBeUndefined();
  const moment = async (offset: number, on = line) =>
    (await store.momentAt({ ...name, line: on, position: place(offset) }))?.at;
  expect(await moment(1499)).toBe(at(0));
  expect(await moment(1500)).toBe(at(1500));
  expect(await moment(3999)).toBe(at(3000));
  expect(await moment(5000)).toBe(at(5000));
  expect(await moment(5001)).toBeUndefined();
  expect(await moment(8700)).toBe(at(8500));
  expect(await moment(1500, "7000/2")).toBeUndefined();
});

it("a moment that lies before its piece keeps nothing from being found or joined", async () => {
  await append(0, 1000);
  const moments = [1000, 950, 2000].map((offset) => ({ position: place(offset), at: at(Math.max(offset, 1000)) }));
  await append(1000, 2000, { moments });
  const found = async (ms: number) => (await open().positionAt({ ...name, at: at(ms) }))?.position;
  expect([await found(1500), await found(2000)]).toEqual([place(1000), place(2000)]);
  const later = { ...systemClock, now: () => new Date(systemClock.now().getTime() + 3_600_000) };
  expect(await open(later).compact(name, never)).toBe(2);
  expect([await found(1500), await found(2000)]).toEqual([place(1000), place(2000)]);
});

it("another history under the name of a line is refused, and never taken for what is held", async () => {
  const history = "1\t0/1000000\tno recovery target specified\n";
  await append(0, 3000, { history });
  await append(0, 3000, { history });
  const other = { history: "1\t0/1000800\tno recovery target specified\n" };
  await expect(append(0, 2000, other)).rejects.toMatchObject({
    code: "log.diverged",
    nextCommand: "refloat capture shop",
  });
  await expect(append(3000, 4000, other, open())).rejects.toMatchObject({ code: "log.diverged" });
  await append(3000, 4000, { history });
  expect(await open().spans()).toHaveLength(1);
});

it("that nothing was written is held too, as one small file without a pack", async () => {
  await append(0, 3000);
  const packs = async (): Promise<number> => (await readdir(`${folder.path}/vault/data`, { recursive: true })).length;
  await append(3000, 3000, { toAt: at(63_000), moments: [{ position: place(3000), at: at(63_000) }] });
  const before = await packs();
  await append(3000, 3000, { toAt: at(123_000), moments: [{ position: place(3000), at: at(123_000) }] });
  expect(await packs()).toBe(before);
  expect((await open().spans())[0]?.toAt).toBe(at(123_000));
  expect((await open().positionAt({ ...name, at: at(100_000) }))?.position).toBe(place(3000));
  await append(3000, 4000, { fromAt: at(123_000), toAt: at(124_000) });
  expect(await open().spans()).toHaveLength(1);
});

it("a gap is a gap: it is neither joined nor read over", async () => {
  await append(0, 1000);
  await append(2000, 3000);
  expect(await open().spans()).toHaveLength(2);
  await expect(read(0, 3000)).rejects.toMatchObject({ code: "log.gap" });
});

it("many small pieces are joined into one that has their bytes, moments and history, and stock tools see it", async () => {
  await append(0, 100, { history: "1\t0/1000000\tno reason\n" });
  for (let index = 1; index < 40; index += 1) await append(index * 100, index * 100 + 100);
  const [before] = await open().spans();
  expect(await logs.compact(name, never)).toBe(40);
  expect(await open().pieces()).toHaveLength(1);
  expect(await open().spans()).toEqual([before]);
  expect(await read(0, 4000)).toEqual(bytesOf(0, 4000));
  expect((await open().positionAt({ ...name, at: at(2051) }))?.position).toBe(place(2050));
  expect(await (await open().reader(name)).history(line)).toBe("1\t0/1000000\tno reason\n");
  const [piece] = await open().pieces();
  const reader = await repository.openSnapshot(piece?.id ?? "");
  expect(reader.info.tags).toContain("refloat-log");
  expect(reader.info.paths).toEqual(["/refloat/log/db/7000-1/0000000001000000-0000000001000fa0"]);
  // It goes on afterwards, in this process and in another one.
  await append(4000, 4100);
  await append(4100, 4200, {}, open());
  expect(await read(0, 4200)).toEqual(bytesOf(0, 4200));
});

it("a log that is made of files is one span: where a file ends its last piece has fewer bytes than positions, joined as well", async () => {
  const filePiece = (from: string, to: string, ms: number): LogPiece =>
    pieceAt(0, 0, { from, to, fromAt: at(ms), toAt: at(ms + 1), moments: [{ position: to, at: at(ms + 1) }] });
  const store = open({ ...systemClock, now: () => new Date(systemClock.now().getTime() + 3_600_000) });
  await store.append(filePiece("7/0", "7/3", 0), Buffer.from("abc"));
  await store.append(filePiece("7/3", "8/0", 1), Buffer.from("de"));
  await store.append(filePiece("8/0", "9/0", 2), Buffer.alloc(0));
  await store.append(filePiece("9/0", "9/4", 3), Buffer.from("fghi"));
  await store.append(filePiece("7/0", "8/0", 0), Buffer.from("abcde"));
  await expect(store.append(filePiece("9/4", "9/9", 4), Buffer.from("j"))).rejects.toMatchObject({ code: "bug" });
  const text = async (from: string, to: string): Promise<string> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of (await open().reader(name)).read(line, from, to)) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const [span, ...others] = await open().spans();
  expect([span?.from, span?.to, others]).toEqual(["7/0", "9/4", []]);
  expect([await text("7/0", "9/4"), await text("7/4", "9/1"), await text("7/2", "8/0")]).toEqual([
    "abcdefghi",
    "ef",
    "cde",
  ]);
  const later = open({ ...systemClock, now: () => new Date(systemClock.now().getTime() + 7_200_000) });
  expect(await later.compact(name, never)).toBe(2);
  expect((await open().pieces()).map(({ from, to, bytes }) => [from, to, bytes])).toEqual([
    ["7/0", "8/0", 5],
    ["8/0", "9/0", 0],
    ["9/0", "9/4", 4],
  ]);
  expect(await text("7/1", "9/3")).toBe("bcdefgh");
});

it("a few young pieces are left alone, and old ones are joined however few", async () => {
  for (let index = 0; index < 5; index += 1) await append(index * 100, index * 100 + 100);
  expect(await logs.compact(name, never)).toBe(0);
  const later = { ...systemClock, now: () => new Date(Date.now() + 11 * 60_000) };
  expect(await open(later).compact(name, never)).toBe(5);
  expect(await open().pieces()).toHaveLength(1);
});

it("whoever reads while pieces are joined reads on, and a joining that was killed leaves no gap and is mended by the next", async () => {
  for (let index = 0; index < 40; index += 1) await append(index * 100, index * 100 + 100);
  const reader = await open().reader(name);
  const hash = createHash("sha256");
  let isJoined = false;
  for await (const chunk of reader.read(line, place(0), place(4000))) {
    hash.update(chunk);
    if (!isJoined) await logs.compact(name, never);
    isJoined = true;
  }
  expect(hash.digest("hex")).toBe(createHash("sha256").update(bytesOf(0, 4000)).digest("hex"));
  // As it is when the process dies before it forgets the small ones.
  for (let index = 40; index < 80; index += 1) await append(index * 100, index * 100 + 100);
  const stopped = createLogs({
    repository: { ...repository, removeSnapshots: () => Promise.reject(new Error("killed")) },
    clock: systemClock,
    lockFor: async () => null,
  });
  await expect(stopped.compact(name, never)).rejects.toThrow("killed");
  expect((await open().pieces()).length).toBe(42);
  expect(await read(0, 8000)).toEqual(bytesOf(0, 8000));
  expect(await open().compact(name, never)).toBe(40);
  expect(await open().pieces()).toHaveLength(2);
  expect(await read(0, 8000)).toEqual(bytesOf(0, 8000));
});
