/** What tests of the `redis` driver share: contexts for a test server, captures in a folder, all keys of a server or of a folder in one text. */
import { mkdir, readdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { captureRedis } from "../drivers/redis/capture.ts";
import { readInstanceRecord } from "../drivers/redis/instance-server.ts";
import { redisBundle } from "../drivers/redis/redis-bundle.ts";
import type { RedisContext, RedisOptions } from "../drivers/redis/redis-options.ts";
import type { CaptureSink } from "../core/ports/vault-snapshots.ts";
import type { ComponentDriver } from "../core/ports/driver.ts";
import type { SnapshotId } from "../model/identifiers.ts";
import type { CapturedComponent } from "../model/manifest.ts";
import { runProgram } from "../platform/subprocess.ts";
import { createDirectorySink } from "./directory-vault.ts";
import { createTestContext } from "./driver-context.ts";
import { findFreePort } from "./free-port.ts";
import type { RedisServer } from "./redis-server.ts";

const [driver] = redisBundle.components;
if (driver === undefined) throw new Error("the bundle has no driver");
export const redisDriver: ComponentDriver = driver;

type BenchOptions = Partial<RedisOptions> & { readonly values?: Readonly<Record<string, string>> };

export const redisContext = async (
  server: RedisServer,
  folder: string,
  { values, ...more }: BenchOptions = {},
): Promise<RedisContext> => {
  const port = await findFreePort(4);
  return createTestContext<RedisOptions>({
    options: { data: server.data, url: server.url, ports: `${port}-${port + 3}`, ...more },
    folder,
    component: "cache",
    ...(values === undefined ? {} : { values }),
  });
};

/** Captures into `folder`, which is made. @param around what is to happen while it goes on */
export const captureRedisInto = async (
  context: RedisContext,
  folder: string,
  around: (sink: CaptureSink) => CaptureSink = (sink) => sink,
): Promise<CapturedComponent> => {
  await mkdir(folder, { recursive: true });
  const report = await captureRedis(context, around(createDirectorySink(folder)), null);
  return {
    name: "cache",
    driver: "redis",
    snapshot: "0".repeat(64) as SnapshotId,
    sizeBytes: report.facts.sizeBytes,
    newBytes: report.facts.sizeBytes,
    finishedAt: report.window.endAt,
    ...report,
  };
};

/** Keys and values of all kinds, in a form that does not depend on how the server packs them. */
const contentScript = `
local function sorted(flat) local all = {} for i = 1, #flat, 2 do all[#all + 1] = flat[i] .. '=' .. flat[i + 1] end table.sort(all) return all end
local lines = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local value
  if kind == 'string' then value = redis.call('GET', key)
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key) table.sort(value)
  elseif kind == 'hash' then value = sorted(redis.call('HGETALL', key))
  elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif kind == 'stream' then value = {redis.call('XRANGE', key, '-', '+'), #redis.call('XINFO', 'GROUPS', key)} end
  lines[#lines + 1] = key .. ' ' .. kind .. ' ' .. (redis.call('TTL', key) > 0 and 'ends' or 'stays') .. ' ' .. cjson.encode(value)
end
table.sort(lines)
return lines`;

const databasesLookedAt = 3;

const contentAt = async (port: number, environment: Readonly<Record<string, string>>): Promise<string> => {
  const texts: string[] = [];
  for (let database = 0; database < databasesLookedAt; database += 1) {
    const { stdout } = await runProgram(
      "redis-cli",
      ["-p", String(port), "-n", String(database), "EVAL", contentScript, "0"],
      { signal: new AbortController().signal, environment },
    );
    texts.push(`db${database}\n${stdout}`);
  }
  return texts.join("\n");
};

/**
 * @param location a folder, or null for the live server. Of one on which no server runs it is read by a server that is started for that.
 * @param environment how the stock client proves who it is
 */
export const readRedisContent = async (
  server: RedisServer,
  location: string | null,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> => {
  if (location === null || location === server.data) return contentAt(server.port, environment);
  const record = await readInstanceRecord(location);
  if (record !== null) return contentAt(record.port, environment);
  const port = await findFreePort();
  const isAppendOnly = (await readdir(location)).includes("appendonlydir");
  const signal = new AbortController().signal;
  const configuration = `port ${port}\nbind 127.0.0.1\ndir ${location}\nsave ""\nappendonly ${isAppendOnly ? "yes" : "no"}\ndaemonize yes\nlogfile ${server.directory}/other.log\npidfile ${server.directory}/other.pid\n`;
  await runProgram("redis-server", ["-"], { signal, input: configuration });
  const ask = (...words: readonly string[]) =>
    runProgram("redis-cli", ["-p", String(port), ...words], { signal }).then(
      ({ stdout }) => stdout.trim(),
      () => "",
    );
  while ((await ask("PING")) !== "PONG") await delay(10);
  try {
    return await contentAt(port, {});
  } finally {
    await ask("SHUTDOWN", "NOSAVE");
    while ((await ask("PING")) !== "") await delay(10);
  }
};

/** Values of every kind and packing, in two databases, some with a time to end. */
export const fillRedis = async (server: RedisServer): Promise<void> => {
  await server.pipe([
    ...Array.from({ length: 300 }, (_, index) => `SET product:${index} "price ${index}"`),
    "SET number 4711",
    `SET long ${"x".repeat(20_000)}`,
    "SET session:1 ann EX 100000",
    "SET session:2 bob EX 100000",
    "RPUSH queue a b c",
    `RPUSH longqueue ${Array.from({ length: 400 }, (_, index) => `${"entry".repeat(10)}${index}`).join(" ")}`,
    "SADD numbers 1 2 3",
    "SADD words one two three",
    `SADD many ${Array.from({ length: 600 }, (_, index) => `member${index}`).join(" ")}`,
    "HSET user:1 name ann age 40",
    `HSET wide ${Array.from({ length: 600 }, (_, index) => `field${index} ${index}`).join(" ")}`,
    "ZADD ranks 1 ann 2.5 bob",
    `ZADD scores ${Array.from({ length: 300 }, (_, index) => `${index}.5 player${index}`).join(" ")}`,
    "XADD events 1-1 kind begin",
    "XADD events 1-2 kind end",
    "XGROUP CREATE events readers 0",
    "XREADGROUP GROUP readers ann COUNT 1 STREAMS events >",
    "SELECT 2",
    "SET other database",
  ]);
};
