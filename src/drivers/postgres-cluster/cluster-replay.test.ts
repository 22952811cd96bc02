/** Going on from a captured cluster by its log: to a position, to the end, over many files, with a log that fails. The log is the server's own archive. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { InstanceTarget, Replay } from "../../core/ports/driver.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { archiveAll, archiveOf, archivedLog, archiving, segmentBytes } from "../../testing/archived-log.ts";
import {
  captureClusterInto,
  clusterContext,
  clusterDriver,
  createVault,
  withServerOf,
} from "../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { capturedDetailSchema } from "./cluster-facts.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { logStartOf } from "./log-line.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: PostgresServer;
let folder: TestFolder;
let context: ClusterContext;
let vault: Repository;
let captured: CapturedComponent;
let instance: InstanceTarget;
let archive: string;

const replayTo = (to: string, logs = archivedLog(archive)): Replay => ({
  logs,
  line: logStartOf(captured).line,
  to,
  at: "2026-01-01T00:00:00.000Z",
});

const restore = async (replay: Replay) =>
  clusterDriver.instances.restore(context, instance, await vault.openSnapshot(captured.snapshot), captured, replay);

const insert = async (from: number, to: number): Promise<string> => {
  await query(server.url("postgres"), `insert into orders select n from generate_series(${from}, ${to}) n`);
  const [row] = await query<{ lsn: string }>(server.url("postgres"), "select pg_current_wal_insert_lsn()::text as lsn");
  return row?.lsn ?? "";
};

const orders = (): Promise<number> =>
  withServerOf(context, instance.name, "postgres", async (client) => {
    const { rows } = await client.query<{ n: number }>("select count(*)::int as n from orders");
    return rows[0]?.n ?? -1;
  });

beforeEach(async () => {
  folder = await createTestFolder("refloat-cluster");
  server = await startPostgresServer({ settings: { ...archiving, max_wal_size: "2GB" } });
  archive = archiveOf(server);
  await query(server.url("postgres"), "create table orders (id int)");
  context = await clusterContext(server, folder.path);
  vault = await createVault(folder.path);
  captured = await captureClusterInto(context, vault);
  instance = {
    name: await clusterDriver.instances.name(context, 42),
    run: 42,
    runUid: "0b8f2f3e-1111-4222-8333-444455556666",
  };
});
afterEach(async () => {
  await clusterDriver.instances.drop(context, instance);
  await server.stop();
  await vault.close();
  await folder.remove();
});

describe("a restore by the log", () => {
  test("goes exactly to a position between two commits, and to the end", async () => {
    const wanted = await insert(1, 10);
    await insert(11, 20);
    const end = await archiveAll(server);
    const report = await restore(replayTo(wanted));
    expect(report.summary).toContain(`as of ${wanted}`);
    expect(await orders()).toBe(10);
    const outcomes = await clusterDriver.instances.validate(context, instance, captured.facts, replayTo(wanted));
    expect(outcomes.filter(({ status }) => status !== "passed")).toEqual([]);
    await clusterDriver.instances.drop(context, instance);
    await restore(replayTo(end));
    expect(await orders()).toBe(20);
  });

  test("has all of a log that ends within a record, and tells one that cannot be replayed from it", async () => {
    const before = await insert(1, 10);
    await query(server.url("postgres"), "select pg_logical_emit_message(true, 'wide', repeat('y', 40000))");
    const after = await insert(11, 20);
    await archiveAll(server);
    const within = positionAfter(bytesBefore(before) + 20_000n);
    await restore(replayTo(within));
    expect(await orders()).toBe(10);
    const outcomes = await clusterDriver.instances.validate(context, instance, captured.facts, replayTo(within));
    expect(outcomes.filter(({ status }) => status !== "passed")).toEqual([]);
    await clusterDriver.instances.drop(context, instance);
    await expect(restore(replayTo(after, archivedLog(archive, { flip: bytesBefore(within) })))).rejects.toMatchObject({
      code: "log.damaged",
      message: expect.stringMatching(/^the server has replayed the log only up to 0\/[0-9A-F]+, and it goes on to /),
    });
    expect(await clusterDriver.instances.inspect(context, instance)).toBe("partial");
  });

  test("reads many files ahead of need, and never more than a few", async () => {
    await query(server.url("postgres"), "create table padding (v text)");
    for (let round = 0; round < 12; round += 1) {
      await query(
        server.url("postgres"),
        "insert into padding select repeat(md5(n::text), 40) from generate_series(1, 14000) n; select pg_switch_wal()",
      );
    }
    await query(server.url("postgres"), "create database later");
    const wanted = await insert(1, 10);
    await insert(11, 20);
    await archiveAll(server);
    await restore(replayTo(wanted));
    expect(await orders()).toBe(10);
    const outcomes = await clusterDriver.instances.validate(context, instance, captured.facts, replayTo(wanted));
    expect(outcomes.filter(({ status }) => status !== "passed")).toEqual([]);
  });

  test("fails with what the vault says when a part of the log cannot be read", async () => {
    await insert(1, 10);
    await archiveAll(server);
    await insert(11, 20);
    const end = await archiveAll(server);
    const { endLsn } = capturedDetailSchema.parse(captured.facts.detail);
    const damaged = bytesBefore(endLsn) / BigInt(segmentBytes) + 2n;
    await expect(
      restore(replayTo(end, archivedLog(archive, { refuse: (segment) => segment === damaged }))),
    ).rejects.toMatchObject({
      code: "vault.damaged",
    });
    expect(await clusterDriver.instances.inspect(context, instance)).toBe("partial");
  });

  test("refuses a log of another line", async () => {
    const end = await archiveAll(server);
    await expect(restore({ ...replayTo(end), line: "1/7" })).rejects.toMatchObject({ code: "plan.impossible" });
  });
});
