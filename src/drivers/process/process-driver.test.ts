import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { readFile, readdir, readlink, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findFreePort } from "../../testing/free-port.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ComponentDriver, DriverContext, RunningProcess, RuntimeOperations } from "../../core/ports/driver.ts";
import type { SnapshotId } from "../../model/identifiers.ts";
import {
  findByEnvironment,
  isAlive,
  readEnvironment,
  readProcess,
  signalProcess,
} from "../../platform/process-table.ts";
import { isPortOpen } from "../../platform/port-owner.ts";
import { createDirectoryReader, createDirectorySink } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { writeSampleRelease } from "../../testing/sample-application.ts";
import { processBundle } from "./process-bundle.ts";

const [driver] = processBundle.components as [ComponentDriver];
const runtime = driver.runtime as RuntimeOperations;

let folder: TestFolder;
let current: string;
let ports: readonly [number, number];
const spawned: ChildProcess[] = [];

beforeEach(async () => {
  folder = await createTestFolder();
  await writeSampleRelease(join(folder.path, "releases", "2.4.0"), "2.4.0");
  await writeSampleRelease(join(folder.path, "releases", "2.5.0"), "2.5.0");
  current = join(folder.path, "current");
  await symlink("releases/2.5.0", current);
  ports = [await findFreePort(), await findFreePort()];
});

afterEach(async () => {
  for (const child of spawned.splice(0)) child.kill("SIGKILL");
  const left = findByEnvironment({ REFLOAT_STATE: folder.path });
  for (const one of left) signalProcess(one, "SIGKILL");
  await folder.remove();
});

const lowPort = () => Math.min(...ports);

type Change = { readonly options?: object; readonly port?: number; readonly mode?: string; readonly values?: object };

/** Two free ports that are no neighbours are declared as two components would: the range is one port, the other comes by request. */
const contextOf = ({ options = {}, port = lowPort(), mode = "", values = {} }: Change = {}): DriverContext =>
  createTestContext({
    options: {
      release: current,
      start: `'${process.execPath}' server.js`,
      ports: lowPort(),
      environment: { PORT: "${self.port}", DATABASE_URL: "${db.url}", MODE: mode },
      ...options,
    },
    folder: folder.path,
    values: { "self.port": String(port), "db.url": "postgres://live", ...values },
  }) as DriverContext;

const start = async (context: DriverContext, name = "app_r42", port: number | null = null) =>
  runtime.start(context, { name, release: (await runtime.liveRelease(context))?.path ?? "", port });

const ask = async (port: number): Promise<Record<string, unknown>> =>
  (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).json() as Promise<
    Record<string, unknown>
  >;

/** As an operator starts it: no marker of ours. */
const startByHand = async (port: number, mode = "", cwd = current): Promise<ChildProcess> => {
  const child = spawn(process.execPath, ["server.js"], {
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
    env: { PORT: String(port), MODE: mode, SECRET_OF_OLD: "s3cret" },
  });
  spawned.push(child);
  await once(child.stdout, "data");
  return child;
};

describe("start", () => {
  test("leaves a marked process that answers, once under one name, and outside of our session", async () => {
    const context = contextOf();
    const first = await start(context);
    const again = await start(context);
    expect(again).toEqual(first);
    expect(first.port).toBe(lowPort());
    expect(await ask(lowPort())).toMatchObject({ release: "2.5.0", pid: first.pid, database: "postgres://live" });
    expect(await runtime.find(context, "app_r42")).toEqual(first);
    expect(await runtime.live(context)).toEqual(first);
    expect(await runtime.alive(context, first)).toBe(true);
    expect(readProcess(first.pid ?? 0)?.session).not.toBe(readProcess(process.pid)?.session);
    expect(
      findByEnvironment({ REFLOAT_INSTANCE: "shop/app/app_r42", REFLOAT_STEP: "refloat/42/test/1" }),
    ).not.toHaveLength(0);
    expect(await driver.stableOutputs(context)).toMatchObject({
      url: { value: `http://127.0.0.1:${lowPort()}` },
      address: { value: `127.0.0.1:${lowPort()}` },
      path: { value: current },
    });

    await runtime.stop(context, first);
    await runtime.stop(context, first);
    expect(await runtime.alive(context, first)).toBe(false);
    expect(isPortOpen(lowPort())).toBe(false);
    expect(await runtime.find(context, "app_r42")).toBeNull();
    expect(await runtime.live(context)).toBeNull();
  });

  test("finds what a killed start had left without a record", async () => {
    const context = contextOf();
    const first = await start(context);
    const records = join(folder.path, "processes");
    for (const name of await readdir(records))
      if (name.endsWith(".json")) await rename(join(records, name), join(folder.path, "gone"));
    expect(await runtime.find(context, "app_r42")).toMatchObject({ pid: first.pid, port: lowPort() });
    expect(await start(context)).toMatchObject({ pid: first.pid });
    await runtime.stop(context, first);
  });

  test("takes a daemon that its command leaves behind", async () => {
    const context = contextOf({ mode: "daemon" });
    const first = await start(context);
    expect(await ask(lowPort())).toMatchObject({ pid: first.pid });
    await runtime.stop(context, first);
    expect(findByEnvironment({ REFLOAT_STATE: folder.path })).toEqual([]);
  });

  test("knows a program that writes its title over its own environment", async () => {
    const program = join(folder.path, "titled.pl");
    await writeFile(
      program,
      'use IO::Socket::INET; $0 = "t" x 20000; my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1:$ENV{PORT}") or die; sleep 600',
    );
    const context = contextOf({ options: { start: `exec perl '${program}'` } });
    const running = await start(context);
    expect(readEnvironment(running.pid ?? 0)?.has("REFLOAT_STATE")).not.toBe(true);
    expect(await runtime.find(context, "app_r42")).toEqual(running);
    expect(await start(context)).toEqual(running);
    await runtime.stop(context, running);
    expect(isAlive({ pid: running.pid ?? 0, startTicks: running.startTicks ?? 0 })).toBe(false);
  });

  test("tells the last words of what ends early, without the secrets in them", async () => {
    const context = contextOf({ mode: "fail", values: { "db.url": "secret!postgres://u:p%40ss@db" } });
    const failure = await start(context).then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: "program.failed" });
    expect((failure as Error).message).toContain("cannot open [secret]");
    expect(await runtime.find(context, "app_r42")).toBeNull();
  });

  test("ends what does not listen in time", async () => {
    const context = contextOf({ mode: "silent", options: { startTimeout: "300ms" } });
    await expect(start(context)).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining("did not listen") as string,
    });
    expect(findByEnvironment({ REFLOAT_STATE: folder.path })).toEqual([]);
  });

  test("ends what it began when it is aborted", async () => {
    const controller = new AbortController();
    const context = { ...contextOf({ mode: "silent" }), signal: controller.signal };
    const starting = start(context);
    const aborted = starting.then(
      () => null,
      (error: unknown) => error,
    );
    while (findByEnvironment({ REFLOAT_STATE: folder.path }).length === 0)
      await context.clock.sleep(5, new AbortController().signal);
    controller.abort(new Error("enough"));
    expect(await aborted).toMatchObject({ message: "enough" });
    expect(findByEnvironment({ REFLOAT_STATE: folder.path })).toEqual([]);
  });

  test("names who has the port", async () => {
    const stranger = createServer().listen(lowPort(), "127.0.0.1");
    await once(stranger, "listening");
    try {
      await expect(start(contextOf())).rejects.toMatchObject({
        code: "program.failed",
        message: expect.stringContaining(`process ${process.pid}`) as string,
      });
      expect(await runtime.freePort(contextOf(), null)).toBeNull();
    } finally {
      stranger.close();
    }
  });

  test("says that a release is not there", async () => {
    const context = contextOf();
    await expect(
      runtime.start(context, { name: "x", release: join(folder.path, "nowhere"), port: null }),
    ).rejects.toMatchObject({ code: "program.failed", message: expect.stringContaining("not there") as string });
  });

  test.each(["start", "stop", "migrate"])("refuses a secret in %s", async (key) => {
    const context = contextOf({
      options: { [key]: `echo \${db.url}` },
      values: { "db.url": "secret!hunter2" },
    });
    const hand = key === "stop" ? await startByHand(lowPort()) : null;
    const act = {
      start: () => start(context),
      migrate: () => runtime.migrate(context, current),
      stop: async () => runtime.stop(context, (await runtime.live(context)) as RunningProcess),
    }[key];
    const failure = await act?.().then(
      () => null,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: "config.invalid" });
    expect((failure as Error).message).not.toContain("hunter2");
    hand?.kill("SIGKILL");
  });

  test.runIf(process.getuid?.() === 0)("runs as another user with that user's home", async () => {
    const context = contextOf({ options: { start: "id -un; echo $HOME; exit 1", user: "nobody" } });
    await expect(runtime.start(context, { name: "x", release: "/", port: null })).rejects.toMatchObject({
      message: expect.stringContaining("nobody\n/nonexistent") as string,
    });
  });
});

describe("stop", () => {
  test("ends a process that ignores SIGTERM, its children and theirs", async () => {
    const context = contextOf({ mode: "ignore-term,children", options: { stopTimeout: "300ms" } });
    const running = await start(context);
    expect(findByEnvironment({ REFLOAT_STATE: folder.path }).length).toBeGreaterThanOrEqual(3);
    await runtime.stop(context, running);
    expect(findByEnvironment({ REFLOAT_STATE: folder.path })).toEqual([]);
    expect(isPortOpen(lowPort())).toBe(false);
  });

  test("ends the children of one whose main process was killed", async () => {
    const context = contextOf({ mode: "children", options: { stopTimeout: "300ms" } });
    const running = await start(context);
    process.kill(running.pid ?? 0, "SIGKILL");
    await runtime.stop(context, running);
    expect(findByEnvironment({ REFLOAT_STATE: folder.path })).toEqual([]);
  });

  test("ends one that was started by hand, and nothing else of that session", async () => {
    const context = contextOf();
    const hand = await startByHand(lowPort());
    const gone = once(hand, "exit");
    const live = await runtime.live(context);
    expect(live).toMatchObject({ pid: hand.pid, port: lowPort(), release: join(folder.path, "releases", "2.5.0") });
    await runtime.stop(context, live as RunningProcess);
    expect((await gone)[1]).toBe("SIGTERM");
    expect(isAlive({ pid: process.pid, startTicks: readProcess(process.pid)?.startTicks ?? 0 })).toBe(true);
  });

  test("uses the declared command for what was started by hand only", async () => {
    const told = join(folder.path, "told");
    const context = contextOf({ options: { stop: `echo $REFLOAT_PORT >> '${told}'; kill $REFLOAT_PID` } });
    const hand = await startByHand(lowPort());
    await runtime.stop(context, (await runtime.live(context)) as RunningProcess);
    expect(hand.signalCode ?? (await once(hand, "exit"))[1]).toBe("SIGTERM");
    expect(await readFile(told, "utf8")).toBe(`${lowPort()}\n`);

    const ours = await start(context);
    await runtime.stop(context, ours);
    expect(await readFile(told, "utf8")).toBe(`${lowPort()}\n`);
  });

  test("does not touch a process that has got the old one's number", async () => {
    const context = contextOf();
    const hand = await startByHand(lowPort());
    const live = (await runtime.live(context)) as RunningProcess;
    const stale = { ...live, startTicks: (live.startTicks ?? 0) - 1 };
    expect(await runtime.alive(context, stale)).toBe(false);
    await runtime.stop(context, stale);
    expect(hand.exitCode ?? hand.signalCode).toBeNull();
    expect(await ask(lowPort())).toMatchObject({ pid: hand.pid });
  });

  test("fails when a supervisor starts it again", async () => {
    const loop = spawn("/bin/sh", ["-c", `while :; do '${process.execPath}' server.js; done`], {
      cwd: current,
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
      env: { PORT: String(lowPort()) },
    });
    try {
      await once(loop.stdout, "data");
      // The second life of the process begins inside the stop command, so that the proof meets it whatever the speed.
      const listening = `0100007F:${lowPort().toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A`;
      const wait = `kill $REFLOAT_PID; while kill -0 $REFLOAT_PID; do sleep 0.05; done; until grep -q '${listening}' /proc/net/tcp; do sleep 0.05; done`;
      const context = contextOf({ options: { stop: wait } });
      await expect(runtime.stop(context, (await runtime.live(context)) as RunningProcess)).rejects.toMatchObject({
        code: "fence.failed",
        message: expect.stringContaining("is listened on by process") as string,
      });
    } finally {
      process.kill(-(loop.pid ?? 0), "SIGKILL");
    }
  });
});

describe("live", () => {
  test("is nobody when nobody listens, and the free port is the one that is not live", async () => {
    const context = contextOf();
    expect(await runtime.live(context)).toBeNull();
    expect(await runtime.freePort(context, null)).toBe(lowPort());
    expect(await runtime.freePort(context, { pid: 1, port: lowPort(), release: current, startTicks: 1 })).toBeNull();
    expect(await driver.stableOutputs(context)).toMatchObject({ port: { value: String(lowPort()) } });
  });

  test("cannot be told when two listen", async () => {
    const port = await findFreePort(2);
    const context = contextOf({ options: { ports: `${port}-${port + 1}` } });
    await startByHand(port);
    await startByHand(port + 1);
    await expect(runtime.live(context)).rejects.toMatchObject({
      code: "fence.failed",
      message: expect.stringMatching(/there are process .* and process /) as string,
    });
  });

  test("cannot be told when a stranger has the port", async () => {
    await startByHand(lowPort(), "", join(folder.path, "releases", "2.4.0"));
    await expect(runtime.live(contextOf())).rejects.toMatchObject({
      code: "fence.failed",
      message: expect.stringContaining("does not run from") as string,
    });
  });

  test("is known by an argument, and after its folder was switched out", async () => {
    const release = join(folder.path, "app");
    await writeSampleRelease(release, "1.0.0");
    const child = spawn(process.execPath, [join(release, "server.js")], {
      cwd: "/",
      stdio: ["ignore", "pipe", "inherit"],
      env: { PORT: String(lowPort()) },
    });
    spawned.push(child);
    await once(child.stdout, "data");
    const context = contextOf({ options: { release } });
    expect(await runtime.live(context)).toMatchObject({ pid: child.pid, release });
    expect(await runtime.liveRelease(context)).toEqual({ path: release, label: "1.0.0" });

    child.kill("SIGKILL");
    await once(child, "exit");
    const second = await startByHand(lowPort(), "", release);
    await rename(release, `${release}.old42`);
    await writeSampleRelease(release, "1.1.0");
    expect(await runtime.live(context)).toMatchObject({ pid: second.pid, release: `${release}.old42` });
  });
});

describe("migrate", () => {
  test("runs in the release with the bound environment", async () => {
    const database = join(folder.path, "database");
    await writeFile(database, "");
    const context = contextOf({
      options: { migrate: `'${process.execPath}' migrate.js` },
      values: { "db.url": database },
    });
    expect(await runtime.migrate(context, current)).toEqual({ output: "1 migration applied" });
    expect(await readFile(database, "utf8")).toBe("migrated\n");
  });

  test("fails with the last lines, without secrets", async () => {
    const context = contextOf({
      options: {
        migrate: `'${process.execPath}' migrate.js`,
        environment: { DATABASE_URL: "broken", PASSWORD: "${db.password}" },
      },
      values: { "db.password": "secret!hunter2" },
    });
    await expect(runtime.migrate(context, current)).rejects.toMatchObject({
      code: "program.failed",
      message: expect.stringContaining("relation products does not exist in [secret]") as string,
    });
  });
});

describe("a release", () => {
  test("is captured with a fingerprint, restored beside, tried there, and switched by the link", async () => {
    const hand = await startByHand(lowPort());
    const context = contextOf();
    const vault = join(folder.path, "vault");
    const report = await driver.capture(context, createDirectorySink(join(vault)), null);
    expect(report.warnings).toEqual([]);
    expect(report.facts).toMatchObject({
      counts: { files: 3 },
      detail: { link: "releases/2.5.0" },
      versions: { release: "2.5.0" },
    });
    const { fingerprint } = report;
    expect(fingerprint?.libraries.map(({ path }) => path)).toContainEqual(expect.stringMatching(/libc\.so\.6$/));
    expect(fingerprint?.packages.map(({ name }) => name)).toContainEqual(expect.stringMatching(/^libc6/));
    expect(fingerprint?.environment.map(({ name }) => name)).toContain("SECRET_OF_OLD");
    expect(JSON.stringify(report)).not.toContain("s3cret");
    const differences = await driver.compareFingerprint?.(context, fingerprint as NonNullable<typeof fingerprint>);
    expect(differences).toEqual([
      { subject: "environment variable SECRET_OF_OLD", captured: "set", target: null, severity: "missing" },
    ]);

    const captured = {
      name: "app",
      driver: "process",
      snapshot: "0".repeat(64) as SnapshotId,
      newBytes: 0,
      sizeBytes: 1,
      finishedAt: report.window.endAt,
      ...report,
    };
    const target = {
      name: await driver.instances.name(context, 42),
      run: 42,
      runUid: "0b8f2f3e-1111-4222-8333-444455556666",
    };
    expect(target.name).toBe(join(folder.path, "releases", "current_r42"));
    await driver.instances.restore(context, target, createDirectoryReader(vault), captured);
    expect(await driver.instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    expect(await driver.instances.outputs(context, target)).toEqual({ path: { value: target.name, secret: false } });

    const second = Math.max(...ports);
    const trial = await runtime.start(contextOf({ port: second }), {
      name: "app_try42",
      release: target.name,
      port: second,
    });
    expect(await driver.instances.outputs(context, target)).toMatchObject({ port: { value: String(second) } });
    await runtime.stop(context, trial);

    await runtime.stop(context, (await runtime.live(context)) as RunningProcess);
    const exchange = { incoming: target.name, outgoing: await driver.instances.retiredName(context, 42) };
    await driver.switching.exchange(context, exchange, await driver.switching.observe(context, exchange));
    expect(await readlink(current)).toBe("releases/current_r42");
    expect(await runtime.liveRelease(context)).toEqual({ path: target.name, label: "2.5.0" });
    const running = await start(context);
    expect(await runtime.live(context)).toMatchObject({ pid: running.pid, release: target.name });
    await runtime.stop(context, running);
    expect(hand.signalCode ?? hand.exitCode).not.toBeNull();

    await writeFile(join(target.name, "extra.js"), "");
    const outcomes = await driver.instances.validate(context, target, captured.facts);
    expect(outcomes.map(({ subject }) => subject)).toEqual(["facts: files", "facts: newest file", "facts: layout"]);
    expect(outcomes.every(({ status }) => status === "failed")).toBe(true);
  });

  test("missing on the target is told by its fingerprint", async () => {
    const fingerprint = {
      os: { id: "debian", version: "7", kernel: "3.2", architecture: "mips" },
      libraries: [{ path: "/opt/vendor/libodd.so.1" }],
      packages: [
        { name: "no-such-package", version: "1.0" },
        { name: "perl-base", version: "1.0" },
      ],
      environment: [],
    };
    const differences = await driver.compareFingerprint?.(contextOf(), fingerprint);
    expect(differences).toEqual([
      { subject: "operating system", captured: "debian 7", target: expect.any(String) as string, severity: "differs" },
      { subject: "architecture", captured: "mips", target: process.arch, severity: "differs", stops: true },
      {
        subject: "kernel",
        captured: "3.2",
        target: expect.stringMatching(/^\d+\.\d+$/) as string,
        severity: "differs",
      },
      { subject: "package no-such-package", captured: "1.0", target: null, severity: "missing", stops: true },
      { subject: "package perl-base", captured: "1.0", target: expect.any(String) as string, severity: "differs" },
      {
        subject: "file /opt/vendor/libodd.so.1",
        captured: "present",
        target: null,
        severity: "missing",
        stops: true,
      },
    ]);
  });

  test("is looked at before anything is touched", async () => {
    const report = await driver.preflight(contextOf({ options: { start: "no-such-program --serve" } }));
    expect(report.findings.find(({ subject }) => subject === "start")).toMatchObject({ ok: false });
    const hand = await startByHand(lowPort());
    const good = await driver.preflight(contextOf());
    expect(good.findings.filter(({ ok }) => !ok)).toEqual([]);
    expect(good.findings.map(({ found }) => found).join("\n")).toContain(`process ${hand.pid}`);
    expect(good.findings.map(({ found }) => found).join("\n")).toContain("none is free");
  });
});
