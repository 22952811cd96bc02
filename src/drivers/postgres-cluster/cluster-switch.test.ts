/** Restores and switches of clusters that are killed in the middle, refused, disarmed, repeated. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Exchange, InstanceTarget } from "../../core/ports/driver.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { readProcess, signalProcess } from "../../platform/process-table.ts";
import { pathExists } from "../../platform/tree-files.ts";
import {
  captureClusterInto,
  clusterContext,
  clusterDriver,
  createVault,
  dataOf,
  withServerOf,
} from "../../testing/cluster-bench.ts";
import type { ClusterOrder } from "../../testing/cluster-child.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import { portsIn } from "../../platform/port-range.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { refuseAnswering } from "./live-server.ts";
import { findPostmaster, readStartOptions, startPostmaster, stopPostmaster } from "./postmaster.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const never = "archive commands of a copy must not run";

/** As if libraries of another version had sorted its texts, and one of its extensions were installed elsewhere. */
const ofOtherPrograms = `
  create collation german (provider = icu, locale = 'de-DE');
  create table names (name text collate german);
  update pg_collation set collversion = '0.1' where collname = 'german';
  update pg_database set datcollversion = '0.1' where datname = 'postgres';
  create extension citext;
  update pg_extension set extname = 'elsewhere' where extname = 'citext'`;

let server: PostgresServer;
let folder: TestFolder;
let context: ClusterContext;
let captured: CapturedComponent;
let vault: Repository;
let instance: InstanceTarget;
let exchange: Exchange;

const { instances, switching } = clusterDriver;

const restore = async (run = 42) =>
  instances.restore(
    context,
    { ...instance, name: instance.name.replace(/42$/, String(run)), run },
    await vault.openSnapshot(captured.snapshot),
    captured,
  );

const orders = (location: string): Promise<number> =>
  withServerOf(context, location, "postgres", async (client) => {
    const { rows } = await client.query<{ n: number }>("select count(*)::int as n from orders");
    return rows[0]?.n ?? -1;
  });

const act = async (order: ClusterOrder) => {
  const program = fileURLToPath(new URL("../../testing/cluster-child.ts", import.meta.url));
  return spawn(process.execPath, [program], { env: { ...process.env, ORDER: JSON.stringify(order) }, stdio: "ignore" });
};

beforeEach(async () => {
  folder = await createTestFolder("refloat-cluster");
  server = await startPostgresServer({
    settings: { archive_mode: "on", archive_command: `echo '${never}' >> ${folder.path}/archived; true` },
  });
  await query(
    server.url("postgres"),
    "create table orders (id serial primary key); insert into orders select from generate_series(1, 10)",
  );
  await query(server.url("postgres"), ofOtherPrograms);
  context = await clusterContext(server, folder.path);
  vault = await createVault(folder.path);
  captured = await captureClusterInto(context, vault);
  instance = { name: await instances.name(context, 42), run: 42, runUid };
  exchange = { incoming: instance.name, outgoing: await instances.retiredName(context, 42) };
});
afterEach(async () => {
  for (const path of [instance.name, `${instance.name}.partial`, exchange.outgoing, instance.name.replace(/42$/, "43")])
    if ((await pathExists(path)) && (await findPostmaster(path)) !== null) await stopPostmaster(context, path);
  await server.stop();
  await vault.close();
  await folder.remove();
});

describe("a restore", () => {
  test("that is killed while its server starts is told as partial, stopped and dropped", async () => {
    const child = await act({
      act: "restore",
      options: context.options,
      folder: folder.path,
      target: instance,
      vault: join(folder.path, "vault"),
      captured,
    });
    const ended = once(child, "exit");
    const partial = `${instance.name}.partial`;
    await expect.poll(() => pathExists(join(partial, "postmaster.pid")), { timeout: 120_000, interval: 5 }).toBe(true);
    child.kill("SIGKILL");
    await ended;
    expect(await instances.inspect(context, instance)).toBe("partial");
    await instances.drop(context, instance);
    expect(await instances.inspect(context, instance)).toBe("absent");
    expect(await pathExists(partial)).toBe(false);
    expect(await orders(dataOf(server))).toBe(10);
    const { warnings } = await restore();
    expect(await orders(instance.name)).toBe(10);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^database postgres: its texts were sorted by collation version 0\.1, and are by .* here: REINDEX DATABASE/,
      ),
      expect.stringMatching(
        /^database postgres: sorted otherwise here than by the captured server: german \(0\.1, here [\d.]+\): REINDEX/,
      ),
      "database postgres: the programs of its extensions are not installed here: elsewhere; what needs them fails when it is used",
    ]);
  });

  test("finds no free port, and says which are declared", async () => {
    const listeners = await Promise.all(
      portsIn(context.options.ports).map(async (port) => {
        const listener = createServer().listen(port, "127.0.0.1");
        await once(listener, "listening");
        return listener;
      }),
    );
    await expect(restore()).rejects.toMatchObject({
      code: "target.failed",
      message: `none of the ports ${context.options.ports} of db is free`,
    });
    for (const listener of listeners) listener.close();
    expect(await instances.inspect(context, instance)).toBe("absent");
  });

  test("needs the programs of the version that was captured", async () => {
    const { programs: _, ...options } = context.options;
    const other = { ...captured, facts: { ...captured.facts, detail: { ...captured.facts.detail, major: 14 } } };
    await expect(
      instances.restore({ ...context, options }, instance, await vault.openSnapshot(captured.snapshot), other),
    ).rejects.toMatchObject({ code: "program.missing", nextCommand: "apt-get install postgresql-14" });
    await expect(
      instances.restore(context, instance, await vault.openSnapshot(captured.snapshot), other),
    ).rejects.toMatchObject({
      code: "program.version",
    });
  });
});

describe("a switch", () => {
  test("keeps what the old side did, disarms the new one, and is armed by hand", async () => {
    await query(server.url("postgres"), "alter system set synchronous_standby_names = 'nobody'");
    captured = await captureClusterInto(context, vault);
    await restore();
    await rm(join(folder.path, "archived"), { force: true });
    await switching.exchange(context, exchange, await switching.observe(context, exchange));
    const [settings] = await query(
      server.url("postgres"),
      "select current_setting('archive_mode') as archive, current_setting('synchronous_standby_names') as standbys, current_setting('port') as port",
    );
    expect(settings).toEqual({ archive: "off", standbys: "", port: String(server.port) });
    await query(server.url("postgres"), "insert into orders default values; select pg_switch_wal(); checkpoint");
    expect((await clusterDriver.arming?.disarmed(context))?.map(({ name }) => name)).toEqual([
      "archive",
      "synchronous",
    ]);
    const kept = join(dataOf(server), "postgresql.auto.conf.before-recovery");
    await rename(kept, join(dataOf(server), "postgresql.auto.conf"));
    await stopPostmaster(context, dataOf(server));
    expect(await pathExists(join(folder.path, "archived"))).toBe(false);
    await startPostmaster(context, dataOf(server), {
      options: `-p ${server.port}`,
      log: join(server.directory, "log"),
    });
    const [armed] = await query(server.url("postgres"), "select current_setting('archive_mode') as archive");
    expect(armed).toEqual({ archive: "on" });
  });

  test("of one point twice gives each cluster a timeline of its own", async () => {
    await restore();
    await switching.exchange(context, exchange, await switching.observe(context, exchange));
    const report = await restore(43);
    expect(report.summary).toContain("timeline 3");
    await instances.drop(context, { name: instance.name.replace(/42$/, "43"), run: 43, runUid });
    await query(server.url("postgres"), "insert into orders default values");
  });

  test("that nobody has written to since is known to be free of loss, and one that was is not", async () => {
    await restore();
    const since = await clusterDriver.writes?.position(context, instance.name);
    await switching.exchange(context, exchange, await switching.observe(context, exchange));
    if (since === undefined) throw new Error("a cluster has a ledger");
    expect(await clusterDriver.writes?.writesSince(context, { location: null, since })).toEqual({
      lastWriteAt: null,
      units: [],
      gaps: [],
    });
    await query(server.url("postgres"), "insert into orders default values");
    const written = await clusterDriver.writes?.writesSince(context, { location: null, since });
    expect(written?.units).toEqual([{ name: "postgres", added: 1, changed: 0, removed: 0, counted: "rows" }]);
    const old = await clusterDriver.writes?.writesSince(context, { location: exchange.outgoing, since });
    expect(old?.gaps.join()).toContain("rows cannot be counted");
    await server.crash();
    await server.start();
    const crashed = await clusterDriver.writes?.writesSince(context, { location: null, since });
    expect(crashed?.units).toEqual([]);
    expect(crashed?.gaps.join()).toContain("rows cannot be counted");
  });

  test("ends what a server has left that died, before a commit on its way is acknowledged", async () => {
    await restore();
    const client = new Client({ connectionString: server.url("postgres") });
    client.on("error", () => undefined);
    await client.connect();
    await client.query("begin");
    await client.query("insert into orders default values");
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    const backEnd = rows[0]?.pid ?? 0;
    const seen = await switching.observe(context, exchange);
    process.kill(backEnd, "SIGSTOP");
    const commit = client.query("commit").then(
      () => "acknowledged",
      () => "refused",
    );
    process.kill((await findPostmaster(dataOf(server)))?.pid ?? 0, "SIGKILL");
    await expect.poll(() => findPostmaster(dataOf(server)), { interval: 5 }).toBeNull();
    // Where nobody collects the dead, as in some containers, the next server would take the lock of its socket for one in use.
    for (const name of await readdir(server.socketDirectory)) await rm(join(server.socketDirectory, name));
    await switching.exchange(context, exchange, seen);
    // One that was left would wake now, and commit.
    signalProcess({ pid: backEnd, startTicks: readProcess(backEnd)?.startTicks ?? 0 }, "SIGCONT");
    expect(await commit).toBe("refused");
    expect(await orders(dataOf(server))).toBe(10);
  });

  test("is refused under a server that answers and is not seen from here", async () => {
    await expect(refuseAnswering(context, [exchange.outgoing, dataOf(server)])).rejects.toMatchObject({
      code: "fence.failed",
      message: expect.stringContaining(`the cluster in ${dataOf(server)} still answers`) as string,
    });
    await refuseAnswering(context, [exchange.outgoing]);
    await server.crash();
    await refuseAnswering(context, [dataOf(server)]);
  });

  test("by a start whose command line arms it leaves the live server as it is", async () => {
    await stopPostmaster(context, dataOf(server));
    const armed = `-p ${server.port} -c archive_mode=on`;
    await startPostmaster(context, dataOf(server), { options: armed, log: join(server.directory, "log") });
    await restore();
    const before = await switching.observe(context, exchange);
    const declared = { ...context, options: { ...context.options, start: "true" } };
    await expect(switching.exchange(declared, exchange, before)).rejects.toMatchObject({
      code: "cutover.refused",
      message: expect.stringContaining("sets archive_mode on the server's command line") as string,
    });
    expect((await findPostmaster(dataOf(server)))?.ready).toBe(true);
    await switching.exchange(context, exchange, before);
    const [held] = await query(server.url("postgres"), "select current_setting('archive_mode') as archive");
    expect(held).toEqual({ archive: "off" });
    expect((await readStartOptions(dataOf(server)))?.options).toBe(armed);
  });

  test("that is killed after the live server was stopped leaves it to be started again", async () => {
    await restore();
    const before = await switching.observe(context, exchange);
    const stop = `setpriv --reuid=postgres --regid=postgres --init-groups ${server.binaries}/pg_ctl -D ${dataOf(server)} -m fast -w stop; kill -9 $PPID`;
    const options = { ...context.options, stop };
    const child = await act({ act: "exchange", options, folder: folder.path, exchange, before });
    await once(child, "exit");
    expect(await findPostmaster(dataOf(server))).toBeNull();
    expect(await switching.observe(context, exchange)).toEqual(before);
    await switching.serve?.(context, exchange);
    expect((await findPostmaster(dataOf(server)))?.port).toBe(server.port);
    await switching.exchange(context, exchange, before);
    expect(await orders(dataOf(server))).toBe(10);
  });

  test("that is killed before the new side was started is finished by the same act", async () => {
    await query(server.url("postgres"), "insert into orders default values");
    await restore();
    const before = await switching.observe(context, exchange);
    const options = { ...context.options, start: "kill -9 $PPID" };
    const child = await act({ act: "exchange", options, folder: folder.path, exchange, before });
    await once(child, "exit");
    expect(await findPostmaster(dataOf(server))).toBeNull();
    expect((await switching.observe(context, exchange)).stable).toBe(before.incoming);
    await switching.exchange(context, exchange, before);
    expect((await findPostmaster(dataOf(server)))?.port).toBe(server.port);
    expect(await orders(dataOf(server))).toBe(10);
    const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
    await switching.exchange(context, back, await switching.observe(context, back));
    expect(await orders(dataOf(server))).toBe(11);
  });

  test("is refused while standbys follow, and under a manager", async () => {
    const follower = spawn(
      join(server.binaries, "pg_receivewal"),
      ["-D", folder.path, "-d", `host=127.0.0.1 port=${server.port} user=postgres application_name=replica1`],
      { stdio: "ignore" },
    );
    const gone = once(follower, "exit");
    await expect
      .poll(() => query(server.url("postgres"), "select from pg_stat_replication where state = 'streaming'"), {
        timeout: 60_000,
      })
      .toHaveLength(1);
    await expect(switching.observe(context, exchange)).rejects.toMatchObject({
      code: "cutover.refused",
      message: `standbys follow the cluster in ${dataOf(server)} (replica1 at 127.0.0.1/32), and cannot follow one that was recovered to an earlier moment`,
    });
    await query(server.url("postgres"), "create role weak login");
    const weak = { ...context, options: { ...context.options, url: server.url("postgres", "weak") } };
    await expect(switching.observe(weak, exchange)).rejects.toMatchObject({
      code: "cutover.refused",
      message: expect.stringContaining("(replica1)") as string,
    });
    follower.kill();
    await gone;
    const stranger = { ...context, options: { ...context.options, url: server.url("postgres", "nobody") } };
    await expect(switching.observe(stranger, exchange)).rejects.toMatchObject({
      code: "cutover.refused",
      message: expect.stringContaining("cannot be told") as string,
      hint: expect.stringContaining('GRANT pg_read_all_stats TO "nobody"') as string,
    });
    await query(
      server.url("postgres"),
      "select pg_create_physical_replication_slot(name) from unnest(array['replica1', 'refloat_shop_db']) name",
    );
    await expect(switching.observe(context, exchange)).rejects.toMatchObject({
      message: expect.stringContaining("(slot replica1)") as string,
    });
    await query(server.url("postgres"), "select pg_drop_replication_slot('replica1')");
    await switching.observe(context, exchange);
    await writeFile(join(dataOf(server), "patroni.dynamic.json"), "{}");
    await expect(switching.observe(context, exchange)).rejects.toMatchObject({ code: "cutover.refused" });
  });
});
