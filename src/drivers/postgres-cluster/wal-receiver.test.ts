import { type ChildProcess, fork } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { bytesBefore, comparePositions } from "../../core/logs/log-position.ts";
import type { LogEvent, LogReceiving } from "../../core/ports/logs.ts";
import type { LogStore } from "../../core/ports/vault-logs.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { LogSpan } from "../../model/log-span.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import type { ReceiverOrder } from "../../testing/log-receiver-program.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { createLogs } from "../../vault/points/logs.ts";
import { createRepository } from "../../vault/repository/create-repository.ts";
import { receiveClusterLog } from "./receive-log.ts";
import { slotName } from "./wal-slot.ts";

const password = "correct horse";
const slot = "refloat_shop_db";
const name = { service: "shop", component: "db" };
const segmentBytes = 16 * 1024 * 1024;

let server: PostgresServer;
let folder: TestFolder;
let repository: Repository;

const start = () =>
  startPostgresServer({
    settings: {
      wal_keep_size: "2GB",
      max_slot_wal_keep_size: "20GB",
      max_wal_size: "2GB",
      // What was committed is then written: by its end of the log a test tells what it must find.
      synchronous_commit: "on",
    },
  });

beforeAll(async () => {
  server = await start();
  await query(server.url("postgres"), "create database bench");
  await execa(join(server.binaries, "pgbench"), ["-i", "-q", "-s", "2", server.url("bench")]);
});

afterAll(async () => {
  await server.stop();
});

beforeEach(async () => {
  folder = await createTestFolder("refloat-wal");
  repository = await createRepository(`${folder.path}/vault`, password, { clock: systemClock });
});

afterEach(async () => {
  for (const receiver of running.splice(0)) await receiver.stop();
  await repository.close();
  await folder.remove();
  // The server may not have noticed yet that a receiver is gone.
  const held = `from pg_replication_slots where slot_name = '${slot}'`;
  await query(server.url("postgres"), `select pg_terminate_backend(active_pid, 10000) ${held} and active`);
  await query(server.url("postgres"), `select pg_drop_replication_slot('${slot}') ${held}`);
});

const open = (): LogStore => createLogs({ repository, clock: systemClock, lockFor: async () => null });

const sql = async (text: string, of = server): Promise<string> =>
  String(Object.values((await query(of.url("bench"), text))[0] ?? {})[0]);

const flushed = (of = server): Promise<string> => sql("select pg_current_wal_flush_lsn()::text", of);

/** Of what goes on by itself: nothing but its end is decided here. */
const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await systemClock.sleep(50, new AbortController().signal);
};

const spans = (): Promise<readonly LogSpan[]> => open().spans("shop");

const reaches = (position: string) => async (): Promise<boolean> =>
  comparePositions((await spans()).at(-1)?.to ?? "0/0", position) >= 0;

const load = (seconds: number, ...more: readonly string[]) =>
  execa(join(server.binaries, "pgbench"), ["-n", "-c", "4", "-T", String(seconds), ...more, server.url("bench")]);

/** To its next timeline. @param taken name of a history that is there already, so that its number is skipped */
const promote = async (
  of: PostgresServer,
  taken?: string,
  whileStandby: () => Promise<void> = () => Promise.resolve(),
): Promise<void> => {
  await of.crash();
  const data = join(of.directory, "data");
  const copyRights = (to: string) => execa("cp", ["-p", "--attributes-only", join(data, "PG_VERSION"), join(data, to)]);
  if (taken !== undefined) {
    await copyRights(`pg_wal/${taken}`);
    await writeFile(join(data, "pg_wal", taken), "1\t0/0\ttaken\n");
  }
  await copyRights("standby.signal");
  await of.start();
  await whileStandby();
  await query(of.url("postgres"), "select pg_promote()");
};

const running: Receiving[] = [];

type Receiving = { readonly events: LogEvent[]; readonly stop: () => Promise<void> };

const receiveFrom = async (
  of: PostgresServer,
  { signal = new AbortController().signal, ...parts }: Partial<LogReceiving> & { readonly signal?: AbortSignal } = {},
): Promise<void> => {
  const logs = open();
  await receiveClusterLog(
    createTestContext({ options: { url: of.url("bench") }, folder: folder.path, component: "db", signal }),
    {
      held: await logs.spans("shop"),
      history: async (line) => (await logs.reader(name)).history(line),
      read: async function* read(...stretch) {
        yield* (await logs.reader(name)).read(...stretch);
      },
      append: logs.append,
      everyMs: 200,
      report: () => undefined,
      ...parts,
    },
  );
};

const receive = async (
  parts: { of?: PostgresServer; append?: LogReceiving["append"]; everyMs?: number } = {},
): Promise<Receiving> => {
  const ending = new AbortController();
  const events: LogEvent[] = [];
  const done = receiveFrom(parts.of ?? server, {
    ...(parts.append === undefined ? {} : { append: parts.append }),
    ...(parts.everyMs === undefined ? {} : { everyMs: parts.everyMs }),
    report: (event) => events.push(event),
    signal: ending.signal,
  });
  const receiver = {
    events,
    stop: async () => {
      ending.abort(new Error("told to end"));
      await done;
    },
  };
  running.push(receiver);
  return receiver;
};

/** The same bytes out of the server's own files. */
const onServer = async (timeline: number, from: string, to: string, of = server): Promise<Buffer> => {
  const parts: Buffer[] = [];
  for (let at = bytesBefore(from); at < bytesBefore(to);) {
    const segment = at / BigInt(segmentBytes);
    const file = [BigInt(timeline), segment / 256n, segment % 256n]
      .map((number) => number.toString(16).toUpperCase().padStart(8, "0"))
      .join("");
    const content = await readFile(join(of.directory, "data/pg_wal", file));
    const offset = Number(at % BigInt(segmentBytes));
    const length = Math.min(segmentBytes - offset, Number(bytesBefore(to) - at));
    parts.push(content.subarray(offset, offset + length));
    at += BigInt(length);
  }
  return Buffer.concat(parts);
};

const expectSameBytes = async (span: LogSpan, of = server): Promise<void> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await open().reader(name)).read(span.line, span.from, span.to)) chunks.push(chunk);
  const timeline = Number(span.line.split("/")[1]);
  expect(Buffer.concat(chunks).equals(await onServer(timeline, span.from, span.to, of))).toBe(true);
};

it("receives what a server under load writes, byte by byte, from the begin of a segment, and ends in order", async () => {
  const receiver = await receive();
  await load(3);
  const end = await flushed();
  await until(reaches(end));
  await receiver.stop();
  const [span, ...others] = await spans();
  if (span === undefined) throw new Error("nothing was received");
  expect(others).toEqual([]);
  expect(bytesBefore(span.from) % BigInt(segmentBytes)).toBe(0n);
  await expectSameBytes(span);
  // The server keeps no more than what the vault does not have.
  const restart = await sql(`select restart_lsn::text from pg_replication_slots where slot_name = '${slot}'`);
  expect(comparePositions(restart, span.from)).toBe(1);
  expect(receiver.events.filter(({ type }) => type !== "durable")).toEqual([]);
});

it("finds a commit by its time, whether it was received at once or long afterwards", async () => {
  const commits: { before: string; at: string; after: string }[] = [];
  const commit = async (): Promise<void> => {
    const before = await flushed();
    await sql("insert into pgbench_history (tid) values (1)");
    const at = new Date(Number(await sql("select extract(epoch from clock_timestamp()) * 1000"))).toISOString();
    commits.push({ before, at, after: await flushed() });
  };
  let receiver = await receive();
  await until(async () => (await spans()).length > 0);
  await commit();
  await until(reaches(await flushed()));
  await receiver.stop();
  await commit();
  await load(1);
  await commit();
  receiver = await receive();
  await load(1);
  await until(reaches(await flushed()));
  await receiver.stop();
  const store = open();
  for (const { before, at, after } of commits) {
    const found = await store.positionAt({ ...name, at: new Date(Date.parse(at) + 150).toISOString() });
    expect(comparePositions(found?.position ?? "0/0", before)).toBe(1);
    const earlier = await store.positionAt({ ...name, at: new Date(Date.parse(at) - 60_000).toISOString() });
    expect(earlier === null || comparePositions(earlier.position, after) < 0).toBe(true);
  }
});

it("killed at any moment it goes on without a gap, and joins what it stored meanwhile", async () => {
  const order: ReceiverOrder = {
    driver: "postgres-cluster",
    url: server.url("bench"),
    vault: `${folder.path}/vault`,
    password,
    folder: folder.path,
    everyMs: 50,
  };
  const begin = (): ChildProcess =>
    fork(new URL("../../testing/log-receiver-program.ts", import.meta.url), {
      env: { ...process.env, ORDER: JSON.stringify(order) },
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
  const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once("exit", resolve));
  const working = load(600, "--rate", "100");
  for (let round = 0; round < 4; round += 1) {
    const child = begin();
    const end = ended(child);
    let lines = 0;
    await new Promise<void>((resolve) =>
      child.stdout?.on("data", (text: Buffer) => {
        lines += String(text).split("\n").length - 1;
        if (lines > round * 3) resolve();
      }),
    );
    await systemClock.sleep(round * 37, new AbortController().signal);
    child.kill("SIGKILL");
    await end;
  }
  working.kill("SIGINT");
  await working.catch(() => undefined);
  const last = begin();
  const end = ended(last);
  await until(reaches(await flushed()));
  last.kill("SIGTERM");
  expect(await end).toBe(0);
  const [span, ...others] = await spans();
  if (span === undefined) throw new Error("nothing was received");
  expect(others).toEqual([]);
  await expectSameBytes(span);
  await open().compact(name, new AbortController().signal);
  expect(await spans()).toEqual([span]);
  await expectSameBytes(span);
});

it("a vault that is away holds the server's WAL and little memory, and nothing is lost when it is back", async () => {
  const logs = open();
  let isAway = false;
  let waiting = 0;
  let comeBack = (): void => undefined;
  const back = new Promise<void>((resolve) => (comeBack = resolve));
  const receiver = await receive({
    append: async (piece, content) => {
      if (isAway) {
        waiting += content.length;
        await back;
      }
      await logs.append(piece, content);
    },
  });
  await until(async () => (await spans()).length > 0);
  isAway = true;
  // More than fits into what is held in memory.
  await sql("create table filler as select repeat(md5(n::text), 30) as text from generate_series(1, 50000) n");
  const restart = await sql(`select restart_lsn::text from pg_replication_slots where slot_name = '${slot}'`);
  expect(comparePositions(restart, (await spans())[0]?.to ?? "0/0")).toBeLessThanOrEqual(0);
  expect(waiting).toBeLessThanOrEqual(segmentBytes + 128 * 1024);
  comeBack();
  await until(reaches(await flushed()));
  await receiver.stop();
  const [span, ...others] = await spans();
  if (span === undefined) throw new Error("nothing was received");
  expect(others).toEqual([]);
  await expectSameBytes(span);
});

it("goes on after the server was away, and says meanwhile that it waits", async () => {
  const receiver = await receive();
  await until(async () => (await spans()).length > 0);
  await server.crash();
  await until(async () => receiver.events.some((event) => event.type === "waiting" && event.for === "source"));
  await server.start();
  await sql("insert into pgbench_history (tid) values (1)");
  await until(reaches(await flushed()));
  await receiver.stop();
  const all = await spans();
  expect(all).toHaveLength(1);
  if (all[0] !== undefined) await expectSameBytes(all[0]);
});

it("a slot that the server has given up is a gap that is said, and the log goes on from what there is", async () => {
  const small = await startPostgresServer({
    settings: { max_slot_wal_keep_size: "16MB", max_wal_size: "32MB", min_wal_size: "32MB", wal_keep_size: 0 },
  });
  try {
    await query(small.url("postgres"), "create database bench");
    const first = await receive({ of: small });
    await until(async () => (await spans()).length > 0);
    await first.stop();
    await sql(
      "create table filler as select repeat(md5(n::text), 30) as text from generate_series(1, 120000) n",
      small,
    );
    await sql("checkpoint", small);
    await sql("select pg_switch_wal()", small);
    await sql("checkpoint", small);
    const second = await receive({ of: small });
    await until(reaches(await flushed(small)));
    await second.stop();
    const [before, after] = await spans();
    expect(before?.line).toBe(after?.line);
    expect(comparePositions(after?.from ?? "0/0", before?.to ?? "0/0")).toBe(1);
    expect(second.events).toContainEqual({
      type: "gap",
      from: before,
      reason: expect.stringContaining("db: the server has") as string,
      nextCommand: "refloat capture shop",
    });
  } finally {
    await small.stop();
  }
});

it.each([
  { when: "away", whileStandby: () => Promise.resolve() },
  {
    when: "connected",
    whileStandby: (of: PostgresServer) =>
      until(async () => (await sql("select count(*) from pg_stat_replication where state = 'streaming'", of)) === "1"),
  },
])("follows the server to a new timeline that begins while it is $when", async ({ whileStandby }) => {
  const other = await startPostgresServer({ settings: { wal_keep_size: "1GB", max_slot_wal_keep_size: "-1" } });
  try {
    await query(other.url("postgres"), "create database bench");
    const receiver = await receive({ of: other });
    await until(reaches(await flushed(other)));
    await promote(other, undefined, () => whileStandby(other));
    await sql("create table after (id int)", other);
    await until(async () => (await spans()).length === 2);
    await until(reaches(await flushed(other)));
    await receiver.stop();
    const [first, second] = await spans();
    expect(second?.line).toBe(first?.line.replace("/1", "/2"));
    expect(await (await open().reader(name)).history(second?.line ?? "")).toMatch(/^1\t/);
    expect(bytesBefore(second?.from ?? "0/0") % BigInt(segmentBytes)).toBe(0n);
    if (second !== undefined) await expectSameBytes(second, other);
    expect(receiver.events).toContainEqual(expect.objectContaining({ type: "warning" }));
  } finally {
    await other.stop();
  }
});

it("a server that was put back to an older state is refused for good, and so is another history under a name that is held", async () => {
  const logs = open();
  const [system, end] = [await sql("select system_identifier::text from pg_control_system()"), await flushed()];
  const at = new Date().toISOString();
  const held = {
    ...name,
    driver: "postgres-cluster",
    line: `${system}/1`,
    from: end,
    to: "FF/0",
    fromAt: at,
    toAt: at,
  };
  await expect(receiveFrom(server, { held: [held] })).rejects.toMatchObject({
    code: "log.diverged",
    message: expect.stringMatching(/ends at .* on timeline 1, and the vault has it up to FF\/0/) as string,
    nextCommand: "refloat capture shop",
  });
  const other = await startPostgresServer({ settings: { recovery_target_timeline: "current" } });
  try {
    await query(other.url("postgres"), "create database bench");
    // As it is after a recovery that was undone: the second timeline has another cluster.
    await promote(other, "00000002.history");
    const own = await sql("select system_identifier::text from pg_control_system()", other);
    const moments = [{ position: "0/40", at }];
    const line = { ...name, driver: "postgres-cluster", from: "0/0", to: "0/40", fromAt: at, toAt: at, moments };
    await logs.append({ ...line, line: `${own}/2`, history: "1\t0/0\tundone\n" }, new Uint8Array(0x40));
    const receiver = await receive({ of: other });
    await until(async () => (await spans()).some((span) => span.line === `${own}/3`));
    await receiver.stop();
    await logs.append({ ...line, line: `${own}/4`, history: "1\t0/0\tundone\n" }, new Uint8Array(0x40));
    await promote(other);
    await expect(receiveFrom(other)).rejects.toMatchObject({
      code: "log.diverged",
      message: expect.stringContaining(`is not the one that the vault holds as ${own}/4`) as string,
    });
  } finally {
    await other.stop();
  }
});

it("names slots of letters that a server takes, and two components never alike", () => {
  expect(slotName("shop", "db")).toBe("refloat_shop_db");
  expect(slotName("shop", "my-db")).toMatch(/^refloat_shop_my_db_[0-9a-f]{8}$/);
  expect(slotName("shop", "my-db")).not.toBe(slotName("shop", "my_db"));
  expect(slotName("s".repeat(63), "d".repeat(63)).length).toBe(63);
});
