/** Capture of a database that is in use, locked, altered, lost, full of secrets: limits, and no half point. */
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { CaptureSink } from "../../core/ports/vault-snapshots.ts";
import { createDirectorySink } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { postgresContext } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { capturePostgres } from "./capture.ts";
import type { PostgresOptions } from "./postgres-options.ts";

let server: PostgresServer;
let folder: TestFolder;

beforeAll(async () => {
  server = await startPostgresServer();
});
afterAll(() => server.stop());

const admin = (sql: string) => query(server.url("postgres"), sql);
const shop = (sql: string) => query(server.url("shop"), sql);

beforeEach(async () => {
  folder = await createTestFolder();
  await admin("create database shop");
  await shop(
    "create table t (id int); insert into t values (1), (2); create table u (id int); insert into u values (1)",
  );
});
afterEach(async () => {
  await folder.remove();
  await admin("drop database shop with (force)");
});

const connect = async (): Promise<Client> => {
  const client = new Client({ connectionString: server.url("shop") });
  client.on("error", () => undefined);
  await client.connect();
  return client;
};

const capture = (sink: CaptureSink, more: Partial<PostgresOptions> = {}, signal = new AbortController().signal) =>
  capturePostgres(postgresContext(server, "shop", folder.path, { more, signal }), sink, null);

const plainSink = (): CaptureSink => createDirectorySink(folder.path);

/** Stops before the first row is stored, tells so, and goes on when released or aborted. */
const pausedSink = () => {
  const inner = plainSink();
  const reached = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const sink: CaptureSink = {
    ...inner,
    stream: async (path, source, signal, progress) => {
      reached.resolve();
      const aborted = signal.aborted ? Promise.resolve() : once(signal, "abort");
      await Promise.race([release.promise, aborted]);
      signal.throwIfAborted();
      return inner.stream(path, source, signal, progress);
    },
  };
  return { sink, reached: reached.promise, release: release.resolve };
};

/** Watched from the beginning, so that a failure in between is not a stray one. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );

const waitUntil = async (what: string, sql: string): Promise<void> => {
  for (let tries = 0; tries < 3000; tries += 1) {
    if ((await admin(sql)).length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never seen: ${what}`);
};

const waiters = "select 1 from pg_locks where not granted and locktype = 'relation'";
const ours = "select 1 from pg_stat_activity where application_name like 'refloat%'";

const noneOfOurs = async (): Promise<void> =>
  waitUntil("the end of our sessions", `select 1 where not exists (${ours})`);

describe("locks of others", () => {
  test("are waited for up to the limit, then capture gives up and leaves nothing", async () => {
    const other = await connect();
    await other.query("begin; lock table t in access exclusive mode");
    await expect(capture(plainSink(), { lockTimeout: "200ms" })).rejects.toMatchObject({
      code: "source.under-pressure",
      retryable: true,
      hint: expect.stringMatching(/lockTimeout/),
    });
    await other.end();
    expect(await readdir(folder.path)).toEqual([]);
    await noneOfOurs();
  });

  test("a table that is truncated before we get its lock is never read in the state between", async () => {
    const other = await connect();
    await other.query("begin; truncate t; insert into u values (2)");
    const running = capture(plainSink());
    await waitUntil("capture waiting", waiters);
    await other.query("commit");
    await other.end();
    const { facts } = await running;
    expect(facts.units).toMatchObject({ t: { rows: 0 }, u: { rows: 2 } });
  });

  test("a table that is dropped before we get its lock is not in the point", async () => {
    const other = await connect();
    await other.query("begin; drop table t");
    const running = capture(plainSink());
    await waitUntil("capture waiting", waiters);
    await other.query("commit");
    await other.end();
    expect(Object.keys((await running).facts.units)).toEqual(["u"]);
  });
});

describe("others who wait for us", () => {
  test("are let through after the limit: capture stops itself", async () => {
    const { sink, reached } = pausedSink();
    const running = failureOf(capture(sink, { yieldAfter: "300ms", jobs: 1 }));
    await reached;
    const other = await connect();
    await other.query("alter table t add column more int");
    expect(await running).toMatchObject({
      code: "source.under-pressure",
      message: expect.stringMatching(/alter table t add column.* waited .* behind its read locks/),
    });
    await other.end();
    await noneOfOurs();
  });

  test("do not stop a capture when they give up themselves, nor deadlock with its workers", async () => {
    const { sink, reached, release } = pausedSink();
    const running = capture(sink, { jobs: 1, yieldAfter: "1m" });
    await reached;
    const other = await connect();
    await other.query("set lock_timeout = '3s'");
    const alter = failureOf(other.query("alter table u add column more int"));
    await waitUntil("the alter waiting", waiters);
    release();
    const { facts } = await running;
    expect(String(await alter)).toMatch(/lock timeout/);
    await other.end();
    expect(facts.units).toMatchObject({ t: { rows: 2 }, u: { rows: 1 } });
  });

  test("and vacuum are freed when the snapshot grows too old", async () => {
    const { sink } = pausedSink();
    await expect(capture(sink, { maxAge: "300ms" })).rejects.toMatchObject({
      code: "source.under-pressure",
      message: expect.stringMatching(/snapshot is older than/),
    });
    await noneOfOurs();
  });
});

describe("a capture that is cut off", () => {
  test("by an administrator says that the connection was ended", async () => {
    const { sink, reached, release } = pausedSink();
    const running = failureOf(capture(sink));
    await reached;
    await admin("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'refloat%'");
    release();
    expect(await running).toMatchObject({ code: "source.unreachable" });
    await noneOfOurs();
  });

  test("by a crash of the server says that the server is gone", async () => {
    const { sink, reached, release } = pausedSink();
    const running = failureOf(capture(sink));
    await reached;
    await server.crash();
    release();
    expect(await running).toMatchObject({ code: "source.unreachable" });
    await server.start();
  });

  test("by its caller throws the caller's reason and leaves no session", async () => {
    const { sink, reached } = pausedSink();
    const stop = new AbortController();
    const reason = new Error("enough");
    const running = failureOf(capture(sink, {}, stop.signal));
    await reached;
    stop.abort(reason);
    expect(await running).toBe(reason);
    await noneOfOurs();
  });

  test("by a full vault passes the vault's error on", async () => {
    const full = new Error("vault is full");
    const sink: CaptureSink = { ...plainSink(), stream: () => Promise.reject(full) };
    await expect(capture(sink)).rejects.toBe(full);
    await noneOfOurs();
  });
});

const everything = async (): Promise<string> => {
  const files = await readdir(folder.path, { recursive: true, withFileTypes: true });
  const contents = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), "latin1")),
  );
  return contents.join("\n");
};

describe("what is not in a point", () => {
  test("passwords of roles and of user mappings are not; the mapping is, and is said to lack one", async () => {
    await shop(`
      create extension postgres_fdw;
      create server elsewhere foreign data wrapper postgres_fdw options (host 'db-9');
      create user mapping for current_user server elsewhere options (user 'remote''s', password E'fdw\\\\ secret''s');
      create foreign table far (id int) server elsewhere;
      create role shop_app login password 'role-secret';
      grant select on t to shop_app`);
    const report = await capture(plainSink());
    await shop("drop owned by shop_app; drop role shop_app");
    const all = await everything();
    expect(all).not.toMatch(/fdw.{0,3} secret|role-secret|SCRAM/);
    expect(all).toMatch(
      /CREATE USER MAPPING FOR postgres SERVER elsewhere OPTIONS \(\s*password '',\s*"user" 'remote''s'/,
    );
    expect(all).toMatch(/CREATE ROLE shop_app/);
    expect(report.warnings).toEqual([
      "foreign tables have no rows of their own; theirs are not in the point: far",
      "passwords of user mappings are not in the point; set them after a restore: USER MAPPING postgres SERVER elsewhere",
    ]);
  });

  test("rows that are excluded are not, and every point says so", async () => {
    const report = await capture(plainSink(), { excludeData: ["t"] });
    expect(Object.keys(report.facts.units)).toEqual(["u"]);
    expect(report.warnings).toEqual(["the rows of 1 table are left out as declared: t"]);
    expect(report.facts.position?.mark).toMatchObject({ excluded: ["t"] });
    expect(await readdir(join(folder.path, "db"))).toHaveLength(4);
  });

  test("rows of an extension's own configuration are not, the user's are", async () => {
    await shop(`
      create extension hstore;
      create table conf (k text, own boolean);
      alter extension hstore add table conf;
      update pg_extension set extconfig = array['conf'::regclass::oid], extcondition = array['where own'] where extname = 'hstore';
      insert into conf values ('shipped', false), ('mine', true)`);
    const { facts } = await capture(plainSink());
    expect(facts.units["conf"]).toMatchObject({ rows: 1 });
    expect(await everything()).toMatch(/mine\tt\n\\\.\n/);
  });

  test("subscriptions are not, so that a copy does not receive in their name", async () => {
    await shop(`create subscription sub connection 'host=db-9 password=sub-secret' publication p
                  with (connect = false, slot_name = none, enabled = false, create_slot = false)`);
    const report = await capture(plainSink());
    await shop("drop subscription sub");
    expect(report.warnings).toEqual([expect.stringMatching(/^subscriptions are not in the point.*: sub$/)]);
    expect(await everything()).not.toMatch(/sub-secret|CREATE SUBSCRIPTION/);
  });
});

test("a user who may not read a table is told so before anything is stored", async () => {
  await shop("create role reader login; grant select on t to reader");
  const url = server.url("shop", "reader");
  await expect(capture(plainSink(), { url })).rejects.toMatchObject({
    code: "source.denied",
    message: expect.stringMatching(/user reader lacks a right: permission denied for table u/),
  });
  await shop("grant select on u to reader; alter table u enable row level security");
  await expect(capture(plainSink(), { url })).rejects.toMatchObject({
    code: "source.denied",
    message: expect.stringMatching(/row-level security policy/),
  });
  await shop("drop owned by reader; drop role reader");
});

test("two captures of the same state have the same facts", async () => {
  const first = await capture(plainSink());
  await folder.remove();
  folder = await createTestFolder();
  const second = await capture(plainSink());
  expect(second.facts.units).toEqual(first.facts.units);
  expect(second.facts.schemaHash).toBe(first.facts.schemaHash);
  await shop("alter table t add column more int");
  await folder.remove();
  folder = await createTestFolder();
  expect((await capture(plainSink())).facts.schemaHash).not.toBe(first.facts.schemaHash);
});

test("while money moves between tables, every captured table is of the same instant", async () => {
  await shop(`create table a (id int primary key, n int); insert into a select i, 100 from generate_series(1, 50) i;
              create table b (id int primary key, n int); insert into b select i, 100 from generate_series(1, 50) i`);
  const stop = new AbortController();
  const moved = { times: 0 };
  const mover = async (id: number): Promise<void> => {
    const client = await connect();
    while (!stop.signal.aborted) {
      await client.query(
        `begin; update a set n = n - 1 where id = ${id}; update b set n = n + 1 where id = ${id}; commit`,
      );
      moved.times += 1;
    }
    await client.end();
  };
  const movers = [1, 2, 3].map(mover);
  const { sink, reached, release } = pausedSink();
  const running = capture(sink, { jobs: 2 });
  await reached;
  const enough = moved.times + 50;
  while (moved.times < enough) await new Promise((resolve) => setTimeout(resolve, 5));
  release();
  const { facts } = await running;
  stop.abort();
  await Promise.all(movers);
  const labels = facts.detail["labels"] as Record<string, string>;
  let total = 0;
  for (const [dumpId, label] of Object.entries(labels)) {
    if (label !== "a" && label !== "b") continue;
    const rows = (await readFile(join(folder.path, "db", `${dumpId}.dat`), "utf8")).split("\n").slice(0, 50);
    total += rows.reduce((sum, row) => sum + Number(row.split("\t")[1]), 0);
  }
  expect(total).toBe(100 * 100);
});
