/** Files that a real server has written: read in pieces of any size, cut, damaged, of a format that is not known. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { fillRedis } from "../../testing/redis-bench.ts";
import { type RedisServer, startRedisServer } from "../../testing/redis-server.ts";
import { parseRedisUrl } from "./connection-target.ts";
import { createCrc64 } from "./crc64.ts";
import { scanRdb } from "./rdb-scan.ts";
import { openReplicationStream } from "./replication-stream.ts";

let server: RedisServer;
let rdb: Buffer;

const readRdb = async (from: RedisServer): Promise<Buffer> => {
  const { signal } = new AbortController();
  const stream = openReplicationStream({ target: parseRedisUrl(from.url), signal, began: () => undefined });
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream.bytes) chunks.push(Buffer.from(chunk));
  await stream.seal();
  stream.close();
  return Buffer.concat(chunks);
};

const scanIn = (bytes: Buffer, pieceBytes: number) => {
  const scan = scanRdb();
  for (let at = 0; at < bytes.length; at += pieceBytes) scan.add(bytes.subarray(at, at + pieceBytes));
  return scan.end();
};

/** The same with the checksum that it then has. */
const sealed = (body: Buffer): Buffer => {
  const crc = createCrc64();
  crc.add(body);
  const checksum = Buffer.alloc(8);
  checksum.writeBigUInt64LE(crc.value());
  return Buffer.concat([body, checksum]);
};

beforeAll(async () => {
  server = await startRedisServer();
  await fillRedis(server);
  await server.cli("FUNCTION", "LOAD", "#!lua name=mine\nredis.register_function('one', function() return 1 end)");
  // Old packings of values are written by no server of today, idle times and frequencies by those that evict.
  await server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu");
  rdb = await readRdb(server);
});
afterAll(() => server.stop());

test("the checksum is that of Redis", () => {
  const crc = createCrc64();
  crc.add(Buffer.from("1234"));
  crc.add(Buffer.from("56789"));
  expect(crc.value().toString(16)).toBe("e9c6d914c4b8d9ca");
});

test.each([1, 7, 64, 4_096, 1_000_000])("keys of every kind are counted in pieces of %i bytes", (pieceBytes) => {
  expect(scanIn(rdb, pieceBytes)).toMatchObject({
    // 10 of Redis 7.0, 12 of 8.0.
    version: expect.any(Number) as number,
    sizeBytes: rdb.length,
    counts: { db0: { keys: 314, expiring: 2 }, db2: { keys: 1, expiring: 0 } },
    functions: 1,
    unknown: null,
    hasChecksum: true,
    notes: {
      "redis-ver": expect.stringMatching(/^\d+\.\d+\.\d+$/),
      "repl-id": expect.stringMatching(/^[0-9a-f]{40}$/),
    },
  });
});

test("a file that is cut anywhere is not whole", () => {
  for (let length = 0; length < rdb.length; length += length < 400 || rdb.length - length < 20 ? 1 : 211)
    expect(() => scanIn(rdb.subarray(0, length), 1_000)).toThrow(/ended before its data|no RDB file/);
});

test("a byte that was changed anywhere is found", () => {
  for (let at = 0; at < rdb.length; at += 397) {
    const damaged = Buffer.from(rdb);
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    expect(() => scanIn(damaged, 1_000)).toThrow(/checksum|ended before its data|no RDB file|more than its RDB file/);
  }
});

test("more than the file is refused", () => {
  expect(() => scanIn(Buffer.concat([rdb, Buffer.from("more and more of it")]), 1_000)).toThrow(
    /more than its RDB file/,
  );
});

test("what a later version has put in ends the counting, and the checksum vouches for the rest", () => {
  const later = Buffer.concat([rdb.subarray(0, 9), Buffer.from([99]), Buffer.from("\u0003keysomething", "latin1")]);
  expect(scanIn(sealed(later), 5)).toMatchObject({ counts: null, unknown: "a value of type 99 (format 10)" });
  const [body] = [sealed(later)];
  body[15] = 0;
  expect(() => scanIn(body, 5)).toThrow(/checksum/);
  const without = Buffer.concat([later, Buffer.alloc(8)]);
  expect(() => scanIn(without, 5)).toThrow(/cannot be told/);
});

/** As Redis 7.0 writes what a module saves beside the keys: its id, when, a text, a number, an end. */
const moduleEntry = Buffer.concat([
  Buffer.from("f7816aec6d7acb7ed40002010514", "hex"),
  Buffer.from("kept beside the keys"),
  Buffer.from("02800001117000", "hex"),
]);

test.each([
  ["of a module, beside the keys", moduleEntry, "an entry of kind 247 (format 10)"],
  [
    "of functions, as only candidates of 7.0 wrote them",
    Buffer.from("\u00f6\u0004mine", "latin1"),
    "an entry of kind 246",
  ],
])("an entry %s is not taken for a key", (_name, entry, unknown) => {
  const content = sealed(Buffer.concat([rdb.subarray(0, 9), entry, rdb.subarray(9, -8)]));
  for (const pieceBytes of [1, 4_096])
    expect(scanIn(content, pieceBytes)).toMatchObject({
      counts: null,
      unknown: expect.stringContaining(unknown) as string,
    });
  expect(() => scanIn(content.subarray(0, -1), 4_096)).toThrow(/checksum/);
});

test("a server that makes no checksum is read by the form of its data", async () => {
  const other = await startRedisServer({ lines: ["rdbchecksum no"] });
  await fillRedis(other);
  const plain = await readRdb(other).finally(() => other.stop());
  expect(scanIn(plain, 100)).toMatchObject({ hasChecksum: false, counts: { db0: { keys: 314 } } });
  expect(() => scanIn(plain.subarray(0, plain.length - 9), 100)).toThrow(/before its data/);
});
