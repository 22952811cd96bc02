/** Parts of a real cluster out of one capture and the log behind it: tables of every kind, as of the point and as of later, and what is refused. */
import { chmod, chown, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { to as copyTo } from "pg-copy-streams";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { ExcerptForm } from "../../../core/ports/excerpts.ts";
import type { Replay } from "../../../core/ports/driver.ts";
import type { FolderEntry, TreeReader } from "../../../core/ports/vault-snapshots.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import type { CapturedComponent } from "../../../model/manifest.ts";
import { archiveAll, archiveOf, archivedLog, archiving } from "../../../testing/archived-log.ts";
import { captureClusterInto, clusterContext, contentOf, createVault } from "../../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../../testing/postgres-server.ts";
import { query, withClient } from "../../../testing/query.ts";
import { listProcesses, readPlaces } from "../../../platform/process-table.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { logStartOf } from "../log-line.ts";
import { clusterExcerpts } from "./take-excerpt.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: PostgresServer;
let folder: TestFolder;
let temporary: string;
let context: ClusterContext;
let vault: Repository;
let captured: CapturedComponent;
/** Rows as the live server gave them when it was captured, by table. */
const before: Record<string, string> = {};
let beforeDrop: Replay;
let afterDrop: Replay;
/** Numbers of the files of `other.ballast`. */
let ballast: { readonly filenode: string; readonly bytes: number };

const bench = (sql: string) => query(server.url("bench"), sql);

const csvOf = async (database: string, from: string): Promise<string> =>
  withClient(server.url(database), async (client) => {
    await client.query("set timezone = 'GMT'");
    let text = "";
    for await (const chunk of client.query(copyTo(`copy ${from} to stdout (format csv, header)`)))
      text += String(chunk);
    return text;
  });

const position = async (): Promise<Replay> => {
  const [row] = await query<{ lsn: string }>(server.url("postgres"), "select pg_current_wal_insert_lsn()::text as lsn");
  const logs = archivedLog(archiveOf(server));
  return { logs, line: logStartOf(captured).line, to: row?.lsn ?? "", at: "2026-01-01T00:00:00.000Z" };
};

type Taken = {
  readonly bytes: Buffer;
  readonly warnings: readonly string[];
  /** Files whose content was read from the vault. */
  readonly read: readonly FolderEntry[];
  /** How often a server was made. */
  readonly attempts: number;
};

const take = async (name: string, form: ExcerptForm = "csv", replay: Replay | null = null): Promise<Taken> => {
  const tree = await vault.openTree(captured.snapshot);
  const read: FolderEntry[] = [];
  const watched: TreeReader = {
    ...tree,
    entry: (path) => tree.entry(path),
    folder: (id) => tree.folder(id),
    content: (entry, range) => {
      read.push(entry);
      return tree.content(entry, range);
    },
  };
  const warnings: string[] = [];
  const pieces: Uint8Array[] = [];
  let attempts = 0;
  const stage = (what: string): void => {
    if (what.startsWith("replaying")) attempts += 1;
  };
  const request = { name, form, replay, stage, warn: (text: string) => warnings.push(text) };
  for await (const piece of clusterExcerpts.take(context, { tree: watched, captured }, request))
    pieces.push(Buffer.from(piece));
  return { bytes: Buffer.concat(pieces), warnings, read, attempts };
};

const csv = async (name: string, replay: Replay | null = null): Promise<string> =>
  (await take(name, "csv", replay)).bytes.toString("utf8");

const sumOf = (entries: readonly FolderEntry[]): number => entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Restores an archive into a database of the live server. */
const putBack = async (archive: Buffer, database: string): Promise<void> => {
  const args = ["-h", "127.0.0.1", "-p", String(server.port), "-U", "postgres", "-d", database, "--exit-on-error"];
  await execa(join(server.binaries, "pg_restore"), args, { input: archive });
};

beforeAll(async () => {
  folder = await createTestFolder("refloat-excerpt");
  await chmod(folder.path, 0o755);
  temporary = join(folder.path, "tmp");
  await mkdir(temporary);
  server = await startPostgresServer({ settings: { ...archiving, autovacuum: "off" } });
  vi.stubEnv("TMPDIR", temporary);
  const space = join(server.directory, "space");
  const { uid, gid } = await stat(server.directory);
  await mkdir(space, { mode: 0o700 });
  await chown(space, uid, gid);
  const all = (sql: string) => query(server.url("postgres"), sql);
  await all(`create tablespace fast location '${space}'`);
  await all("create database bench");
  await all("create database other");
  await all("create role reader");
  await query(
    server.url("other"),
    "create table ballast as select n, md5(n::text) as text from generate_series(1, 200000) n; alter table ballast set (autovacuum_enabled = off)",
  );
  await bench(`
    create function stamp() returns trigger language plpgsql as 'begin new.note := coalesce(new.note, ''none''); return new; end';
    create table orders (id serial primary key, note text not null, body text, total numeric check (total >= 0), twice numeric generated always as (total * 2) stored);
    alter table orders alter body set storage external;
    create index on orders (note);
    create trigger stamp before insert on orders for each row execute function stamp();
    grant select on orders to reader;
    insert into orders (note, body, total) select 'order ' || n, repeat(md5(n::text), 400), n from generate_series(1, 200) n;
    create table events (at int, what text) partition by range (at);
    create table events_1 partition of events for values from (0) to (100);
    create table events_2 (what text, at int) tablespace fast;
    alter table events attach partition events_2 for values from (100) to (200);
    insert into events select n, 'event ' || n from generate_series(0, 199) n;
    create table refilled as select n from generate_series(1, 1000) n;
    create table first_name as select n from generate_series(1, 3) n;
    create table doomed as select n, 'kept' as text from generate_series(1, 500) n;
    create schema audit;
    create table audit.log as select n, 'entry' as text from generate_series(1, 50) n;
    create table audit.refilled (n int);
    create materialized view totals as select id, total from orders;
    create unique index on totals (id);
    create view cheap as select * from orders where total < 5;
    create unlogged table scratch as select n from generate_series(1, 10) n;
    create table filler as select n, md5(n::text) as text from generate_series(1, 50000) n`);
  for (const catalog of [
    "pg_class",
    "pg_index",
    "pg_attribute",
    "pg_constraint",
    "pg_trigger",
    "pg_depend",
    "pg_namespace",
    "pg_inherits",
  ])
    await bench(`vacuum full ${catalog}`);
  for (const table of ["orders", "events", "refilled", "doomed", "audit.log", "totals"])
    before[table] = await csvOf("bench", /^(?:events|totals)$/.test(table) ? `(select * from ${table})` : table);
  const [row] = await query<{ filenode: string; bytes: number }>(
    server.url("other"),
    "select pg_relation_filenode('ballast')::text as filenode, pg_relation_size('ballast')::int as bytes",
  );
  ballast = row ?? { filenode: "", bytes: 0 };
  await all("checkpoint");
  context = await clusterContext(server, folder.path);
  vault = await createVault(folder.path);
  captured = await captureClusterInto(context, vault);

  // Bits of the visibility map, whose records bring no page of the table: neither table is there when they are replayed.
  await query(server.url("other"), "vacuum ballast");
  await bench("vacuum filler");
  await bench("truncate refilled; insert into refilled select n from generate_series(5001, 5010) n");
  await bench("create table later as select n from generate_series(1, 7) n; alter table later rename to latest");
  await bench("alter table first_name rename to second_name");
  await bench("vacuum full audit.log");
  await all("create database young template other strategy file_copy");
  await query(server.url("young"), "create table fresh as select 1 as n");
  beforeDrop = await position();
  await bench("drop table doomed; delete from orders");
  afterDrop = await position();
  await archiveAll(server);
});
/** Nothing of any temporary server is ever left. */
afterEach(async () => {
  const folders = await readdir(temporary);
  const running = listProcesses().filter(({ pid }) => readPlaces(pid).workingDirectory?.startsWith(temporary) === true);
  if (folders.length + running.length > 0) throw new Error(`left: ${folders.join(", ")}; ${running.length} processes`);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await vault?.close();
  await server?.stop();
  await folder?.remove();
});

describe("the rows of a table", () => {
  test("come with what they keep out of line, and without reading another database", async () => {
    const { bytes, read, attempts } = await take("bench/orders");
    expect(bytes.toString("utf8")).toBe(before["orders"]);
    const names = read.map(({ name }) => Buffer.from(name).toString());
    expect(names).not.toContain(ballast.filenode);
    expect(sumOf(read)).toBeLessThan(captured.sizeBytes - ballast.bytes);
    // All catalogs were rewritten, and found all the same.
    expect(attempts).toBe(1);
  });

  test("of partitions stand in the order of the table's columns, wherever they lie", async () => {
    expect((await csv("bench/public.events")).split("\n").toSorted()).toEqual(before["events"]?.split("\n").toSorted());
  });

  test("are COPY text when nothing else is asked for, and those of a materialised view its own", async () => {
    const { bytes } = await take("bench/audit.log", "copy");
    expect(bytes.toString("utf8")).toBe(before["audit.log"]?.split("\n").slice(1).join("\n").replaceAll(",", "\t"));
    expect(await csv("bench/totals")).toBe(before["totals"]);
  });

  test.each([
    ["bench/ordres", "point.unknown", 'did you mean "public.orders"?'],
    ["bnech/orders", "point.unknown", 'did you mean "bench"?'],
    ["bench/adit.", "point.unknown", 'did you mean "audit"?'],
    ["bench/cheap", "source.unsupported", "name a table, or take the whole database with --dump"],
    ["bench/scratch", "source.unsupported", undefined],
  ])("%s is refused as %s", async (name, code, hint) => {
    await expect(take(name, name.endsWith(".") ? "dump" : "csv")).rejects.toMatchObject({
      code,
      ...(hint === undefined ? {} : { hint }),
    });
  });
});

describe("a dump", () => {
  afterEach(() => query(server.url("postgres"), "drop database if exists again"));

  const again = (sql: string) => query(server.url("again"), sql);

  test("of a table puts it back with indexes, constraints, trigger, grants and the sequence that it owns", async () => {
    const { bytes } = await take("bench/orders", "dump");
    await query(server.url("postgres"), "create database again");
    await again("create function stamp() returns trigger language plpgsql as 'begin return new; end'");
    await putBack(bytes, "again");
    expect(await csvOf("again", "orders")).toBe(before["orders"]);
    expect(await again("select count(*)::int as n from pg_indexes where tablename = 'orders'")).toEqual([{ n: 2 }]);
    expect(await again("select tgname as name from pg_trigger where not tgisinternal")).toEqual([{ name: "stamp" }]);
    expect(await again("select has_table_privilege('reader', 'orders', 'select') as may")).toEqual([{ may: true }]);
    expect(await again("insert into orders (note, total) values ('next', 1) returning id")).toEqual([{ id: 201 }]);
    await expect(again("insert into orders (note, total) values ('less', -1)")).rejects.toThrow(/check constraint/);
  });

  test("of a partitioned table has its partitions, and of a schema all tables in it", async () => {
    await query(server.url("postgres"), "create database again");
    await putBack((await take("bench/events", "dump")).bytes, "again");
    expect((await csvOf("again", "(select * from events)")).split("\n").toSorted()).toEqual(
      before["events"]?.split("\n").toSorted(),
    );
    await putBack((await take("bench/audit.", "dump")).bytes, "again");
    expect(await csvOf("again", "audit.log")).toBe(before["audit.log"]);
  });

  test("of a database has all of it, and says what a capture has no rows of", async () => {
    const { bytes, warnings, read } = await take("other", "dump");
    expect(read.map(({ name }) => Buffer.from(name).toString())).toContain(ballast.filenode);
    await query(server.url("postgres"), "create database again");
    await putBack(bytes, "again");
    expect(await withClient(server.url("again"), contentOf)).toBe(await withClient(server.url("other"), contentOf));
    expect(warnings).toEqual([]);
    expect((await take("bench", "dump")).warnings).toEqual([expect.stringContaining("public.scratch")]);
  });
});

describe("as of a moment after the capture", () => {
  test("a table is there until it was dropped", async () => {
    expect(await csv("bench/doomed", beforeDrop)).toBe(before["doomed"]);
    await expect(csv("bench/doomed", afterDrop)).rejects.toMatchObject({ code: "point.unknown" });
    expect(await csv("bench/public.orders", afterDrop)).toBe("id,note,body,total\n");
  });

  test("it has what was emptied and filled again, made, renamed and rewritten since", async () => {
    expect(await csv("bench/public.refilled", beforeDrop)).toBe(
      `n\n${Array.from({ length: 10 }, (_, at) => `${5001 + at}\n`).join("")}`,
    );
    expect(await csv("bench/latest", beforeDrop)).toBe("n\n1\n2\n3\n4\n5\n6\n7\n");
    expect(await csv("bench/audit.log", beforeDrop)).toBe(before["audit.log"]);
  });

  test("what the capture's own catalogs do not tell is read in a second attempt", async () => {
    const { bytes, attempts } = await take("bench/second_name", "csv", beforeDrop);
    expect({ text: bytes.toString(), attempts }).toEqual({ text: "n\n1\n2\n3\n", attempts: 2 });
  });

  test("a database that was copied from another since needs that one", async () => {
    expect(await csv("young/public.ballast", beforeDrop)).toBe(await csvOf("other", "ballast"));
    await expect(csv("yong/fresh", beforeDrop)).rejects.toMatchObject({ code: "point.unknown" });
  });

  test("a log that cannot be read is said by what the vault says", async () => {
    const logs = archivedLog(archiveOf(server), { refuse: () => true });
    await expect(csv("bench/orders", { ...beforeDrop, logs })).rejects.toMatchObject({ code: "vault.damaged" });
  });
});

describe("the temporary server", () => {
  test("needs room, which is asked for before anything is made", async ({ skip }) => {
    skip(process.getuid?.() !== 0, "only root may mount a small tmpfs");
    const small = join(folder.path, "small");
    await mkdir(small, { recursive: true });
    await execa("mount", ["-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", small]);
    vi.stubEnv("TMPDIR", small);
    try {
      await expect(take("bench/orders")).rejects.toMatchObject({
        code: "target.failed",
        message: expect.stringMatching(`in ${small}, where .* are free$`),
        hint: expect.stringContaining("TMPDIR"),
      });
      expect(await readdir(small)).toEqual([]);
    } finally {
      vi.stubEnv("TMPDIR", temporary);
      await execa("umount", [small]);
      await rm(small, { recursive: true });
    }
  });

  test("ends at once when nobody wants it any more", async () => {
    const abort = new AbortController();
    const tree = await vault.openTree(captured.snapshot);
    const request = {
      name: "bench/orders",
      form: "csv",
      replay: null,
      warn: () => undefined,
      stage: (what: string) => {
        if (what.startsWith("replaying")) abort.abort(new Error("enough"));
      },
    } as const;
    const bytes = clusterExcerpts.take({ ...context, signal: abort.signal }, { tree, captured }, request);
    await expect(bytes[Symbol.asyncIterator]().next()).rejects.toThrow("enough");
    // A reader that leaves early.
    for await (const piece of clusterExcerpts.take(
      context,
      { tree, captured },
      { ...request, stage: () => undefined },
    )) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
  });
});
