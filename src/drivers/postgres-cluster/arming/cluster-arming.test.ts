/** A recovered cluster is armed again, item by item, by a role that may do no more than capture: archive, subscriptions, jobs, libraries. */
import { mkdir, readFile, readdir } from "node:fs/promises";
import { chmod } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ArmRequest } from "../../../core/ports/arming.ts";
import type { Exchange, InstanceTarget } from "../../../core/ports/driver.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import { pathExists } from "../../../platform/tree-files.ts";
import {
  captureClusterInto,
  clusterContext,
  clusterDriver,
  createVault,
  dataOf,
} from "../../../testing/cluster-bench.ts";
import type { ClusterOrder } from "../../../testing/cluster-child.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { findFreePort } from "../../../testing/free-port.ts";
import { type PostgresServer, startPostgresServer } from "../../../testing/postgres-server.ts";
import { query } from "../../../testing/query.ts";
import type { ClusterContext } from "../cluster-options.ts";
import { findPostmaster, startPostmaster, stopPostmaster } from "../postmaster.ts";
import { disarmRecordName } from "../../../platform/folder-server/disarm-record.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const { instances, switching, arming } = clusterDriver;
if (arming === undefined) throw new Error("a cluster is armed");

let server: PostgresServer;
let publisher: PostgresServer;
let folder: TestFolder;
let context: ClusterContext;
let vault: Repository;
let instance: InstanceTarget;
let exchange: Exchange;

const secret = "hunter2";

const request = (items: readonly string[], more: Partial<ArmRequest> = {}): ArmRequest => ({
  items,
  archiveCommand: null,
  outgoing: exchange.outgoing,
  ...more,
});

const names = async (): Promise<readonly string[]> => (await arming.disarmed(context)).map(({ name }) => name);

const archiveInto = (place: string): string => `PGPASSWORD=${secret} cp %p ${join(folder.path, place)}/%f`;

const setting = async (name: string): Promise<string> => {
  const [row] = await query(server.url("postgres"), `select current_setting('${name}') as value`);
  return (row as { value: string }).value;
};

beforeAll(async () => {
  folder = await createTestFolder("refloat-arming");
  await chmod(folder.path, 0o755);
  for (const place of ["old", "new"]) {
    await mkdir(join(folder.path, place));
    await chmod(join(folder.path, place), 0o777);
  }
  publisher = await startPostgresServer({ settings: { wal_level: "logical" } });
  await query(
    publisher.url("postgres"),
    "create table a (id int primary key); create table b (id int primary key); create publication p for all tables",
  );
  server = await startPostgresServer({
    settings: {
      wal_level: "logical",
      archive_mode: "on",
      archive_command: archiveInto("old"),
      shared_preload_libraries: "pg_stat_statements, pg_cron",
      "cron.host": "127.0.0.1",
    },
  });
  await query(
    server.url("postgres"),
    "create role keeper login replication; grant pg_read_all_settings, pg_read_all_stats to keeper",
  );
  await query(server.url("postgres"), "create database shop");
  await query(server.url("postgres"), "create extension pg_cron");
  await query(
    server.url("postgres"),
    "select cron.schedule('nightly', '0 3 * * *', 'select 1'), cron.schedule('weekly', '0 4 * * 0', 'select 2')",
  );
  await query(server.url("shop"), "create table a (id int primary key); create table b (id int primary key)");
  for (const name of ["in_a", "in_b"])
    await query(
      server.url("shop"),
      `create subscription ${name} connection 'host=127.0.0.1 port=${publisher.port} user=postgres dbname=postgres' publication p with (copy_data = false)`,
    );
  await query(server.url("shop"), "alter subscription in_b disable; alter subscription in_b enable");
  context = await clusterContext(server, folder.path, { more: { url: server.url("postgres", "keeper") } });
  vault = await createVault(folder.path);
  const captured = await captureClusterInto(context, vault);
  instance = { name: await instances.name(context, 42), run: 42, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };
  exchange = { incoming: instance.name, outgoing: await instances.retiredName(context, 42) };
  await instances.restore(context, instance, await vault.openSnapshot(captured.snapshot), captured);
  await switching.exchange(context, exchange, await switching.observe(context, exchange));
});
afterAll(async () => {
  for (const path of [instance?.name, exchange?.outgoing].filter((one) => one !== undefined))
    if ((await pathExists(path)) && (await findPostmaster(path)) !== null) await stopPostmaster(context, path);
  await server.stop();
  await publisher.stop();
  await vault.close();
  await folder.remove();
});

test("what is off is recorded exactly, with what it was and without secrets", async () => {
  const items = await arming.disarmed(context);
  expect(items.map(({ name }) => name)).toEqual([
    "archive",
    "libraries",
    "subscription:shop/in_a",
    "subscription:shop/in_b",
    "cron:postgres/1",
    "cron:postgres/2",
  ]);
  expect(items[0]?.was).toBe(
    `archive_mode = 'on', archive_command = 'PGPASSWORD=*** cp %p ${join(folder.path, "old")}/%f'`,
  );
  expect(items[1]?.was).toBe("shared_preload_libraries = 'pg_stat_statements, pg_cron'");
  expect(items[4]?.was).toBe('active, "nightly", at 0 3 * * *');
  expect(await readFile(join(dataOf(server), disarmRecordName), "utf8")).not.toContain(secret);
});

test("what cannot be armed as it was stays off, and says why", async () => {
  const proposal = await arming.propose(context, request(await names()));
  expect(proposal.items.map(({ name }) => name)).toEqual([
    "libraries",
    "subscription:shop/in_a",
    "subscription:shop/in_b",
    "cron:postgres/1",
    "cron:postgres/2",
  ]);
  expect(proposal.stays).toEqual([
    expect.objectContaining({ name: "archive", why: expect.stringContaining("the log of the old history") as string }),
  ]);
  expect(proposal.takes).toEqual([`the server of ${dataOf(server)} is stopped and started: its sessions end`]);
  const jobAlone = await arming.propose(context, request(["cron:postgres/1"]));
  expect(jobAlone.stays[0]?.why).toBe("pg_cron is not loaded: arm libraries with it");
  await expect(
    arming.propose(context, request(["archive"], { archiveCommand: archiveInto("old") })),
  ).rejects.toMatchObject({
    code: "arming.refused",
    message: expect.stringContaining("into one place: PGPASSWORD=*** cp") as string,
  });
  await expect(arming.propose(context, request(["event:cleanup"]))).rejects.toMatchObject({ code: "usage" });
});

test("is refused while the old side runs", async () => {
  await startPostmaster(context, exchange.outgoing, {
    options: `-p ${await findFreePort()} -c unix_socket_directories='' -c shared_preload_libraries=''`,
    log: join(exchange.outgoing, "log"),
  });
  await expect(arming.propose(context, request(["libraries"]))).rejects.toMatchObject({
    code: "arming.refused",
    message: expect.stringContaining(`serves ${exchange.outgoing}`) as string,
  });
  await stopPostmaster(context, exchange.outgoing);
});

test("an archive that takes nothing is put back, and the server runs as before", async () => {
  const before = await readFile(join(dataOf(server), "postgresql.auto.conf"), "utf8");
  await expect(
    arming.arm(context, request(["archive"], { archiveCommand: `cp %p ${folder.path}/nowhere/%f` })),
  ).rejects.toMatchObject({
    code: "target.failed",
    message: "archive_command fails for 00000002.history",
    state: "all of it is off as before, and the server runs",
  });
  expect(await setting("archive_mode")).toBe("off");
  expect(await readFile(join(dataOf(server), "postgresql.auto.conf"), "utf8")).toBe(before);
  expect(await names()).toContain("archive");
});

test("archives into the new place alone, beginning with how the timeline came about", async () => {
  const oldPlace = await readdir(join(folder.path, "old"));
  const said = await arming.arm(context, request(["archive"], { archiveCommand: archiveInto("new") }));
  expect(said).toEqual(["the first file is archived: 00000002.history"]);
  await query(server.url("postgres"), "create table later (id int); select pg_switch_wal()");
  await expect
    .poll(() => readdir(join(folder.path, "new")), { timeout: 60_000 })
    .toEqual(["00000002.history", expect.stringMatching(/^00000002[0-9A-F]{16}$/)]);
  expect(await readdir(join(folder.path, "old"))).toEqual(oldPlace);
  expect(await names()).not.toContain("archive");
  // Nothing else came with it.
  expect(await setting("max_logical_replication_workers")).toBe("0");
  expect(await setting("shared_preload_libraries")).toBe("pg_stat_statements");
});

const act = async (order: ClusterOrder): Promise<void> => {
  const program = fileURLToPath(new URL("../../../testing/cluster-child.ts", import.meta.url));
  const env = { ...process.env, ORDER: JSON.stringify(order) };
  await once(spawn(process.execPath, [program], { env, stdio: "ignore" }), "exit");
};

test("one subscription receives again, finished after a kill, and the other does not come along", async () => {
  await query(publisher.url("postgres"), "insert into a values (1); insert into b values (1)");
  const wanted = request(["subscription:shop/in_a"]);
  const options = { ...context.options, start: "kill -9 $PPID" };
  await act({ act: "arm", options, folder: folder.path, request: wanted });
  expect(await findPostmaster(dataOf(server))).toBeNull();
  expect((await arming.disarmed(context)).filter(({ begun }) => begun).map(({ name }) => name)).toEqual(wanted.items);
  expect((await arming.propose(context, wanted)).takes).toEqual([
    `the server of ${dataOf(server)}, which does not run, is started`,
  ]);
  await arming.arm(context, wanted);
  await expect.poll(() => query(server.url("shop"), "select id from a"), { timeout: 60_000 }).toEqual([{ id: 1 }]);
  expect(await query(server.url("shop"), "select subname, subenabled from pg_subscription order by 1")).toEqual([
    { subname: "in_a", subenabled: true },
    { subname: "in_b", subenabled: false },
  ]);
  expect(await names()).toEqual(["libraries", "subscription:shop/in_b", "cron:postgres/1", "cron:postgres/2"]);
});

test("what is stopped switches off again what it has switched on beside what is armed already", async () => {
  const [begun, data, log] = [join(folder.path, "begun"), dataOf(server), join(server.directory, "server.log")];
  const asOwner = process.getuid?.() === 0 ? "runuser -u postgres -- " : "";
  const start = `test -e ${begun} || { touch ${begun}; sleep 100; }; ${asOwner}${join(server.binaries, "pg_ctl")} -D ${data} -s -w -l ${log} -o '-p ${server.port}' start`;
  const stopping = new AbortController();
  const reason = new Error("the operator has changed his mind");
  const stopped = { ...context, signal: stopping.signal, options: { ...context.options, start } };
  const stop = vi.waitUntil(() => pathExists(begun), { timeout: 60_000 }).then(() => stopping.abort(reason));
  await expect(arming.arm(stopped, request(["subscription:shop/in_b"]))).rejects.toBe(reason);
  await stop;
  expect(await query(server.url("shop"), "select subname, subenabled from pg_subscription order by 1")).toEqual([
    { subname: "in_a", subenabled: true },
    { subname: "in_b", subenabled: false },
  ]);
  expect(await names()).toEqual(["libraries", "subscription:shop/in_b", "cron:postgres/1", "cron:postgres/2"]);
});

test("one job runs again, the other is left off for good, and then nothing is off any more", async () => {
  await query(server.url("postgres"), "alter system set work_mem = '7MB'");
  await arming.arm(context, request(["libraries", "cron:postgres/1"]));
  expect(await setting("shared_preload_libraries")).toBe("pg_stat_statements, pg_cron");
  // A server answers before its workers run.
  await expect
    .poll(() =>
      query(server.url("postgres"), "select from pg_stat_activity where application_name = 'pg_cron scheduler'"),
    )
    .toHaveLength(1);
  expect(await query(server.url("postgres"), "select jobname, active from cron.job order by jobid")).toEqual([
    { jobname: "nightly", active: true },
    { jobname: "weekly", active: false },
  ]);
  await arming.leave(context, ["cron:postgres/2"]);
  expect(await names()).toEqual(["subscription:shop/in_b"]);
  await arming.arm(context, request(["subscription:shop/in_b"]));
  expect(await arming.disarmed(context)).toEqual([]);
  expect(await pathExists(join(dataOf(server), disarmRecordName))).toBe(false);
  const files = await readFile(join(dataOf(server), "postgresql.auto.conf"), "utf8");
  expect(files).toContain("work_mem = '7MB'");
  expect(files).not.toMatch(/max_logical_replication_workers|launch_active_jobs|primary_conninfo|# Refloat/);
  await expect(arming.propose(context, request(["archive"]))).rejects.toMatchObject({ code: "usage" });
});
