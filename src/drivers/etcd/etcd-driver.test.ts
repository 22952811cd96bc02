/** Captures, restores and switches of a real server: under load, torn, damaged, with authentication, of several members, on a full disk. */
import { once } from "node:events";
import { mkdir, open, readdir } from "node:fs/promises";
import { type AddressInfo, type Server, createConnection, createServer } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Exchange, InstanceTarget } from "../../core/ports/driver.ts";
import type { CapturedComponent } from "../../model/manifest.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { captureEtcdInto, etcdContext, etcdDriver, readEtcdContent } from "../../testing/etcd-bench.ts";
import { type EtcdServer, startEtcdServer } from "../../testing/etcd-server.ts";
import { silenceLimitsDuring } from "../../testing/silence-limits.ts";
import { findFreePort } from "../../testing/free-port.ts";
import { writeCertificate } from "../../testing/certificate.ts";
import type { EtcdContext } from "./etcd-options.ts";
import { readInstanceRecord, startInstance, writeInstanceRecord } from "./instance-server.ts";
import { findEtcdProcess } from "./etcd-process.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const runUid = "0b8f2f3e-1111-4222-8333-444455556666";
const { instances, switching, writes } = etcdDriver;

let server: EtcdServer;
let folder: TestFolder;
let context: EtcdContext;
let target: InstanceTarget;
let exchange: Exchange;
let vaults = 0;
let vault: string;
let user: string | null = null;

const capture = (around?: Parameters<typeof captureEtcdInto>[2]): Promise<CapturedComponent> => {
  vault = join(folder.path, `vault-${(vaults += 1)}`);
  return captureEtcdInto(context, vault, around);
};
const restore = (captured: CapturedComponent) =>
  instances.restore(context, target, createDirectoryReader(vault), captured);

beforeAll(async () => {
  server = await startEtcdServer({ user: () => user });
  folder = await createTestFolder("refloat-etcd");
  await server.ctl("put", "/shop/price", "5");
});
afterAll(async () => {
  await server.stop();
  await folder.remove();
});
beforeEach(async () => {
  context = await etcdContext(server, folder.path);
  target = { name: await instances.name(context, 42), run: 42, runUid };
  exchange = { incoming: target.name, outgoing: await instances.retiredName(context, 42) };
});
afterEach(() => instances.drop(context, target));

test("a capture under load is whole, and compared as of a revision that it has for sure", async () => {
  const over = new AbortController();
  const writing = (async () => {
    for (let key = 0; !over.signal.aborted; key += 1) await server.ctl("put", `/load/${key}`, String(key));
  })();
  try {
    const captured = await capture();
    await restore(captured);
    expect(await instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    const fewer = { ...captured.facts, counts: { ...captured.facts.counts, keys: 99_999 } };
    expect(await instances.validate(context, target, fewer)).toMatchObject([
      { status: "failed", found: expect.stringMatching(/^\d+ keys? at revision \d+, captured 99,999$/) },
    ]);
  } finally {
    over.abort();
    await writing;
  }
});

/** A server in between that cuts each connection after so many bytes of the snapshot. */
const startCutter = async (afterBytes: number): Promise<Server> => {
  const cutter = createServer((client) => {
    const upstream = createConnection({ host: "127.0.0.1", port: server.port });
    let isSnapshot = false;
    let passed = 0;
    client.on("data", (bytes) => {
      isSnapshot ||= bytes.includes("maintenance/snapshot");
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      passed += isSnapshot ? bytes.length : 0;
      client.write(passed > afterBytes ? bytes.subarray(0, bytes.length - (passed - afterBytes)) : bytes);
      if (passed > afterBytes) client.end();
    });
    for (const socket of [client, upstream]) {
      socket.on("error", () => undefined);
      socket.on("close", () => {
        client.destroy();
        upstream.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(cutter, "listening");
  return cutter;
};

test.each([0, 400, 30_000])("a snapshot that breaks off after %i bytes is no point", async (afterBytes) => {
  await server.ctl("put", "/large", "x".repeat(100_000));
  const cutter = await startCutter(afterBytes);
  const { port } = cutter.address() as AddressInfo;
  context = { ...context, options: { ...context.options, url: `http://127.0.0.1:${port}` } };
  await expect(capture()).rejects.toMatchObject({ code: expect.stringMatching(/^source\.(?:failed|unreachable)$/) });
  expect(await readdir(join(vault, "config/data")).catch(() => [])).toEqual([]);
  cutter.close();
});

test("a vault may be slow for as long as it likes: no time is taken while nothing is waited for", async () => {
  expect(await silenceLimitsDuring(capture)).toEqual([0]);
});

test("a capture of a server that is killed meanwhile is no point", async () => {
  const killed = capture((sink) => ({
    ...sink,
    stream: (path, source, ...rest) => {
      const bytes = async function* () {
        for await (const chunk of source.bytes) {
          yield chunk;
          await server.crash();
          break;
        }
      };
      return sink.stream(path, { ...source, bytes: bytes() }, ...rest);
    },
  }));
  await expect(killed).rejects.toMatchObject({ code: expect.stringMatching(/^source\./) });
  await server.start();
});

test("a restored server that runs and lets nobody in is not waited for without end, and told with its reason", async () => {
  await restore(await capture());
  const record = await readInstanceRecord(target.name);
  if (record === null) throw new Error("there is no instance");
  const port = await findFreePort();
  await writeInstanceRecord(target.name, { ...record, port });
  let nowMs = 0;
  const hurried = { ...context, clock: { ...context.clock, monotonicMs: () => (nowMs += 60_000) } };
  await expect(startInstance(hurried, target.name)).rejects.toMatchObject({
    code: "target.failed",
    message: expect.stringContaining(`127.0.0.1:${port} does not answer (connection refused)`),
  });
});

test("a snapshot with a wrong byte is refused by etcd itself, and nothing is restored", async () => {
  const captured = await capture();
  const file = await open(join(vault, "config/data/snapshot.db"), "r+");
  await file.write(Buffer.from([0x55]), 0, 1, 9_000);
  await file.close();
  await expect(restore(captured)).rejects.toMatchObject({
    code: "point.damaged",
    message: expect.stringContaining("sha256"),
  });
  expect(await instances.inspect(context, target)).toBe("partial");
});

test("what a newer version has written is refused before anything is restored", async () => {
  const captured = await capture();
  const newer = { ...captured, facts: { ...captured.facts, versions: { server: "3.99.1" } } };
  await expect(restore(newer)).rejects.toMatchObject({
    code: "program.version",
    message: expect.stringMatching(/^etcd 3\.\d+\.\d+ of this machine does not take what etcd 3\.99\.1 has written$/),
  });
  expect(await instances.inspect(context, target)).toBe("absent");
});

test("two free ports are needed, and told before anything is restored", async () => {
  const captured = await capture();
  context = { ...context, options: { ...context.options, ports: await findFreePort() } };
  await expect(restore(captured)).rejects.toMatchObject({
    code: "target.failed",
    message: expect.stringMatching(/^only 1 of the ports \d+ of config is free$/),
  });
});

test("a restore to a full disk says so, is dropped, and is made again when there is room", async ({ skip }) => {
  skip(process.getuid?.() !== 0, "only root may mount a small tmpfs to fill");
  const captured = await capture();
  const disk = join(folder.path, "disk");
  await mkdir(disk, { recursive: true });
  await execa("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
  try {
    context = { ...context, options: { ...context.options, data: join(disk, "data") } };
    target = { ...target, name: await instances.name(context, 42) };
    // No room for the snapshot; for the snapshot and not for the database; for both and not for the server's log.
    for (const room of [captured.facts.sizeBytes / 2, captured.facts.sizeBytes * 1.5, 40_000_000]) {
      await execa("mount", ["-o", `remount,size=${Math.ceil(room / 4_096) * 4_096}`, disk]);
      await expect(restore(captured)).rejects.toMatchObject({
        code: "target.failed",
        message: expect.stringMatching(/ENOSPC|no space left|file system is full/i),
      });
      expect(await instances.inspect(context, target)).toBe("partial");
      await instances.drop(context, target);
      expect(await instances.inspect(context, target)).toBe("absent");
    }
    await execa("mount", ["-o", "remount,size=512m", disk]);
    await restore(captured);
    expect(await readEtcdContent(server, target.name)).toBe(await readEtcdContent(server, null));
  } finally {
    await instances.drop(context, target);
    await execa("umount", [disk]);
  }
});

test("a switch that was killed before its server was started is served, and undone", async () => {
  await server.ctl("put", "/shop/price", "5");
  const captured = await capture();
  await server.ctl("put", "/shop/price", "0");
  await restore(captured);
  const before = await switching.observe(context, exchange);
  const broken = { ...context, options: { ...context.options, start: "exit 9" } } as EtcdContext;
  let ticks = 0;
  const hurried = { ...broken, clock: { ...context.clock, monotonicMs: () => (ticks += 30_000) } };
  await expect(switching.exchange(hurried, exchange, before)).rejects.toMatchObject({
    code: "target.failed",
    message: "the start command of config failed (exit status 9): ",
  });
  expect(await findEtcdProcess(server.data)).toBeNull();
  await switching.serve?.(context, exchange);
  expect(await server.ctl("get", "/shop/price", "--print-value-only")).toBe("5");
  const position = await writes?.position(context, null);
  if (writes === undefined || position === undefined) throw new Error("there is no ledger");
  expect(await writes.writesSince(context, { location: null, since: position })).toMatchObject({ units: [], gaps: [] });
  // The old side's revision is read in its files.
  expect(await writes.writesSince(context, { location: exchange.outgoing, since: position })).toMatchObject({
    gaps: ["1 change was made, by its revision; which keys they are is not told"],
  });
  const back = { incoming: exchange.outgoing, outgoing: exchange.incoming };
  await switching.exchange(context, back, await switching.observe(context, back));
  expect(await server.ctl("get", "/shop/price", "--print-value-only")).toBe("0");
});

test("a stop line that stops nothing is no fence, and nothing is switched", async () => {
  await restore(await capture());
  const before = await switching.observe(context, exchange);
  let ticks = 0;
  const hurried = {
    ...context,
    options: { ...context.options, stop: "true" },
    clock: { ...context.clock, monotonicMs: () => (ticks += 30_000) },
  };
  await expect(switching.exchange(hurried, exchange, before)).rejects.toMatchObject({ code: "fence.failed" });
  expect(await switching.observe(context, exchange)).toEqual(before);
});

test("a cluster with users is captured by one with the role root, and restored with them", async () => {
  const password = "hunter2 of etcd";
  await server.ctl("user", "add", `root:${password}`);
  await server.ctl("user", "grant-role", "root", "root");
  await server.ctl("user", "add", "app:other");
  await server.ctl("auth", "enable");
  user = `root:${password}`;
  try {
    await expect(capture()).rejects.toMatchObject({ code: "source.denied" });
    const named = { url: server.url.replace("//", "//root@"), password: "${env:PASSWORD}" };
    const asApp = await etcdContext(server, folder.path, {
      ...named,
      url: server.url.replace("//", "//app@"),
      values: { "env:PASSWORD": "secret!other" },
    });
    await expect(captureEtcdInto(asApp, join(folder.path, "denied"))).rejects.toMatchObject({ code: "source.denied" });
    context = await etcdContext(server, folder.path, { ...named, values: { "env:PASSWORD": `secret!${password}` } });
    const captured = await capture();
    await restore(captured);
    expect(await instances.validate(context, target, captured.facts)).toMatchObject([{ status: "passed" }]);
    expect((await execa("grep", ["-rlF", password, vault, target.name], { reject: false })).stdout).toBe("");
    const running = await findEtcdProcess(target.name);
    expect(
      (await execa("cat", [`/proc/${running?.pid}/cmdline`, `/proc/${running?.pid}/environ`])).stdout,
    ).not.toContain(password);
  } finally {
    await server.ctl("auth", "disable");
    user = null;
  }
});

test("a server that speaks TLS is captured by who shows a certificate and knows its authority", async () => {
  const certificate = await writeCertificate(folder.path);
  const secured = await startEtcdServer({ certificate });
  try {
    await secured.ctl("put", "/shop/price", "5");
    const files = { authority: certificate, certificate, key: certificate.replace(/pem$/, "key") };
    const of = await etcdContext(secured, folder.path, files);
    const captured = await captureEtcdInto(of, join(folder.path, "secured"));
    expect(captured.facts.counts).toEqual({ keys: 1, members: 1 });
    const { authority } = files;
    for (const fewer of [{}, { authority }])
      await expect(
        captureEtcdInto(await etcdContext(secured, folder.path, fewer), join(folder.path, "distrusted")),
      ).rejects.toMatchObject({ code: expect.stringMatching(/^source\.(?:unreachable|denied)$/) });
  } finally {
    await secured.stop();
  }
});

describe("a cluster of three members", () => {
  test("is captured, restored beside as a cluster of its own, and not switched", async () => {
    const names = ["one", "two", "three"] as const;
    const peers: Record<string, number> = {};
    for (const name of names) peers[name] = await findFreePort();
    const members = await Promise.all(names.map((name) => startEtcdServer({ name, peers })));
    const [first] = members;
    if (first === undefined) throw new Error("there is no member");
    try {
      await vi.waitFor(() => first.ctl("put", "/shop/price", "5"), { timeout: 60_000, interval: 100 });
      const of = await etcdContext(first, folder.path);
      const beside = { name: await instances.name(of, 42), run: 42, runUid };
      const captured = await captureEtcdInto(of, join(folder.path, "three"));
      expect(captured.warnings).toEqual([expect.stringMatching(/^the cluster has 3 members/)]);
      await instances.restore(of, beside, createDirectoryReader(join(folder.path, "three")), captured);
      expect(await instances.validate(of, beside, captured.facts)).toMatchObject([{ status: "passed" }]);
      // Written to one of them, and not to the other.
      const { url } = await instances.outputs(of, beside);
      await execa("etcdctl", ["--endpoints", url?.value ?? "", "put", "/shop/price", "6"], {
        env: { ETCDCTL_API: "3" },
      });
      expect(await first.ctl("get", "/shop/price", "--print-value-only")).toBe("5");
      expect((await first.ctl("member", "list")).split("\n")).toHaveLength(3);
      const away = { incoming: beside.name, outgoing: await instances.retiredName(of, 42) };
      await expect(switching.observe(of, away)).rejects.toMatchObject({
        code: "cutover.refused",
        message: expect.stringMatching(/is one of 3 \((?:one|two|three), .*\), which would go on without it$/),
      });
      expect((await etcdDriver.preflight(of)).findings).toContainEqual(
        expect.objectContaining({ ok: false, subject: "members" }),
      );
      await instances.drop(of, beside);
    } finally {
      await Promise.all(members.map((member) => member.stop()));
    }
  });
});

test("programs and rights are told before anything is needed", async () => {
  const report = await etcdDriver.preflight(context);
  expect(report.findings.filter(({ ok }) => !ok)).toEqual([]);
  const elsewhere = { ...context, options: { ...context.options, programs: "/nowhere", data: "/nowhere/else" } };
  const subjects = (await etcdDriver.preflight(elsewhere)).findings
    .filter(({ ok }) => !ok)
    .map(({ subject }) => subject);
  expect(subjects).toEqual(expect.arrayContaining(["programs", "/nowhere/else"]));
  const down = { ...context, options: { ...context.options, url: `http://127.0.0.1:${await findFreePort()}` } };
  expect((await etcdDriver.preflight(down)).findings).toMatchObject([
    { ok: false, found: expect.stringContaining("connection refused") },
  ]);
});
