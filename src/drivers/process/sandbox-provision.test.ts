/**
 * Provision of a sandbox: a real one, with a server inside on a port that is taken outside, and a program inside that tries every way
 * out that is known here.
 */
import { createServer as createHttpServer } from "node:http";
import { type Server, createServer } from "node:net";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverContext } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { driverRegistry } from "../../driver-registry.ts";
import { findByEnvironment, isFirstOfNamespace } from "../../platform/process-table.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { findFreePort } from "../../testing/free-port.ts";
import { describeProvisionContract } from "../../testing/provision-contract.ts";

const node = process.execPath;
const serve = `require("node:http").createServer((_, to) => to.end("inside")).listen(Number(process.env.PORT))`;

describeProvisionContract({
  type: "sandbox",
  declare: async () => ({
    start: `exec '${node}' -e '${serve}'`,
    port: 8081,
    environment: { PORT: 8081 },
    read: [dirname(node)],
    stopTimeout: "2s",
  }),
  count: async ({ stateDirectory }) =>
    findByEnvironment({ REFLOAT_STATE: stateDirectory }).filter(({ pid }) => isFirstOfNamespace(pid)).length,
  killable: { leastPoints: 5, remove: false },
});

/** Each way out: its name, and whether it led anywhere. Runs inside as root. */
const escapes = `
const { readdirSync, writeFileSync, existsSync, openSync, closeSync } = require("node:fs");
const { spawnSync } = require("node:child_process");
const net = require("node:net"), dgram = require("node:dgram");
const { hostPort, hostAddresses, hostSocket, abstractSocket, hostPid, hostFile, isInside } = JSON.parse(process.argv[1]);
const open = [];
const connects = (name, to) => new Promise((end) => {
  const socket = net.connect(to);
  socket.setTimeout(2000, () => { socket.destroy(); end(); });
  socket.on("connect", () => { open.push(name); socket.destroy(); end(); });
  socket.on("error", () => end());
});
const sends = (name, address) => new Promise((end) => {
  const socket = dgram.createSocket("udp4");
  socket.send("out", 53, address, (error) => { if (!error) open.push(name); socket.close(); end(); });
});
const writes = (name, path) => { try { writeFileSync(path, "out"); open.push(name); } catch {} };
const opens = (path, mode) => { try { closeSync(openSync(path, mode)); open.push(mode + " " + path); } catch {} };
const runs = (name, ...words) => { if (spawnSync(words[0], words.slice(1)).status === 0) open.push(name); };
(async () => {
  for (const address of isInside ? [...hostAddresses, "192.0.2.1", "8.8.8.8"] : []) {
    await connects("tcp " + address, { host: address, port: hostPort });
    await sends("udp " + address, address);
  }
  await connects("host's loopback", { host: "127.0.0.1", port: hostPort });
  await connects("host's Unix socket", { path: hostSocket });
  await connects("host's abstract socket", { path: abstractSocket });
  if (existsSync(hostFile)) open.push("host's file");
  try { process.kill(hostPid, 0); open.push("host's process"); } catch {}
  // What follows would change the machine that it is not kept from.
  if (!isInside) return process.stdout.write(JSON.stringify(open));
  for (const path of ["/etc/shadow", "/root/.ssh", "/var/lib/dpkg", "/run/systemd", "/sys/class/net"]) if (existsSync(path)) open.push(path);
  for (const path of ["/usr/out", "/etc/hosts", "/proc/sys/kernel/hostname"]) writes("write " + path, path);
  for (const path of ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/dev/mem", "/dev/kmsg", "/dev/sda"]) opens(path, "r+");
  for (const path of ["/proc/kcore", "/proc/1/root/etc/shadow"]) opens(path, "r");
  if (readdirSync("/proc").filter((name) => /^\\d+$/.test(name)).length > 12) open.push("host's process table");
  runs("mount", "mount", "-t", "tmpfs", "none", "/tmp");
  runs("device", "mknod", "/tmp/disk", "b", "8", "0");
  runs("interface", "ip", "link", "add", "out0", "type", "veth");
  runs("address", "ip", "addr", "add", "10.99.99.99/32", "dev", "lo");
  runs("name space", "unshare", "--net", "true");
  runs("user name space", "unshare", "--user", "--map-root-user", "true");
  runs("chroot", "chroot", "/proc/1/root", "true");
  runs("host name", "hostname", "out");
  process.stdout.write(JSON.stringify(open));
})();
`;

describe("nothing leads out of a sandbox", { timeout: 300_000 }, () => {
  const driver = driverRegistry.provisions.get("sandbox") as ProvisionDriver;
  const owner = { run: 7, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0007" };
  let folder: TestFolder;
  let context: DriverContext;
  let port: number;
  const servers: Server[] = [];
  const listen = async (server: Server, to: object): Promise<void> => {
    servers.push(server);
    await new Promise<void>((listening) => server.listen(to, listening));
  };
  const inside = async (...words: readonly string[]) => {
    const { enter } = await driver.read(context);
    return execa("/bin/sh", ["-c", `${enter?.value ?? ""} "$@"`, "enter", ...words], { reject: false });
  };

  beforeAll(async () => {
    folder = await createTestFolder("refloat-sandbox");
    port = await findFreePort();
    await mkdir(join(folder.path, "data"));
    await writeFile(join(folder.path, "production-key"), "secret");
    // Production: on the port that the sandbox has too, and by sockets that anybody may open.
    await listen(
      createHttpServer((_, to) => void to.end("outside")),
      { port },
    );
    await listen(createServer(), { path: join(folder.path, "socket") });
    await listen(createServer(), { path: `\0refloat-${process.pid}` });
    context = createTestContext({
      folder: folder.path,
      component: "box",
      options: {
        start: `exec '${node}' -e '${serve}'`,
        port,
        environment: { PORT: port },
        addresses: ["10.20.30.40"],
        hosts: { "db.production.example": "10.20.30.40" },
        hostname: "shop-1",
        read: [dirname(node)],
        write: [join(folder.path, "data")],
        stopTimeout: "2s",
      },
    });
    await driver.apply(context, owner);
  });
  afterAll(async () => {
    await driver.destroy(context, owner);
    for (const server of servers) server.close();
    await folder.remove();
  });

  it("has production's port, address and names to itself", async () => {
    const ask = `fetch("http://db.production.example:${port}/").then((said) => said.text()).then(console.log)`;
    expect((await inside(node, "-e", ask)).stdout).toBe("inside");
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("outside");
    expect((await inside("uname", "-n")).stdout).toBe("shop-1");
  });

  it("tells its names to a server that runs as its own user, and lets it reach what it was given", async () => {
    const asNobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--", "/bin/sh", "-c"];
    const given = `test -d ${join(folder.path, "data")} && echo x > /tmp/own`;
    const said = await inside(...asNobody, `getent hosts db.production.example && ${given}`);
    expect(said).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("10.20.30.40") });
  });

  it("is told as a line that a shell reads as what is run", async () => {
    const [line = ""] = (await driver.preflight(context)).recoveryCommands;
    const words = await execa("/bin/sh", ["-c", `printf '%s\\n' ${line}`]);
    // The last word is all of the declared line.
    expect(words.stdout.split("\n").at(-1)).toBe(`exec '${node}' -e '${serve}'`);
  });

  it("writes to what was given, and to nothing else that lasts", async () => {
    await inside("/bin/sh", "-c", `echo kept > ${join(folder.path, "data/kept")}`);
    expect(await readFile(join(folder.path, "data/kept"), "utf8")).toBe("kept\n");
  });

  it("lets nothing out, though root tries", async () => {
    const hostAddresses = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ family, internal }) => family === "IPv4" && !internal)
      .map(({ address }) => address);
    const told = {
      hostPort: await secondPort(),
      hostAddresses,
      hostSocket: join(folder.path, "socket"),
      abstractSocket: `\0refloat-${process.pid}`,
      hostPid: process.pid,
      hostFile: join(folder.path, "production-key"),
    };
    // Each of them does lead somewhere from outside, or the test would show nothing.
    const outside = await execa(node, ["-e", escapes, JSON.stringify({ ...told, isInside: false })]);
    expect(JSON.parse(outside.stdout)).toEqual([
      "host's loopback",
      "host's Unix socket",
      "host's abstract socket",
      "host's file",
      "host's process",
    ]);
    const tried = await inside(node, "-e", escapes, JSON.stringify({ ...told, isInside: true }));
    expect(tried.stderr).toBe("");
    expect(JSON.parse(tried.stdout)).toEqual([]);
  });

  /** A port of the host on which nothing listens inside. */
  const secondPort = async (): Promise<number> => {
    const second = await findFreePort();
    await listen(createServer(), { port: second });
    return second;
  };
});
