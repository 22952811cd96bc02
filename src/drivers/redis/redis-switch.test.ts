/** Switches of real servers: what is kept of the old side, how the new one is started, what is killed or refused in the middle. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Exchange, InstanceTarget } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureRedisInto, readRedisContent, redisContext, redisDriver } from "../../testing/redis-bench.ts";
import { type RedisServer, startRedisServer } from "../../testing/redis-server.ts";
import { findRedisProcess, killServer } from "./redis-process.ts";
import { resolveTarget } from "./connection-target.ts";
import type { RedisContext } from "./redis-options.ts";
import { withRedis } from "./redis-session.ts";
import { parseInfo, startOf } from "./server-facts.ts";
import { readStanding } from "./standing-users.ts";

vi.setConfig({ testTimeout: 300_000 });

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const { instances, switching, writes } = redisDriver;

let folder: TestFolder;
let server: RedisServer;
let context: RedisContext;
let captured: CapturedComponent;
let target: InstanceTarget;
let exchange: Exchange;

const open = async (lines: readonly string[], more: Parameters<typeof redisContext>[2] = {}): Promise<void> => {
  server = await startRedisServer({ lines });
  context = await redisContext(server, folder.path, more);
  await server.cli("SET", "state", "good");
  captured = await captureRedisInto(context, join(folder.path, "vault"));
  await server.cli("MSET", "state", "bad", "late", "write");
  target = { name: await instances.name(context, 42), run: 42, runUid };
  exchange = { incoming: target.name, outgoing: await instances.retiredName(context, 42) };
};
const restore = () => instances.restore(context, target, createDirectoryReader(join(folder.path, "vault")), captured);
const forth = async () => switching.exchange(context, exchange, await switching.observe(context, exchange));
const back = async () => {
  const reverse = { incoming: exchange.outgoing, outgoing: exchange.incoming };
  return switching.exchange(context, reverse, await switching.observe(context, reverse));
};

beforeEach(async () => {
  folder = await createTestFolder("refloat-redis-switch");
});
afterEach(async () => {
  await server.stop();
  await folder.remove();
});

test.each([
  ["keeps nothing on its disk", []],
  ["keeps an append-only file", ["appendonly yes"]],
  [
    "has other names for its files",
    ["dbfilename cache.rdb", "appendonly yes", "appenddirname log", 'appendfilename "cache.aof"'],
  ],
])("the last writes of a server that %s are on the old side, and an undo brings them back", async (_, lines) => {
  await open(lines);
  await restore();
  await forth();
  expect(await server.cli("MGET", "state", "late")).toBe("good\n");
  await server.cli("SET", "new", "side");
  await back();
  expect(await server.cli("MGET", "state", "late", "new")).toBe("bad\nwrite\n");
  // Again: both sides have what they had.
  await forth();
  expect(await server.cli("MGET", "state", "late", "new")).toBe("good\n\nside");
});

test("declared lines stop and start it, and a server that keeps nothing is saved first", async () => {
  const of = (name: string) => join(folder.path, name);
  await open([], { start: `sh ${of("start")}`, stop: `sh ${of("stop")}` });
  await writeFile(of("stop"), `redis-cli -p ${server.port} SHUTDOWN NOSAVE; echo stopped >> ${of("said")}`);
  await writeFile(of("start"), `redis-server ${server.configFile} --daemonize yes; echo started >> ${of("said")}`);
  await restore();
  await forth();
  expect((await execa("cat", [of("said")])).stdout).toBe("stopped\nstarted");
  expect(await server.cli("GET", "state")).toBe("good");
  await back();
  expect(await server.cli("MGET", "state", "late")).toBe("bad\nwrite");
});

test("a stop line that stops nothing is no fence, and nothing is switched", async () => {
  await open([], { start: "true", stop: "true" });
  await restore();
  let ticks = 0;
  const ticking = { ...context, clock: { ...context.clock, monotonicMs: () => (ticks += 30_000) } };
  const before = await switching.observe(context, exchange);
  await expect(switching.exchange(ticking, exchange, before)).rejects.toMatchObject({
    code: "fence.failed",
    message: "the stop command of cache ended well, and its server still runs",
  });
  expect(await switching.observe(context, exchange)).toEqual(before);
  expect(await server.cli("GET", "state")).toBe("bad");
});

test("without a configuration file nobody knows how it is started, and the switch is refused before it is stopped", async () => {
  await open([]);
  await restore();
  await server.crash();
  await killServer(context, server.data);
  await execa("redis-server", [
    "--port",
    String(server.port),
    "--dir",
    server.data,
    "--save",
    "",
    "--daemonize",
    "yes",
    "--pidfile",
    join(folder.path, "pid"),
  ]);
  await vi.waitFor(async () => expect(await server.cli("PING")).toBe("PONG"), { timeout: 60_000, interval: 20 });
  await expect(forth()).rejects.toMatchObject({
    code: "cutover.refused",
    message: expect.stringContaining("was started without a configuration file"),
    hint: "declare start: and stop: of the component",
  });
  expect(await server.cli("PING")).toBe("PONG");
});

test("a server that was started by its name alone tells a program that is none, and what is shown and run is the one of this machine", async () => {
  await open([]);
  const { stdout: installed } = await execa("sh", ["-c", "command -v redis-server"]);
  expect(await server.cli("INFO", "server")).toContain(`executable:${process.cwd()}/redis-server`);
  const { recoveryCommands } = await redisDriver.preflight(context);
  expect(recoveryCommands.at(-1)).toBe(`${installed} ${server.configFile} --daemonize yes`);
  const told = (lines: string) => startOf(parseInfo(lines));
  expect(told("executable:/usr/bin/redis-server\r\nconfig_file:/etc/redis.conf")).toEqual({
    program: "/usr/bin/redis-server",
    configFile: "/etc/redis.conf",
  });
  for (const lines of ["config_file:/etc/redis.conf", "executable:redis-server\nconfig_file:/etc/redis.conf"])
    expect(told(lines)).toEqual({ program: "", configFile: "/etc/redis.conf" });
  expect(told("executable:/usr/bin/redis-server\nconfig_file:")).toBeNull();
});

test("a switch that was killed before its server was started is served", async () => {
  await open(["appendonly yes"]);
  await restore();
  const before = await switching.observe(context, exchange);
  let ticks = 0;
  const dying: RedisContext = {
    ...context,
    options: { ...context.options, start: "exit 9" },
    clock: { ...context.clock, monotonicMs: () => (ticks += 30_000) },
  };
  await expect(switching.exchange(dying, exchange, before)).rejects.toMatchObject({
    code: "target.failed",
    message: "the start command of cache failed (exit status 9): ",
  });
  expect(await findRedisProcess(server.data)).toBeNull();
  await switching.serve?.(context, exchange);
  expect(await server.cli("GET", "state")).toBe("good");
  // A repeat finds that it has happened.
  await switching.exchange(context, exchange, before);
  expect(await server.cli("GET", "state")).toBe("good");
});

test("a configuration file that says otherwise than the server was set to does not bring an empty server up", async () => {
  await open(["appendonly yes"]);
  await server.cli("CONFIG", "SET", "appendonly", "no");
  await restore();
  const before = await switching.observe(context, exchange);
  await expect(switching.exchange(context, exchange, before)).rejects.toMatchObject({
    code: "target.failed",
    message: expect.stringContaining("came up with appendonly yes, which was off while the one before ran"),
  });
  expect(await findRedisProcess(server.data)).toBeNull();
  const text = await readFile(server.configFile, "utf8");
  await writeFile(server.configFile, text.replace("appendonly yes", "appendonly no"));
  await switching.serve?.(context, exchange);
  expect(await server.cli("GET", "state")).toBe("good");
});

test("a live server that is down is replaced, and started as the point knows it", async () => {
  await open(["appendonly yes"]);
  await server.crash();
  await rename(server.data, `${server.data}.lost`);
  await restore();
  await forth();
  expect(await server.cli("GET", "state")).toBe("good");
  expect(await readRedisContent(server, null)).toContain("good");
});

test("a server that answers and is not seen here is not exchanged under its feet", async () => {
  await open([]);
  await restore();
  // As one in a container: the folder is another than that of the server that answers.
  const elsewhere = { ...context, options: { ...context.options, data: join(folder.path, "elsewhere") } };
  const other = { ...target, name: await instances.name(elsewhere, 42) };
  await instances.restore(elsewhere, other, createDirectoryReader(join(folder.path, "vault")), captured);
  const at = { incoming: other.name, outgoing: await instances.retiredName(elsewhere, 42) };
  await expect(switching.exchange(elsewhere, at, await switching.observe(elsewhere, at))).rejects.toMatchObject({
    code: "fence.failed",
    message: expect.stringContaining("a server still answers at"),
  });
  await instances.drop(elsewhere, other);
});

const password = "hunter2 of redis";
const rules = ["on", `>${password}`, "~*", "&*", "+@all"] as const;
const asRefloat = () => ({
  url: `redis://refloat@127.0.0.1:${server.port}`,
  password: "${env:PASSWORD}",
});
const givePassword = { values: { "env:PASSWORD": `secret!${password}` } };

/** A server whose user `refloat` was made by ACL SETUSER, and by what else stands in the lines. */
const openWithUser = async (lines: readonly string[], users: string | null = null): Promise<void> => {
  const acl = join(folder.path, "users.acl");
  if (users !== null) await writeFile(acl, users);
  server = await startRedisServer({ lines: [...lines, ...(users === null ? [] : [`aclfile ${acl}`])] });
  await server.cli("ACL", "SETUSER", "refloat", ...rules);
  context = await redisContext(server, folder.path, { ...asRefloat(), ...givePassword });
  await server.cli("SET", "state", "good");
  captured = await captureRedisInto(context, join(folder.path, "vault"));
  await server.cli("MSET", "state", "bad", "late", "write");
  target = { name: await instances.name(context, 42), run: 42, runUid };
  exchange = { incoming: target.name, outgoing: await instances.retiredName(context, 42) };
};
const standing = async () =>
  (await redisDriver.preflight(context)).findings.find(({ subject }) => subject === "users once it is started anew");

test("a user that stands in memory alone is told by preflight, capture and plan, until a file has it", async () => {
  await openWithUser([]);
  const found = `the user refloat stands in no file, and does not come in when the server is started anew from ${server.configFile}, as a switch does`;
  expect(await standing()).toMatchObject({ ok: false, found, hint: expect.stringContaining("CONFIG REWRITE") });
  expect(captured.warnings).toEqual([expect.stringContaining(found)]);
  expect(await switching.refusal?.(context)).toContain(found);
  expect(await switching.forewarnings?.(context)).toEqual([]);
  // A declared line may do more than the files tell.
  const declared = { ...context, options: { ...context.options, start: "true" } };
  expect(await switching.refusal?.(declared)).toBeNull();
  expect(await switching.forewarnings?.(declared)).toEqual([expect.stringContaining(found)]);
  await server.cli("CONFIG", "REWRITE");
  expect(await standing()).toEqual({
    ok: true,
    subject: "users once it is started anew",
    found: `stand in ${server.configFile}`,
  });
  expect(await switching.refusal?.(context)).toBeNull();
  expect((await captureRedisInto(context, join(folder.path, "again"))).warnings).toEqual([]);
  await restore();
  await forth();
  expect(await server.cli("GET", "state")).toBe("good");
});

test.each([
  ["with a quoted end", 'on >"hunter 2"', "hunter 2"],
  ["in quotes, with bytes by number", 'on ">p\\x40\\xc3\\xa4"', "p@ä"],
  ["of letters beyond ASCII", "on >pä", "pä"],
  ["in single quotes", String.raw`on '>it\'s \n'`, String.raw`it's \n`],
  ["with a quote in quotes", String.raw`on ">a\"b"`, 'a"b'],
  ["that is taken back", "on >a >b <b", "b"],
  ["of one who is off", "on >a off", "a"],
])("a password %s in the configuration is judged as the server does", async (_, rule, given) => {
  server = await startRedisServer({ lines: [`user refloat ${rule} ~* &* +@all`] });
  const more = { ...asRefloat(), values: { "env:PASSWORD": `secret!${given}` } };
  context = await redisContext(server, folder.path, more);
  const letsIn = await execa("redis-cli", ["-p", String(server.port), "--user", "refloat", "ACL", "WHOAMI"], {
    env: { REDISCLI_AUTH: given },
  }).then(({ stdout }) => stdout === "refloat");
  const target = await resolveTarget(context);
  const asOther = { ...target, user: null, password: null };
  const standing = await withRedis({ target: asOther, signal: context.signal }, (session) =>
    readStanding(context, session, target),
  );
  expect([standing.kind, letsIn]).toEqual(letsIn ? ["stands", true] : ["gone", false]);
});

test("with an aclfile it is ACL SAVE, and who else is gone, or has another password there, is named", async () => {
  await openWithUser([], "user refloat on >another ~* &* +@all\n");
  await server.cli("ACL", "SETUSER", "web", "on", ">w", "~*", "+@read");
  expect(await standing()).toMatchObject({
    ok: false,
    found: expect.stringMatching(/^the user refloat has another password there, .*; nor do web$/),
    hint: `as an administrator: ACL SAVE, which writes all users into ${join(folder.path, "users.acl")}`,
  });
  await server.cli("ACL", "SAVE");
  await server.cli("ACL", "SETUSER", "late", "on", ">w", "~*", "+@read");
  expect(await standing()).toMatchObject({ ok: false, found: expect.stringMatching(/^late stands in no file/) });
  // Not ours: a person is told, and decides.
  expect(await switching.refusal?.(context)).toBeNull();
  expect(await switching.forewarnings?.(context)).toEqual([expect.stringMatching(/^late stands in no file/)]);
  await server.cli("ACL", "SAVE");
  expect(await standing()).toMatchObject({ ok: true });
});

test("files that cannot be read, and those of a server elsewhere, are said not to have been looked at", async () => {
  await openWithUser([]);
  await writeFile(server.configFile, `${await readFile(server.configFile, "utf8")}include more.conf\n`);
  expect(await standing()).toMatchObject({
    ok: true,
    found: expect.stringContaining("it includes more.conf, which is not an absolute path"),
  });
  const elsewhere = { ...context, options: { ...context.options, data: folder.path } };
  const { findings } = await redisDriver.preflight(elsewhere);
  expect(findings.find(({ subject }) => subject === "users once it is started anew")).toMatchObject({
    ok: true,
    found: expect.stringContaining("could not be looked at: the server is not seen on this machine"),
  });
});

test("a server that comes up and does not let us in ends the switch with the reason, and the old side serves again", async () => {
  await openWithUser([]);
  await restore();
  const before = await switching.observe(context, exchange);
  await expect(switching.exchange(context, exchange, before)).rejects.toMatchObject({
    code: "source.denied",
    message: expect.stringMatching(/was started and is up, and refuses refloat \(WRONGPASS .*; it was stopped$/),
    hint: expect.stringContaining(`give ${server.configFile} its line "user refloat ..."`),
    nextCommand: "refloat validate --live shop",
  });
  expect(await findRedisProcess(server.data)).toBeNull();
  // As a run takes its switch back: that the old side is up is what is asked.
  const reverse = { incoming: exchange.outgoing, outgoing: exchange.incoming, isReturn: true as const };
  await switching.exchange(context, reverse, await switching.observe(context, reverse));
  expect(await server.cli("MGET", "state", "late")).toBe("bad\nwrite");
  // From now on it is known before anything is begun.
  await expect(switching.observe(context, exchange)).rejects.toMatchObject({
    code: "source.denied",
    hint: expect.stringContaining("ACL SAVE"),
  });
});

test("one that an attempt has started which was killed before it asked is stopped too, and taken back", async () => {
  await openWithUser([]);
  await restore();
  const before = await switching.observe(context, exchange);
  await expect(switching.exchange(context, exchange, before)).rejects.toMatchObject({ code: "source.denied" });
  // As the killed attempt has left it: switched, with its server up.
  await server.start();
  await expect(switching.exchange(context, exchange, before)).rejects.toMatchObject({
    code: "source.denied",
    message: expect.stringMatching(/; it was stopped$/),
  });
  expect(await findRedisProcess(server.data)).toBeNull();
  const reverse = { incoming: exchange.outgoing, outgoing: exchange.incoming, isReturn: true as const };
  await switching.exchange(context, reverse, await switching.observe(context, reverse));
  expect(await server.cli("MGET", "state", "late")).toBe("bad\nwrite");
});

test("a right that stands in memory alone ends the switch in the same way", async () => {
  await openWithUser([`user refloat on ">${password}" ~* &* +@all -info`]);
  expect(await standing()).toMatchObject({ ok: true });
  await restore();
  await expect(switching.exchange(context, exchange, await switching.observe(context, exchange))).rejects.toMatchObject(
    {
      code: "source.denied",
      message: expect.stringMatching(/is up, and refuses refloat \(NOPERM .*; it was stopped$/),
    },
  );
  const reverse = { incoming: exchange.outgoing, outgoing: exchange.incoming, isReturn: true as const };
  await switching.exchange(context, reverse, await switching.observe(context, reverse));
  expect(await server.cli("MGET", "state", "late")).toBe("bad\nwrite");
});

test("replicas follow the recovered side by themselves", async () => {
  await open([]);
  const replica = await startRedisServer({ lines: [`replicaof 127.0.0.1 ${server.port}`] });
  try {
    await vi.waitFor(async () => expect(await replica.cli("GET", "state")).toBe("bad"), {
      timeout: 60_000,
      interval: 50,
    });
    await restore();
    await forth();
    await vi.waitFor(async () => expect(await replica.cli("GET", "state")).toBe("good"), {
      timeout: 60_000,
      interval: 50,
    });
    await vi.waitFor(
      async () =>
        expect(await switching.settle?.(context, exchange.outgoing)).toEqual([
          expect.stringMatching(/^1 replicas follow/),
        ]),
      { timeout: 60_000, interval: 50 },
    );
  } finally {
    await replica.stop();
  }
});

test("writes are told by keys and by the replication log, and no write as none", async () => {
  await open([]);
  const { position } = captured.facts;
  if (writes === undefined || position === undefined) throw new Error("there is no ledger");
  const since = async (then: typeof position, location: string | null = null) =>
    writes.writesSince(context, { location, since: then });
  expect(await since(position)).toMatchObject({
    units: [{ name: "db0", added: 1, changed: 0, removed: 0, counted: "keys" }],
    gaps: [expect.stringMatching(/^keys are counted, .*; \d+ B of commands were written$/)],
  });
  expect(await writes.estimateSince?.(context, position)).toMatchObject({
    about: expect.stringMatching(/^1 more and 0 fewer keys by database, .*, \d+ B of commands$/),
  });
  const now = await writes.position(context, null);
  expect(await since(now)).toEqual({ lastWriteAt: null, units: [], gaps: [] });
  await server.cli("SET", "state", "worse");
  expect((await since(now)).gaps).toHaveLength(1);

  await restore();
  const beside = await writes.position(context, target.name);
  const report = await forth();
  // As an undo asks: from before the switch, by another process.
  expect(await since(beside)).toEqual({ lastWriteAt: null, units: [], gaps: [] });
  const fresh = await writes.position(context, null);
  expect(await since(fresh)).toEqual({ lastWriteAt: null, units: [], gaps: [] });
  // The old side's end is told by its file.
  expect(await since(position, exchange.outgoing)).toMatchObject({ units: [{ name: "db0", added: 1 }] });
  expect(report.position).toMatchObject({ mark: { keys: { db0: 2 } } });
  await server.cli("SET", "state", "after");
  expect((await since(fresh)).gaps).toHaveLength(1);
  expect((await since(beside)).gaps).toHaveLength(1);
  // Saved and started again it counts no changes, and is not taken for one that nobody wrote to.
  await server.cli("SHUTDOWN", "SAVE").catch(() => "");
  await vi.waitFor(async () => expect(await findRedisProcess(server.data)).toBeNull(), {
    timeout: 60_000,
    interval: 20,
  });
  await switching.serve?.(context, exchange);
  expect((await since(beside)).gaps).toHaveLength(1);
});
