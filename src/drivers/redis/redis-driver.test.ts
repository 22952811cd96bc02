/** Captures and restores of a real server: under load, torn, with few rights, of another version, on a full disk. */
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { createServer, createConnection, type AddressInfo, type Server } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { InstanceTarget } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { createTestCheckContext, createTestFolder, type TestFolder } from "../../testing/driver-context.ts";
import { captureRedisInto, fillRedis, readRedisContent, redisContext, redisDriver } from "../../testing/redis-bench.ts";
import { type RedisServer, startRedisServer } from "../../testing/redis-server.ts";
import { silenceLimitsDuring } from "../../testing/silence-limits.ts";
import { findFreePort } from "../../testing/free-port.ts";
import { writeCertificate } from "../../testing/certificate.ts";
import { createCrc64 } from "./crc64.ts";
import { findRedisProcess } from "./redis-process.ts";
import { redisBundle } from "./redis-bundle.ts";
import type { RedisContext } from "./redis-options.ts";

vi.setConfig({ testTimeout: 300_000 });

const password = "hunter2 of redis";
const login = { user: "refloat", password };
const environment = { REDISCLI_AUTH: password };
const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const { instances } = redisDriver;

let server: RedisServer;
let folder: TestFolder;
let context: RedisContext;
let target: InstanceTarget;
let vaults = 0;
let vault: string;

const withPassword = { password: "${env:PASSWORD}", values: { "env:PASSWORD": `secret!${password}` } };
const urlOf = (port: number, user = "refloat"): string => `redis://${user}@127.0.0.1:${port}`;

const capture = (around?: Parameters<typeof captureRedisInto>[2]): Promise<CapturedComponent> => {
  vault = join(folder.path, `vault-${(vaults += 1)}`);
  return captureRedisInto(context, vault, around);
};
const restore = (captured: CapturedComponent) =>
  instances.restore(context, target, createDirectoryReader(vault), captured);
const ask = (port: number, ...words: readonly string[]) =>
  execa("redis-cli", ["--user", "refloat", "-p", String(port), ...words], { env: environment }).then(
    ({ stdout }) => stdout,
  );
const portOfInstance = async (): Promise<number> =>
  Number((await instances.outputs(context, target))["port"]?.value ?? 0);

/** The rights that `validate --live` prints, and the password. */
const givenRights = async (): Promise<string> => {
  const [grant = ""] = (await redisDriver.preflight(context)).grants;
  return grant.replace(/^ACL SETUSER refloat on >PASSWORD /, "");
};

beforeAll(async () => {
  server = await startRedisServer({
    lines: [`user refloat on ">${password}" ~* &* +@all`, "user default off"],
    login,
  });
  folder = await createTestFolder("refloat-redis");
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

beforeEach(async () => {
  await server.cli("FLUSHALL");
  context = await redisContext(server, folder.path, { url: urlOf(server.port), ...withPassword });
  target = { name: await instances.name(context, 42), run: 42, runUid };
});
afterEach(() => instances.drop(context, target));

test("a user with the rights that are printed captures, and without one of them is told which", async () => {
  await fillRedis(server);
  const rights = await givenRights();
  await server.cli("ACL", "SETUSER", "little", "reset", "on", `>${password}`, ...rights.split(" "));
  await server.cli("CONFIG", "REWRITE");
  context = { ...context, options: { ...context.options, url: urlOf(server.port, "little") } };
  const report = await redisDriver.preflight(context);
  expect(report.findings.filter(({ ok }) => !ok)).toEqual([]);
  expect(report.findings).toContainEqual({
    ok: true,
    subject: "rights of little",
    found: "all that a capture and a recovery need",
  });
  expect((await capture()).facts.counts).toEqual({ keys: 315, expiring: 2, databases: 2, functions: 0 });
  // It may read all data, as a replica does, and change none.
  await expect(
    execa("redis-cli", ["-p", String(server.port), "--user", "little", "GET", "number"], { env: environment }),
  ).resolves.toMatchObject({ stdout: expect.stringContaining("NOPERM") });

  await server.cli("ACL", "SETUSER", "little", "-sync", "-shutdown");
  expect((await redisDriver.preflight(context)).findings).toContainEqual({
    ok: false,
    subject: "rights of little",
    found: "may not sync, shutdown",
    hint: "give the rights below, as an administrator",
  });
  await expect(capture()).rejects.toMatchObject({ code: "source.denied", message: expect.stringContaining("NOPERM") });
  await server.cli("ACL", "SETUSER", "little", "resetpass", ">another");
  await expect(capture()).rejects.toMatchObject({
    code: "source.denied",
    message: expect.stringContaining("WRONGPASS"),
  });
});

test("no password is in the point, in the restored folder or on a command line", async () => {
  await fillRedis(server);
  await restore(await capture());
  const files = await execa("grep", ["-rlF", password, vault, target.name], { reject: false });
  expect(files.stdout).toBe("");
  const running = await findRedisProcess(target.name);
  expect(await readFile(`/proc/${running?.pid}/cmdline`, "utf8")).not.toContain(password);
  expect(await readFile(`/proc/${running?.pid}/environ`, "utf8")).not.toContain(password);
  // Nobody but the user of the url comes in, by the same password.
  expect(await ask(await portOfInstance(), "ACL", "USERS")).toBe("default\nrefloat");
  const stranger = await execa("redis-cli", ["-p", String(await portOfInstance()), "PING"], { reject: false });
  expect(stranger.stdout).toContain("NOAUTH");
});

test("a capture under load is of one moment", async () => {
  const over = new AbortController();
  const transactions = Array.from({ length: 100 }, () => [
    "MULTI",
    "INCR left",
    "RPUSH log x",
    "INCR right",
    "EXEC",
  ]).flat();
  const writing = (async () => {
    while (!over.signal.aborted) await server.pipe(transactions);
  })();
  try {
    await expect.poll(() => server.cli("GET", "left")).not.toBe("");
    for (let round = 0; round < 3; round += 1) {
      const before = Number(await server.cli("GET", "left"));
      const captured = await capture();
      const after = Number(await server.cli("GET", "left"));
      await restore(captured);
      const port = await portOfInstance();
      const [left, right, log] = [
        await ask(port, "GET", "left"),
        await ask(port, "GET", "right"),
        await ask(port, "LLEN", "log"),
      ];
      expect([right, log]).toEqual([left, left]);
      expect(Number(left)).toBeGreaterThanOrEqual(before);
      expect(Number(left)).toBeLessThanOrEqual(after);
      await instances.drop(context, target);
    }
  } finally {
    over.abort();
    await writing;
  }
});

/** A server in between that cuts the connection of a replica after so many bytes. */
const startCutter = async (to: number, afterBytes: number): Promise<Server> => {
  const cutter = createServer((client) => {
    const upstream = createConnection({ host: "127.0.0.1", port: to });
    let isReplica = false;
    let passed = 0;
    client.on("data", (bytes) => {
      isReplica ||= bytes.includes("REPLCONF");
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      passed += isReplica ? bytes.length : 0;
      client.write(bytes);
      if (passed > afterBytes) client.destroy();
    });
    for (const socket of [client, upstream]) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(cutter, "listening");
  return cutter;
};

test("a vault may be slow for as long as it likes: no time is taken while nothing is waited for", async () => {
  expect(await silenceLimitsDuring(capture)).toEqual([0]);
});

test.each([0, 2_000, 1_000_000])("a stream that breaks off after %i bytes is no point", async (afterBytes) => {
  await server.cli("CONFIG", "SET", "rdbcompression", "no");
  await server.cli("SET", "large", "x".repeat(100_000));
  await server.pipe(Array.from({ length: 20 }, (_, index) => `SETRANGE large:${index} 100000 x`));
  const cutter = await startCutter(server.port, afterBytes);
  const { port } = cutter.address() as AddressInfo;
  context = { ...context, options: { ...context.options, url: urlOf(port) } };
  await expect(capture()).rejects.toMatchObject({ code: "source.failed" });
  expect(await readdir(join(vault, "cache/data")).catch(() => [])).toEqual([]);
  cutter.close();
});

test("a capture of a server that is killed meanwhile is no point", async () => {
  await server.pipe(Array.from({ length: 50 }, (_, index) => `SETRANGE large:${index} 200000 x`));
  const killed = captureRedisInto(context, join(folder.path, `vault-${(vaults += 1)}`), (sink) => ({
    ...sink,
    stream: (path, source, ...rest) =>
      sink.stream(
        path,
        {
          ...source,
          bytes: (async function* () {
            for await (const chunk of source.bytes) {
              yield chunk;
              await server.crash();
            }
          })(),
        },
        ...rest,
      ),
  }));
  await expect(killed).rejects.toMatchObject({ code: "source.failed" });
  await server.start();
});

test("keys whose time ends between capture and restore are told, and all others compared", async () => {
  await server.cli("SET", "stays", "1");
  await server.cli("SET", "session", "1", "EX", "1000");
  await server.cli("SET", "short", "1", "PX", "1");
  const captured = await capture();
  // As if the capture were older than its keys may be.
  const facts = {
    ...captured.facts,
    units: { db0: { rows: 3 } },
    detail: { ...captured.facts.detail, expiring: { db0: 2 } },
  };
  await restore(captured);
  expect(await instances.validate(context, target, facts)).toMatchObject([
    { status: "passed", found: "2 keys as captured; of 1 key the time has ended since" },
  ]);
  expect(await instances.validate(context, target, { ...facts, units: { db0: { rows: 4 } } })).toMatchObject([
    { status: "failed", found: "db0: 1 key without a time to end, captured 2" },
  ]);
  expect(
    await instances.validate(context, target, { ...facts, units: { ...facts.units, db7: { rows: 1 } } }),
  ).toMatchObject([{ status: "failed", found: "db7: 0 keys without a time to end, captured 1" }]);
});

test("functions come back", async () => {
  await server.cli("FUNCTION", "LOAD", "#!lua name=mine\nredis.register_function('one', function() return 1 end)");
  await server.cli("SET", "a", "1");
  await restore(await capture());
  await server.cli("FUNCTION", "FLUSH");
  expect(await ask(await portOfInstance(), "FCALL", "one", "0")).toBe("1");
});

test("what a newer version has written is refused before anything is restored", async () => {
  await server.cli("SET", "a", "1");
  const captured = await capture();
  const newer = {
    ...captured,
    facts: { ...captured.facts, versions: { server: "9.9.9" }, detail: { ...captured.facts.detail, format: 99 } },
  };
  await expect(restore(newer)).rejects.toMatchObject({
    code: "program.version",
    message: expect.stringMatching(
      /^Redis [\d.]+ of this machine cannot load what Redis 9\.9\.9 has written \(RDB format 99\)$/,
    ),
  });
  expect(await instances.inspect(context, target)).toBe("absent");
  // Were the facts wrong about it, the server itself says so.
  const file = join(vault, "cache/data/dump.rdb");
  const body = Buffer.from(await readFile(file)).subarray(0, -8);
  body.write("0099", 5, "latin1");
  const crc = createCrc64();
  crc.add(body);
  const checksum = Buffer.alloc(8);
  checksum.writeBigUInt64LE(crc.value());
  await writeFile(file, Buffer.concat([body, checksum]));
  await expect(restore(captured)).rejects.toMatchObject({
    code: "target.failed",
    message: expect.stringContaining("Can't handle RDB format version 99"),
  });
  expect(await instances.inspect(context, target)).toBe("partial");
});

test("a folder of programs that are not there is told with the package", async () => {
  await server.cli("SET", "a", "1");
  const captured = await capture();
  context = { ...context, options: { ...context.options, programs: "/nowhere" } };
  await expect(restore(captured)).rejects.toMatchObject({
    code: "program.missing",
    message: "/nowhere/redis-server is not there",
    nextCommand: "apt-get install redis-server",
  });
});

test("no free port is told before anything is restored", async () => {
  await server.cli("SET", "a", "1");
  const captured = await capture();
  context = { ...context, options: { ...context.options, ports: server.port } };
  await expect(restore(captured)).rejects.toMatchObject({
    code: "target.failed",
    message: `none of the ports ${server.port} of cache is free`,
  });
});

test("a port that a rehearsal holds is told with its run, and what frees it", async () => {
  await server.cli("SET", "a", "1");
  const captured = await capture();
  context = { ...context, options: { ...context.options, ports: await findFreePort() } };
  await restore(captured);
  const rehearsal = target;
  target = { ...target, name: await instances.name(context, 43) };
  const { ports } = context.options;
  await expect(restore(captured)).rejects.toMatchObject({
    code: "target.failed",
    message: `none of the ports ${ports} of cache is free`,
    hint: expect.stringMatching(
      new RegExp(
        `^the server that run 42 has restored, data\\.r42, holds ${ports}: refloat cancel 42 frees it, or declare more`,
      ),
    ),
  });
  await instances.drop(context, rehearsal);
});

test("a restore to a full disk says so, is dropped, and is made again when there is room", async ({ skip }) => {
  skip(process.getuid?.() !== 0, "only root may mount a small tmpfs to fill");
  await server.cli("CONFIG", "SET", "rdbcompression", "no");
  await server.pipe(Array.from({ length: 40 }, (_, index) => `SETRANGE large:${index} 100000 x`));
  const captured = await capture();
  const disk = join(folder.path, "disk");
  await mkdir(disk, { recursive: true });
  await execa("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]);
  try {
    context = { ...context, options: { ...context.options, data: join(disk, "data") } };
    target = { ...target, name: await instances.name(context, 42) };
    await expect(restore(captured)).rejects.toMatchObject({
      code: "target.failed",
      message: expect.stringMatching(/ENOSPC|file system is full/),
    });
    expect(await instances.inspect(context, target)).toBe("partial");
    await instances.drop(context, target);
    expect(await instances.inspect(context, target)).toBe("absent");
    await execa("mount", ["-o", "remount,size=32m", disk]);
    await restore(captured);
    expect(await readRedisContent(server, target.name, environment)).toBe(
      await readRedisContent(server, null, environment),
    );
  } finally {
    await instances.drop(context, target);
    await execa("umount", [disk]);
  }
});

describe("what is no server of its own", () => {
  const startOther = async (lines: readonly string[]): Promise<RedisServer> => startRedisServer({ lines });

  test("a replica is refused with the address of its primary", async () => {
    const primary = await startOther([]);
    const replica = await startOther([`replicaof 127.0.0.1 ${primary.port}`]);
    try {
      const of = await redisContext(replica, folder.path);
      await expect(captureRedisInto(of, join(folder.path, "refused"))).rejects.toMatchObject({
        code: "source.unsupported",
        message: "the server of cache is a replica",
        hint: `name its primary in the url: 127.0.0.1:${primary.port}`,
      });
    } finally {
      await replica.stop();
      await primary.stop();
    }
  });

  test("a node of a cluster is refused", async () => {
    const node = await startOther(["cluster-enabled yes"]);
    try {
      const of = await redisContext(node, folder.path);
      await expect(captureRedisInto(of, join(folder.path, "refused"))).rejects.toMatchObject({
        code: "source.unsupported",
        message: "the server of cache runs as cluster",
      });
    } finally {
      await node.stop();
    }
  });

  test("one that a Sentinel watches is captured and not switched", async () => {
    const watched = await startOther([]);
    const port = await findFreePort();
    const configuration = join(watched.directory, "sentinel.conf");
    await writeFile(
      configuration,
      `port ${port}\nbind 127.0.0.1\ndir ${watched.data}\nsentinel monitor mine 127.0.0.1 ${watched.port} 1\nlogfile ${watched.directory}/sentinel.log\n`,
    );
    const sentinel = execa("redis-server", [configuration, "--sentinel"], { reject: false });
    try {
      const of = await redisContext(watched, folder.path);
      const exchange = { incoming: `${watched.data}.r42`, outgoing: `${watched.data}.old42` };
      await vi.waitFor(async () => expect(await watched.cli("CLIENT", "LIST")).toContain("name=sentinel-"), {
        timeout: 60_000,
        interval: 50,
      });
      await expect(redisDriver.switching.observe(of, exchange)).rejects.toMatchObject({
        code: "cutover.refused",
        message: expect.stringMatching(/^Sentinels watch the server in .*data \(127\.0\.0\.1:\d+/),
      });
      expect((await captureRedisInto(of, join(folder.path, "watched"))).facts.counts).toMatchObject({ keys: 0 });
    } finally {
      sentinel.kill("SIGKILL");
      await sentinel;
      await watched.stop();
    }
  });
});

test("a server that speaks TLS is captured by who knows its authority", async () => {
  const certificate = await writeCertificate(folder.path);
  const port = await findFreePort();
  const secured = await startRedisServer({
    lines: [
      `tls-port ${port}`,
      `tls-cert-file ${certificate}`,
      `tls-key-file ${certificate.replace(/pem$/, "key")}`,
      `tls-ca-cert-file ${certificate}`,
      "tls-auth-clients no",
    ],
  });
  try {
    await secured.cli("SET", "a", "1");
    const url = `rediss://localhost:${port}`;
    const of = await redisContext(secured, folder.path, { url: `${url}?cacert=${certificate}` });
    const captured = await captureRedisInto(of, join(folder.path, "secured"));
    expect(captured.facts.counts).toMatchObject({ keys: 1 });
    await instances.restore(of, target, createDirectoryReader(join(folder.path, "secured")), captured);
    expect(await instances.validate(of, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    const trusting = await redisContext(secured, folder.path, { url });
    await expect(captureRedisInto(trusting, join(folder.path, "distrusted"))).rejects.toMatchObject({
      code: "source.unreachable",
      message: expect.stringMatching(/self-signed certificate/),
    });
    await instances.drop(of, target);
  } finally {
    await secured.stop();
  }
});

test("a check asks by a command that only reads", async () => {
  await server.cli("SET", "product:1", "price 1");
  await server.cli("-n", "2", "SET", "other", "here");
  const [check] = redisBundle.checks;
  if (check === undefined) throw new Error("the bundle has no check");
  const asked = (options: object, url = `redis://refloat:${encodeURIComponent(password)}@127.0.0.1:${server.port}`) =>
    check.run(createTestCheckContext({ outputs: { url: { value: url, secret: true } } }), check.options.parse(options));
  expect(await asked({ redis: "PING" })).toMatchObject({ subject: "redis: PING", status: "passed", found: "PONG" });
  expect(await asked({ redis: 'GET "product:1"', expect: "price 1" })).toMatchObject({ status: "passed" });
  expect(await asked({ redis: "GET product:1", expect: "price 2" })).toMatchObject({
    status: "failed",
    found: "price 1",
  });
  expect(await asked({ redis: "GET product:2" })).toMatchObject({ status: "failed", found: "nil" });
  expect(await asked({ redis: "DBSIZE", atLeast: 1 })).toMatchObject({ status: "passed", found: "1" });
  expect(await asked({ redis: "DBSIZE", atLeast: 2 })).toMatchObject({ status: "failed" });
  expect(await asked({ redis: "LLEN product:1" })).toMatchObject({
    status: "failed",
    found: expect.stringContaining("WRONGTYPE"),
  });
  expect(
    await asked({ redis: "GET other" }, `redis://refloat:${encodeURIComponent(password)}@127.0.0.1:${server.port}/2`),
  ).toMatchObject({ status: "passed", found: "here" });
  expect(await asked({ redis: "PING" }, `redis://127.0.0.1:${await findFreePort()}`)).toMatchObject({
    status: "failed",
    found: expect.stringContaining("connection refused"),
  });
  expect(() => check.options.parse({ redis: "FLUSHALL" })).toThrow(/a check asks by one of/);
});
