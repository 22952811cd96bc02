/** Keys out of the files of a real server: every type and packing taken apart as the server itself shows it, and given back to it. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { execa } from "execa";
import type { ByteStream } from "../../core/ports/bytes.ts";
import { fillRedis } from "../../testing/redis-bench.ts";
import { type RedisServer, startRedisServer } from "../../testing/redis-server.ts";
import { parseRedisUrl } from "./connection-target.ts";
import { elementsOf, hasElements, kindOfType } from "./rdb-elements.ts";
import type { RdbKeyHead } from "./rdb-format.ts";
import { asPayload, payloadBytes, readRdbKeys } from "./rdb-keys.ts";
import { openReplicationStream } from "./replication-stream.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: RedisServer;
const { signal } = new AbortController();

const readRdb = async (): Promise<Buffer> => {
  const stream = openReplicationStream({ target: parseRedisUrl(server.url), signal, began: () => undefined });
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.bytes) chunks.push(Buffer.from(chunk));
  await stream.seal();
  stream.close();
  return Buffer.concat(chunks);
};

async function* inPieces(bytes: Uint8Array, pieceBytes: number): ByteStream {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

const collect = async (stream: ByteStream): Promise<Buffer> => {
  const all: Buffer[] = [];
  for await (const piece of stream) all.push(Buffer.from(piece));
  return Buffer.concat(all);
};

type Found = { readonly head: RdbKeyHead; readonly value: Buffer; readonly sizeBytes: number };

const keysOf = async (rdb: Uint8Array, pieceBytes: number): Promise<ReadonlyMap<string, Found>> => {
  const found = new Map<string, Found>();
  let pieces: Buffer[] = [];
  for await (const part of readRdbKeys(inPieces(rdb, pieceBytes), () => true, signal)) {
    if (part.kind === "key") pieces = [];
    if (part.kind === "piece") pieces.push(Buffer.from(part.bytes));
    if (part.kind === "end")
      found.set(`${part.head.database} ${Buffer.from(part.head.name).toString("latin1")}`, {
        head: part.head,
        value: Buffer.concat(pieces),
        sizeBytes: part.sizeBytes,
      });
  }
  return found;
};

const elements = async ({ head, value }: Pick<Found, "value"> & { head: { type: number } }, pieceBytes = 65_536) => {
  const all: string[][] = [];
  for await (const element of elementsOf(head.type, inPieces(value, pieceBytes)))
    all.push(element.map((one) => Buffer.from(one).toString("latin1")));
  return kindOfType(head.type) === "string" ? [[all.map(([piece]) => piece).join("")]] : all;
};

/** As the server itself tells it. */
const asked = async (key: string, kind: string): Promise<readonly (readonly string[])[]> => {
  const lines = async (...words: readonly string[]) => (await server.cli(...words)).split("\n");
  const pairs = (flat: readonly string[]) =>
    Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index] ?? "", flat[2 * index + 1] ?? ""]);
  if (kind === "string") return [[await server.cli("GET", key)]];
  if (kind === "list") return (await lines("LRANGE", key, "0", "-1")).map((one) => [one]);
  if (kind === "set") return (await lines("SMEMBERS", key)).map((one) => [one]);
  if (kind === "hash") return pairs(await lines("HGETALL", key));
  return pairs(await lines("ZRANGE", key, "0", "-1", "WITHSCORES"));
};

const sorted = (all: readonly (readonly string[])[], kind: string) =>
  kind === "list" ? all : all.map((one) => [...one]).toSorted((a, b) => ((a[0] ?? "") < (b[0] ?? "") ? -1 : 1));

beforeAll(async () => {
  server = await startRedisServer();
  await fillRedis(server);
  await server.pipe([
    // Compressed: a name, a string, elements.
    `SET ${"name:".repeat(30)} ${"ab".repeat(5_000)}`,
    `RPUSH mixed 0 -1 127 128 -4096 4095 32767 -32768 8388607 -8388608 2147483647 -2147483648 9223372036854775807 -9223372036854775808 "" ${"z".repeat(70)} ${"y".repeat(5_000)} ${"x".repeat(20_000)}`,
    "SADD wide-numbers 1 70000 5000000000 -7",
    "ZADD odd-scores inf top -inf bottom 0.1 tenth 1e300 far 3 three -0.0000001 near",
    `ZADD many-odd inf top -inf bottom ${Array.from({ length: 200 }, (_, index) => `${index / 7} m${index}`).join(" ")}`,
    "HSET small-hash a 1 b -2 c text",
    "SET 12 34",
  ]);
});
afterAll(() => server.stop());

test.each([1, 13, 4_096, 1_000_000])(
  "values of every packing are what the server says, in pieces of %i bytes",
  async (pieceBytes) => {
    const found = await keysOf(await readRdb(), pieceBytes);
    expect(found.size).toBe(322);
    let compared = 0;
    for (const [name, one] of found) {
      const kind = kindOfType(one.head.type);
      if (!hasElements(one.head.type) || name.startsWith("0 product:") || one.head.database !== 0) continue;
      expect(one.sizeBytes).toBe(one.value.length);
      const own = await asked(name.slice(2), kind);
      const numbers = (all: readonly (readonly string[])[]) =>
        kind === "zset"
          ? all.map(([member, score]) => [member ?? "", String(Number((score ?? "").replace("inf", "Infinity")))])
          : all;
      expect([name, sorted(numbers(await elements(one, pieceBytes)), kind)]).toEqual([
        name,
        sorted(numbers(own), kind),
      ]);
      compared += 1;
    }
    expect(compared).toBe(20);
    expect(found.get("2 other")?.value.toString("latin1")).toContain("database");
    expect(found.get("0 session:1")?.head.expiresAtMs).toBeGreaterThan(Date.now());
  },
);

test("what is made for RESTORE is what DUMP gives, and the server takes it", async () => {
  for (const [name, { head, value }] of await keysOf(await readRdb(), 4_096)) {
    if (name.startsWith("0 product:") || head.database !== 0) continue;
    const payload = await collect(asPayload(head, inPieces(value, 1_000)));
    expect(payload).toHaveLength(payloadBytes(value.length));
    const { stdout } = await execa("redis-cli", ["-p", String(server.port), "-x", "RESTORE", `copy of ${name}`, "0"], {
      input: payload,
    });
    expect([name, stdout]).toEqual([name, "OK"]);
    const { stdout: dumped } = await execa("redis-cli", ["-p", String(server.port), "DUMP", name.slice(2)], {
      encoding: "buffer",
      stripFinalNewline: false,
    });
    expect(Buffer.from(dumped).subarray(0, -1).equals(payload)).toBe(true);
    await server.cli("DEL", `copy of ${name}`);
  }
});

/** As servers before 7.0 packed them: `entries` with their lengths, each behind the length of the one before. */
const ziplist = (entries: readonly Buffer[]): Buffer => {
  let before = 0;
  const body = entries.map((entry) => {
    const head = before < 254 ? Buffer.of(before) : Buffer.concat([Buffer.of(254), Buffer.alloc(4)]);
    if (before >= 254) head.writeUInt32LE(before, 1);
    before = head.length + entry.length;
    return Buffer.concat([head, entry]);
  });
  const all = Buffer.concat(body);
  const packed = Buffer.concat([Buffer.alloc(10), all, Buffer.of(255)]);
  packed.writeUInt32LE(packed.length, 0);
  packed.writeUInt32LE(10 + all.length - (body.at(-1)?.length ?? 0), 4);
  packed.writeUInt16LE(entries.length, 8);
  return packed;
};
const short = (text: string): Buffer => Buffer.concat([Buffer.of(text.length), Buffer.from(text)]);
const long = (text: string): Buffer =>
  Buffer.concat([Buffer.of(0x40 | (text.length >> 8), text.length & 0xff), Buffer.from(text)]);
const inString = (bytes: Buffer): Buffer => {
  const head = Buffer.of(0x80, 0, 0, 0, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
};

test.each([
  [
    10,
    inString(
      ziplist([
        short("one"),
        long("l".repeat(300)),
        Buffer.of(0xf1),
        Buffer.of(0xfe, 0xff),
        Buffer.of(0xc0, 0, 1),
        short("end"),
      ]),
    ),
  ],
  [
    10,
    inString(
      ziplist([
        Buffer.of(0xf0, 1, 0, 0xff),
        Buffer.of(0xd0, 0, 0, 0, 0x80),
        Buffer.of(0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80),
      ]),
    ),
  ],
  [13, inString(ziplist([short("field"), short("value"), short("other"), Buffer.of(0xfd)]))],
  [12, inString(ziplist([short("ann"), Buffer.of(0xf2), short("bob"), short("2.5")]))],
  [14, Buffer.concat([Buffer.of(2), inString(ziplist([short("a")])), inString(ziplist([short("b"), short("c")]))])],
])("packings of servers before 7.0 (type %i) are what the server makes of them", async (type, value) => {
  const payload = await collect(
    asPayload({ version: 9, database: 0, name: Buffer.from("old"), type, expiresAtMs: null }, inPieces(value, 3)),
  );
  await execa("redis-cli", ["-p", String(server.port), "-x", "RESTORE", "old", "0"], { input: payload });
  const kind = kindOfType(type);
  expect(sorted(await elements({ head: { type }, value }, 5), kind)).toEqual(sorted(await asked("old", kind), kind));
  await server.cli("DEL", "old");
});

test("a file that is cut anywhere is not whole, and one damaged anywhere ends in an error or in keys", async () => {
  const rdb = await readRdb();
  for (let length = 9; length < rdb.length; length += 997)
    await expect(keysOf(rdb.subarray(0, length), 1_000)).rejects.toMatchObject({ code: "point.damaged" });
  for (let at = 0; at < rdb.length; at += 1_499) {
    const damaged = Buffer.from(rdb);
    damaged[at] = (damaged[at] ?? 0) ^ 0x55;
    const ended = await keysOf(damaged, 1_000)
      .then(async (found) => {
        for (const one of found.values()) if (hasElements(one.head.type)) await elements(one);
        return "read";
      })
      .catch((error: { code?: string }) => error.code);
    expect(["read", "point.damaged", "source.unsupported", "source.failed"]).toContain(ended);
  }
});

test("many keys, and a value of a quarter of a gigabyte, take no memory", async () => {
  const key = (index: number): Buffer => Buffer.concat([Buffer.of(0), short(`user:${index}`), short("some value")]);
  const rdb = async function* (): ByteStream {
    yield Buffer.from("REDIS0010");
    for (let part = 0; part < 300; part += 1)
      yield Buffer.concat(Array.from({ length: 1_000 }, (_, index) => key(part * 1_000 + index)));
    const head = Buffer.concat([Buffer.of(0), short("large"), Buffer.of(0x80, 0x10, 0, 0, 0)]);
    yield head;
    const piece = Buffer.alloc(1_048_576);
    for (let part = 0; part < 256; part += 1) yield piece;
    yield Buffer.concat([Buffer.of(255), Buffer.alloc(8)]);
  };
  let [keys, bytes, peak] = [0, 0, 0];
  const before = process.memoryUsage.rss();
  for await (const part of readRdbKeys(rdb(), ({ name }) => name.length === 5, signal)) {
    if (part.kind === "key") keys += 1;
    if (part.kind === "piece") bytes += part.bytes.length;
    if (part.kind === "piece" || keys % 10_000 === 0) peak = Math.max(peak, process.memoryUsage.rss() - before);
  }
  expect([keys, bytes]).toEqual([300_001, 268_435_456 + 5]);
  expect(peak).toBeLessThan(120 * 1_048_576);
});
