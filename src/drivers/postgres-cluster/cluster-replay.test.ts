/** Going on from a captured cluster by its log: to a position, to the end, over many files, with a log that fails. The log is the server's own archive. */
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { bytesBefore, positionAfter } from "../../core/logs/log-position.ts";
import type { InstanceTarget, Replay } from "../../core/ports/driver.ts";
import type { LogReader } from "../../core/ports/vault-logs.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { RefloatError } from "../../model/refloat-error.ts";
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
import { segmentName } from "./log-feed.ts";
import { logStartOf } from "./log-line.ts";

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

const segmentBytes = 16 * 1_048_576;

let server: PostgresServer;
let folder: TestFolder;
let context: ClusterContext;
let vault: Repository;
let captured: CapturedComponent;
let instance: InstanceTarget;
let archive: string;

type Faults = {
  readonly refuse?: (segment: bigint) => boolean;
  /** Position in bytes whose byte is another one than was written. */
  readonly flip?: bigint;
};

/** The archive of the server as the vault would read it: any bytes of one line, in pieces. */
const archivedLog = ({ refuse = () => false, flip }: Faults = {}): LogReader => ({
  spans: [],
  history: async () => null,
  read: async function* read(_line, from, to) {
    const end = bytesBefore(to);
    for (let at = bytesBefore(from); at < end;) {
      const segment = at / BigInt(segmentBytes);
      if (refuse(segment)) throw new RefloatError("vault.damaged", "a piece of the log is damaged");
      const offset = Number(at % BigInt(segmentBytes));
      const length = Math.min(1_000_000, segmentBytes - offset, Number(end - at));
      const file = await open(join(archive, segmentName(1, segment, segmentBytes)));
      const piece = Buffer.alloc(length);
      await file.read(piece, 0, length, offset);
      await file.close();
      const flipped = flip === undefined ? -1 : Number(flip - at);
      if (flipped >= 0 && flipped < length) piece.writeUInt8(piece.readUInt8(flipped) ^ 1, flipped);
      yield piece;
      at += BigInt(length);
    }
  },
});

const replayTo = (to: string, logs = archivedLog()): Replay => ({
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

/** Everything that was written so far is in the archive. */
const archiveAll = async (): Promise<string> => {
  const [row] = await query<{ name: string; lsn: string }>(
    server.url("postgres"),
    "select pg_walfile_name(lsn) as name, lsn::text as lsn from (select pg_switch_wal() as lsn) switched",
  );
  await query(server.url("postgres"), "checkpoint");
  await expect.poll(() => readdir(archive), { timeout: 60_000 }).toContain(row?.name);
  return row?.lsn ?? "";
};

const orders = (): Promise<number> =>
  withServerOf(context, instance.name, "postgres", async (client) => {
    const { rows } = await client.query<{ n: number }>("select count(*)::int as n from orders");
    return rows[0]?.n ?? -1;
  });

beforeEach(async () => {
  folder = await createTestFolder("refloat-cluster");
  server = await startPostgresServer({
    settings: {
      archive_mode: "on",
      archive_command: "mkdir -p ../archive && cp %p ../archive/%f",
      max_wal_size: "2GB",
    },
  });
  archive = join(server.directory, "archive");
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
    const end = await archiveAll();
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
    await archiveAll();
    const within = positionAfter(bytesBefore(before) + 20_000n);
    await restore(replayTo(within));
    expect(await orders()).toBe(10);
    const outcomes = await clusterDriver.instances.validate(context, instance, captured.facts, replayTo(within));
    expect(outcomes.filter(({ status }) => status !== "passed")).toEqual([]);
    await clusterDriver.instances.drop(context, instance);
    await expect(restore(replayTo(after, archivedLog({ flip: bytesBefore(within) })))).rejects.toMatchObject({
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
    await archiveAll();
    await restore(replayTo(wanted));
    expect(await orders()).toBe(10);
    const outcomes = await clusterDriver.instances.validate(context, instance, captured.facts, replayTo(wanted));
    expect(outcomes.filter(({ status }) => status !== "passed")).toEqual([]);
  });

  test("fails with what the vault says when a part of the log cannot be read", async () => {
    await insert(1, 10);
    await archiveAll();
    await insert(11, 20);
    const end = await archiveAll();
    const { endLsn } = capturedDetailSchema.parse(captured.facts.detail);
    const damaged = bytesBefore(endLsn) / BigInt(segmentBytes) + 2n;
    await expect(
      restore(replayTo(end, archivedLog({ refuse: (segment) => segment === damaged }))),
    ).rejects.toMatchObject({
      code: "vault.damaged",
    });
    expect(await clusterDriver.instances.inspect(context, instance)).toBe("partial");
  });

  test("refuses a log of another line", async () => {
    const end = await archiveAll();
    await expect(restore({ ...replayTo(end), line: "1/7" })).rejects.toMatchObject({ code: "plan.impossible" });
  });
});
