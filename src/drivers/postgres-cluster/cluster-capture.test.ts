/** Captures of clusters that are written to, with tablespaces, without rights, and cut off in the middle. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, lstat, mkdir, open, readFile, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Repository } from "../../core/ports/vault.ts";
import type { CaptureSink, TreeReceipt } from "../../core/ports/vault-snapshots.ts";
import {
  captureClusterInto,
  clusterContext,
  clusterDriver,
  contentOf,
  createVault,
  dataOf,
  withServerOf,
} from "../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { createPageCheck } from "../../platform/postgres/page-checksum.ts";
import { query, withClient } from "../../testing/query.ts";
import type { ClusterContext } from "./cluster-options.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const target = (name: string, run = 42) => ({ name, run, runUid: "0b8f2f3e-1111-4222-8333-444455556666" });

let server: PostgresServer;
let folder: TestFolder;
let context: ClusterContext;
/** By a role for which the server has to send its files. */
let sent: ClusterContext;
let vault: Repository;

beforeAll(async () => {
  server = await startPostgresServer({ settings: { max_wal_size: "1GB" }, pageChecksums: true });
  await query(server.url("postgres"), "create database bank");
  await query(
    server.url("bank"),
    "create role sender login replication; grant pg_read_all_settings, pg_read_all_stats, pg_read_all_data to sender",
  );
  await execa(join(server.binaries, "pgbench"), ["-i", "-q", "-s", "4", server.url("bank")]);
});
afterAll(() => server.stop());
beforeEach(async () => {
  folder = await createTestFolder("refloat-cluster");
  context = await clusterContext(server, folder.path);
  sent = await clusterContext(server, folder.path, { more: { url: server.url("postgres", "sender") } });
  vault = await createVault(folder.path);
});
afterEach(async () => {
  await clusterDriver.instances.drop(context, target(await clusterDriver.instances.name(context, 42)));
  await vault.close();
  await folder.remove();
});

/** What the vault has of each folder that was read here, by its place in the snapshot. */
const tellTrees =
  (receipts: Map<string, TreeReceipt>) =>
  (sink: CaptureSink): CaptureSink => ({
    ...sink,
    tree: async (path, rules, signal, progress) => {
      const receipt = await sink.tree(path, rules, signal, progress);
      receipts.set(receipt.path, receipt);
      return receipt;
    },
  });

const ways = [
  ["read from its folder", () => context],
  ["sent by its server", () => sent],
] as const;

describe("a capture", () => {
  test.each(ways)("%s is one moment of a cluster that is written to all the while", async (way, contextOf) => {
    const load = spawn(join(server.binaries, "pgbench"), ["-c", "4", "-T", "60", "-n", server.url("bank")], {
      stdio: "ignore",
    });
    const ended = once(load, "exit");
    const receipts = new Map<string, TreeReceipt>();
    const captured = await captureClusterInto(contextOf(), vault, tellTrees(receipts));
    load.kill();
    await ended;
    expect(receipts.has("/db/data/base")).toBe(way === "read from its folder");
    expect(captured.consistency).toBe("snapshot");
    expect(captured.warnings).toEqual([]);
    const instance = target(await clusterDriver.instances.name(context, 42));
    await clusterDriver.instances.restore(context, instance, await vault.openSnapshot(captured.snapshot), captured);
    const outcomes = await clusterDriver.instances.validate(context, instance, captured.facts);
    expect(outcomes.filter(({ status }) => status !== "passed")).toEqual([]);
    const [sums] = await withServerOf(context, instance.name, "bank", async (client) => {
      const { rows } = await client.query<Record<string, string>>(
        `select (select sum(abalance) from pgbench_accounts)::text as accounts, (select sum(bbalance) from pgbench_branches)::text as branches,
                (select sum(tbalance) from pgbench_tellers)::text as tellers, coalesce((select sum(delta) from pgbench_history), 0)::text as history,
                (select count(*) > 0 from pgbench_history)::text as written`,
      );
      return rows;
    });
    expect(sums).toEqual({
      accounts: sums?.["history"],
      branches: sums?.["history"],
      tellers: sums?.["history"],
      history: sums?.["history"],
      written: "true",
    });
    // What came after the point is counted by the server.
    const since = captured.facts.position;
    if (since === undefined) throw new Error("a point of a cluster has a position");
    await query(
      server.url("bank"),
      "insert into pgbench_history (tid, bid, aid, delta) select 1, 1, 1, 0 from generate_series(1, 500)",
    );
    const written = await clusterDriver.writes?.writesSince(context, { location: null, since });
    expect(written?.units.find(({ name }) => name === "bank")?.added).toBeGreaterThanOrEqual(500);
    expect(written?.gaps.join()).toContain("of log were written");
  });

  test.each(ways)(
    "%s holds tablespaces, which are restored beside their live places and go with the instance",
    async (_way, contextOf) => {
      const place = join(server.directory, "fast");
      await mkdir(place, { mode: 0o700 });
      const { uid, gid } = await stat(dataOf(server));
      await chown(place, uid, gid);
      await query(server.url("postgres"), `create tablespace fast location '${place}'`);
      await query(
        server.url("bank"),
        "create table t (v text) tablespace fast; insert into t select 'row ' || n from generate_series(1, 5000) n",
      );
      const live = await withServerOf(context, dataOf(server), "bank", contentOf);
      const captured = await captureClusterInto(contextOf(), vault);
      const instance = target(await clusterDriver.instances.name(context, 42));
      await clusterDriver.instances.restore(context, instance, await vault.openSnapshot(captured.snapshot), captured);
      expect(await withServerOf(context, instance.name, "bank", contentOf)).toBe(live);
      expect(await readdir(`${place}.r42`)).toHaveLength(1);
      await clusterDriver.instances.drop(context, instance);
      expect((await readdir(server.directory)).filter((name) => name.includes(".r42"))).toEqual([]);
      expect(await withServerOf(context, dataOf(server), "bank", contentOf)).toBe(live);
      await query(server.url("bank"), "drop table t");
      await query(server.url("postgres"), "drop tablespace fast");
      await rm(place, { recursive: true });
    },
  );

  test("whose server forgets the backup while its files are read fails, and leaves no slot behind", async () => {
    const cutting = (sink: CaptureSink): CaptureSink => ({
      ...sink,
      tree: async (...asked) => {
        await query(
          server.url("postgres"),
          "select pg_terminate_backend(active_pid) from pg_replication_slots where temporary",
        );
        return sink.tree(...asked);
      },
    });
    await expect(captureClusterInto(context, vault, cutting)).rejects.toMatchObject({ code: "source.unreachable" });
    expect(await vault.snapshots()).toEqual([]);
    await expect
      .poll(() => query(server.url("postgres"), "select slot_name from pg_replication_slots"), { timeout: 60_000 })
      .toEqual([]);
  });

  test("takes over files that rest, and none from before the server was started", async () => {
    await query(server.url("bank"), "create table few (n int); checkpoint");
    // Longer than the rest that is asked for.
    await setTimeout(2_500);
    const first = await captureClusterInto(context, vault);
    await query(server.url("bank"), "insert into few select generate_series(1, 1000)");
    const receipts = new Map<string, TreeReceipt>();
    const second = await captureClusterInto(context, vault, tellTrees(receipts));
    const { files = 0, unchangedFiles = 0 } = receipts.get("/db/data/base") ?? {};
    expect(unchangedFiles).toBeGreaterThan(500);
    expect(unchangedFiles).toBeLessThan(files);
    expect(second.facts.counts["files"]).toBeGreaterThanOrEqual(first.facts.counts["files"] ?? Number.NaN);
    const instance = target(await clusterDriver.instances.name(context, 42));
    await clusterDriver.instances.restore(context, instance, await vault.openSnapshot(second.snapshot), second);
    expect(await withServerOf(context, instance.name, "bank", contentOf)).toBe(
      await withServerOf(context, dataOf(server), "bank", contentOf),
    );
    await server.crash();
    await server.start();
    await captureClusterInto(context, vault, tellTrees(receipts));
    expect(receipts.get("/db/data/base")?.unchangedFiles).toBe(0);
    await query(server.url("bank"), "drop table few");
  });

  test("has nothing that a server makes anew, and no link out of the data folder", async () => {
    const stray = join(dataOf(server), "logs");
    await symlink(folder.path, stray);
    await query(server.url("bank"), "create unlogged table seen as select generate_series(1, 50000) as n");
    const [row] = await query<{ path: string }>(server.url("bank"), "select pg_relation_filepath('seen') as path");
    const captured = await captureClusterInto(context, vault);
    await rm(stray);
    expect(captured.warnings.join()).toContain("unlogged tables are empty");
    const reader = await vault.openSnapshot(captured.snapshot);
    const paths = new Set<string>();
    for await (const { path } of reader.list("/db", { recursive: true })) paths.add(path.replace("/db/data/", ""));
    expect(paths.has(`${row?.path}_init`)).toBe(true);
    const gone = [row?.path ?? "", "logs", "postmaster.pid", "postmaster.opts"];
    expect(gone.filter((path) => paths.has(path))).toEqual([]);
    const kept = ["backup_label", "global/pg_control", "PG_VERSION", "postgresql.conf"];
    expect(kept.filter((path) => !paths.has(path))).toEqual([]);
    expect([...paths].filter((path) => /^pg_(?:notify|stat_tmp|subtrans)\/./.test(path))).toEqual([]);
    const instance = target(await clusterDriver.instances.name(context, 42));
    await clusterDriver.instances.restore(context, instance, reader, captured);
    const [seen] = await withServerOf(context, instance.name, "bank", async (client) => {
      const { rows } = await client.query<{ n: number }>("select count(*)::int as n from seen");
      return rows;
    });
    expect(seen).toEqual({ n: 0 });
    await query(server.url("bank"), "drop table seen");
  });

  test("does not take what has no checksums for pages that are spoilt: those who lock a row together", async () => {
    await query(
      server.url("bank"),
      `create table shared (id int primary key); insert into shared values (1);
       do $$ begin for n in 1..66000 loop begin insert into shared values (-n); exception when unique_violation then null; end; end loop; end $$`,
    );
    await withClient(server.url("bank"), async (one) =>
      withClient(server.url("bank"), async (two) => {
        for (const client of [one, two]) await client.query("begin; select from shared where id = 1 for key share");
        for (const client of [one, two]) await client.query("commit");
      }),
    );
    await query(server.url("bank"), "checkpoint");
    const members = await readFile(join(dataOf(server), "pg_multixact/members/0000"));
    const check = createPageCheck({ startLsn: 1n << 40n, pageBytes: 8192, segmentPages: 131_072 }, "0000");
    expect(check?.(members, 0, (at, bytes) => members.subarray(at, at + bytes))).toBe(0);
    await captureClusterInto(context, vault);
    await query(server.url("bank"), "drop table shared");
  });

  test("of a folder in which another server runs is none", async () => {
    const other = await startPostgresServer();
    try {
      const mistaken = await clusterContext(server, folder.path, { more: { data: dataOf(other) } });
      await expect(captureClusterInto(mistaken, vault)).rejects.toMatchObject({
        code: "source.failed",
        message: `${dataOf(other)} is not the data folder of the server that answers`,
      });
      const { findings } = await clusterDriver.preflight(mistaken);
      expect(findings.find(({ subject }) => subject === "how files are read")).toMatchObject({ ok: false });
    } finally {
      await other.stop();
    }
  });

  test("refuses data behind a link, which a copy would lack, and has what else people link to", async () => {
    const database = join(dataOf(server), "base/99999");
    await symlink(folder.path, database);
    await expect(captureClusterInto(context, vault)).rejects.toMatchObject({
      code: "source.unsupported",
      message: `${database} is a link: what lies behind it is in no base backup`,
    });
    await rm(database);
    const aside = join(server.directory, "aside");
    await mkdir(aside);
    for (const name of ["pg_stat_tmp", "postgresql.conf"]) {
      await rename(join(dataOf(server), name), join(aside, name));
      await symlink(join(aside, name), join(dataOf(server), name));
    }
    const captured = await captureClusterInto(context, vault);
    const instance = target(await clusterDriver.instances.name(context, 42));
    await clusterDriver.instances.restore(context, instance, await vault.openSnapshot(captured.snapshot), captured);
    expect((await lstat(join(instance.name, "pg_stat_tmp"))).isDirectory()).toBe(true);
    expect(await readFile(join(instance.name, "postgresql.conf"), "utf8")).toBe(
      await readFile(join(aside, "postgresql.conf"), "utf8"),
    );
    for (const name of ["pg_stat_tmp", "postgresql.conf"]) {
      await rm(join(dataOf(server), name));
      await rename(join(aside, name), join(dataOf(server), name));
    }
  });

  test("sent by its server is refused where that leaves data out, and names what else it does not send", async () => {
    const database = join(dataOf(server), "base/99999");
    await symlink(folder.path, database);
    await query(server.url("postgres"), "alter role sender set client_min_messages = error");
    await expect(captureClusterInto(sent, vault)).rejects.toMatchObject({
      code: "source.unsupported",
      message: "base/99999 of the data folder is a link, or no plain file: what lies behind it is in no base backup",
      state: "no point was made",
    });
    await rm(database);
    expect(await vault.snapshots()).toEqual([]);
    const aside = join(server.directory, "aside");
    await mkdir(aside, { recursive: true });
    for (const name of ["pg_stat_tmp", "postgresql.conf"]) {
      await rename(join(dataOf(server), name), join(aside, name));
      await symlink(join(aside, name), join(dataOf(server), name));
    }
    const { warnings } = await captureClusterInto(sent, vault);
    expect(warnings.filter((warning) => warning.includes("links and special files"))).toEqual([
      "links and special files of the data folder are not in the point, since the server does not send them: postgresql.conf",
    ]);
    for (const name of ["pg_stat_tmp", "postgresql.conf"]) {
      await rm(join(dataOf(server), name));
      await rename(join(aside, name), join(dataOf(server), name));
    }
  });

  test.each(ways)("%s finds a page that the disk has spoilt", async (_way, contextOf) => {
    await query(server.url("bank"), "create table spoilt as select generate_series(1, 100000) as n; checkpoint");
    const [row] = await query<{ path: string }>(server.url("bank"), "select pg_relation_filepath('spoilt') as path");
    const file = await open(join(dataOf(server), row?.path ?? ""), "r+");
    await file.write(Buffer.from("spoilt"), 0, 6, 5 * 8192 + 4000);
    await file.close();
    await expect(captureClusterInto(contextOf(), vault)).rejects.toMatchObject({ code: "source.failed" });
    expect(await vault.snapshots()).toEqual([]);
    await query(server.url("bank"), "drop table spoilt");
  });

  test("that loses its connection in the middle fails, and leaves no slot and no sender behind", async () => {
    const cutting = (sink: CaptureSink): CaptureSink => ({
      ...sink,
      bytes: async (path, content) => {
        if (path.includes("/base/"))
          await query(
            server.url("postgres"),
            "select pg_terminate_backend(pid) from pg_stat_replication where state = 'backup'",
          );
        return sink.bytes(path, content);
      },
    });
    await expect(captureClusterInto(sent, vault, cutting)).rejects.toMatchObject({ code: "source.unreachable" });
    expect(await vault.snapshots()).toEqual([]);
    await expect
      .poll(
        async () => {
          const [left] = await query<{ slots: number; senders: number }>(
            server.url("postgres"),
            "select (select count(*)::int from pg_replication_slots) as slots, (select count(*)::int from pg_stat_replication) as senders",
          );
          return left;
        },
        { timeout: 60_000 },
      )
      .toEqual({ slots: 0, senders: 0 });
  });

  test("stops when the vault fails, and when it is aborted", async () => {
    const failure = new Error("the vault is full");
    await expect(
      captureClusterInto(context, vault, (sink) => ({
        ...sink,
        bytes: async () => {
          throw failure;
        },
      })),
    ).rejects.toBe(failure);
    const stopping = new AbortController();
    const reason = new Error("the operator has changed his mind");
    await expect(
      captureClusterInto({ ...context, signal: stopping.signal }, vault, (sink) => ({
        ...sink,
        bytes: async (path, content) => {
          stopping.abort(reason);
          return sink.bytes(path, content);
        },
      })),
    ).rejects.toBe(reason);
  });

  test("is preceded by a look at everything that it needs", async () => {
    const { findings, commands } = await clusterDriver.preflight(context);
    expect(findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(commands.join("\n")).toContain("pg_backup_start");
    expect((await clusterDriver.preflight(sent)).commands.join("\n")).toContain("BASE_BACKUP");
    const elsewhere = await clusterContext(server, folder.path, { more: { data: "/nowhere/data" } });
    const missing = (await clusterDriver.preflight(elsewhere)).findings.filter(({ ok }) => !ok);
    expect(missing.map(({ subject }) => subject)).toContain("/nowhere/data");
  });
});
