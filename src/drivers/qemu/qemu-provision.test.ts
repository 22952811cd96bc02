/** Provision of a virtual machine: real ones by qemu, that boot a real kernel where it matters what runs inside. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DriverContext } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { driverRegistry } from "../../driver-registry.ts";
import { readInstanceRecord } from "../../platform/instance-record.ts";
import { isPortOpen } from "../../platform/port-owner.ts";
import { createTestContext } from "../../testing/driver-context.ts";
import { findFreePort } from "../../testing/free-port.ts";
import type { ProvisionAct } from "../../testing/provision-act-program.ts";
import { describeProvisionContract } from "../../testing/provision-contract.ts";
import { openQemuBench } from "../../testing/qemu-bench.ts";
import { type QemuOptions, qemuSchema } from "./qemu-options.ts";
import { talkTo } from "./qmp.ts";

const bench = await openQemuBench();
afterAll(() => bench.close());

describeProvisionContract({
  type: "qemu",
  // It starts nothing, so that it is there as soon as it runs: the guest's own way up is none of the contract.
  declare: async () => ({ ...bench.idle, stopTimeout: "100ms" }),
  count: async ({ stateDirectory }) => bench.machines(stateDirectory).length,
  killable: { leastPoints: 12, remove: true },
});

/** What firmware starts from a disk of a MiB or more: says the text on the first serial port, and halts. */
const bootSector = (text: string): Buffer => {
  const sector = Buffer.alloc(512);
  // xor ax,ax; mov ds,ax; mov si,0x7c15; mov dx,0x3f8; 1: lodsb; test al,al; jz 2f; out dx,al; jmp 1b; 2: hlt; jmp 2b
  sector.write("31c08ed8be157cbaf803ac84c07403eeebf8f4ebfd", "hex");
  sector.write(text, 0x15);
  sector.write("55aa", 510, "hex");
  return sector;
};

describe("a virtual machine", { timeout: 900_000 }, () => {
  const driver = driverRegistry.provisions.get("qemu") as ProvisionDriver;
  const owner = { run: 42, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0042" };
  const other = { run: 43, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0043" };
  const program = fileURLToPath(new URL("../../testing/provision-act-program.ts", import.meta.url));
  let folder: string;
  let scenes = 0;

  beforeEach(async () => {
    // The path of a socket in it is longer than a socket's may be.
    folder = join(bench.folder, `scene-${(scenes += 1)}-${"long".repeat(25)}`);
    await mkdir(folder);
  });
  afterEach(async () => {
    const context = contextOf({ ...bench.idle, stopTimeout: "100ms" });
    for (const who of [other, owner]) await driver.destroy(context, who).catch(() => undefined);
  });

  const contextOf = (options: unknown, values: Record<string, string> = {}): DriverContext =>
    createTestContext({ folder, component: "box", options, values });
  const machineOf = (name: string): string => join(folder, "machine", name);
  const digest = async (path: string): Promise<string> =>
    createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  /** Refloat as a process of its own. */
  const act = async (options: unknown): Promise<ReturnType<typeof spawn>> => {
    const file = join(folder, "request.json");
    const request: ProvisionAct = {
      type: "qemu",
      context: { folder, component: "box", options },
      act: "apply",
      owner,
      marker: "refloat/42/box/1",
    };
    await writeFile(file, JSON.stringify(request));
    return spawn(process.execPath, [program, file], { stdio: ["ignore", "inherit", "inherit"] });
  };
  const get = async (url: string): Promise<string> => (await fetch(url)).text();
  /** Something of this machine that the guest may try to reach. */
  const listen = async () => {
    const server = createServer((socket) => socket.end("hello\n"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return { asked: `/cgi-bin/reach?10.0.2.2:${port}`, close: () => server.close() };
  };

  it("serves from its own layer, outlives who made it, and goes on from its disk after its end", async () => {
    const port = await findFreePort();
    const options = { ...bench.guest, ports: [`${port}:80`] };
    const context = contextOf(options);
    const base = await digest(bench.base);
    const [code] = (await once(await act(options), "exit")) as [number | null];
    expect(code).toBe(0);
    expect(await driver.inspect(context)).toEqual({
      presence: "done",
      owner,
      found: `virtual machine shop.box (process ${bench.machines(folder).join()}, by tcg)`,
    });
    const outputs = await driver.read(context);
    expect(outputs).toMatchObject({ address: { value: `127.0.0.1:${port}` }, port: { value: String(port) } });
    const url = outputs["url"]?.value ?? "";
    expect(await get(url)).toBe(`${bench.content}\n`);
    expect(await readFile(outputs["console"]?.value ?? "", "utf8")).toContain("guest is up");
    // Nothing of this machine can be reached from inside.
    const server = await listen();
    expect(await get(url + server.asked)).toBe("no way\n");
    server.close();

    // It ends, as by a reboot of this machine.
    const [pid = 0] = bench.machines(folder);
    process.kill(pid, "SIGKILL");
    await expect.poll(() => isPortOpen(port)).toBe(false);
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
    await expect(driver.read(context)).rejects.toMatchObject({ code: "provision.absent" });
    expect((await driver.preview(context)).what).toBe(
      "starts virtual machine shop.box again, which run 42 made and which has ended",
    );
    expect((await driver.apply(context, other)).summary).toBe("virtual machine shop.box, started again, by tcg");
    expect(await get(url)).toBe(`${bench.content}\n`);
    await expect(driver.destroy(context, owner)).rejects.toThrow("run 43 started it");
    // Who started it again lets it power down, and what it wrote then is kept.
    await driver.destroy(context, other);
    expect(bench.machines(folder)).toEqual([]);
    expect(await bench.readDisk(machineOf("disk.qcow2"), 0, 16)).toBe(`${bench.content}\npowered `);
    expect(await digest(bench.base)).toBe(base);
    await driver.destroy(context, owner);
    expect(existsSync(machineOf(""))).toBe(false);
    expect(await readInstanceRecord(context, "box")).toBeNull();
  });

  it("by KVM where machines prove to run by it, else without, and with a way out where that is declared", async () => {
    const port = await findFreePort();
    const context = contextOf({
      ...bench.guest,
      accelerator: "auto",
      network: "outbound",
      ports: [`${port}:80`],
    });
    const { summary } = await driver.apply(context, owner);
    expect(summary).toMatch(/^virtual machine shop\.box, by (kvm|tcg|tcg, since by KVM it .+)$/);
    expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner });
    const server = await listen();
    expect(await get(`http://127.0.0.1:${port}${server.asked}`)).toBe("hello\nreached\n");
    server.close();
    await driver.destroy(context, owner);
  });

  it("whose Refloat is killed while it boots is known, and removed whole", async () => {
    const options = { ...bench.guest, ports: [`${await findFreePort()}:80`] };
    const context = contextOf(options);
    const child = await act(options);
    while (bench.machines(folder).length === 0) await delay(20);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await driver.inspect(context)).toEqual({
      presence: "partial",
      owner,
      found: "virtual machine shop.box was never made whole",
    });
    await expect(driver.destroy(context, other)).rejects.toThrow("run 42 made it");
    await driver.destroy(context, owner);
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
    expect(bench.machines(folder)).toEqual([]);
  });

  it("that does not come up says why, and leaves nothing", async () => {
    const ports = [`${await findFreePort()}:80`];
    const failing = join(folder, "failing.raw");
    await writeFile(failing, Buffer.concat([bootSector("\u001b[31mno root\u0007\r\n"), Buffer.alloc(2 ** 20)]));
    const wrong: readonly (readonly [Partial<QemuOptions>, string | RegExp])[] = [
      // Qemu itself listens there, which is not taken for an answer.
      [
        { disk: failing, format: "raw", ports, startTimeout: "20s" },
        String.raw`virtual machine shop.box did not answer on port 80 within 20 s: no root\x07`,
      ],
      [{ memory: "900000GiB" }, /virtual machine shop\.box ended before it was there: [^]*memory/],
      [{ format: "raw", disk: join(bench.folder, "none.raw") }, /disk of box, .*none\.raw, is not there/],
      [{ kernel: "/etc/hostname" }, /virtual machine shop\.box ended before it was there: [^]*kernel/],
    ];
    for (const [options, message] of wrong) {
      const context = contextOf({ ...bench.idle, ...options });
      await expect(driver.apply(context, owner)).rejects.toThrow(message);
      expect(bench.machines(folder)).toEqual([]);
      expect(existsSync(machineOf(""))).toBe(false);
      expect(await readInstanceRecord(context, "box")).toBeNull();
    }
  });

  it("starts what its disk starts, and is not taken for whole when it was stopped, declared otherwise, or lies over a base that has changed", async () => {
    const base = join(folder, "base.raw");
    await writeFile(base, Buffer.concat([bootSector("disk started"), Buffer.alloc(2 ** 20)]));
    const options = { ...bench.idle, disk: base, format: "raw", stopTimeout: "1s" };
    const context = contextOf(options);
    await driver.apply(context, owner);
    const [pid = 0] = bench.machines(folder);
    const hint = `if nobody needs it: kill ${pid}; rm -r ${machineOf("")}`;
    const { signal } = new AbortController();
    const control = `/proc/${pid}/cwd/qmp.sock`;
    const say = (word: string) => talkTo(control, signal, ({ ask }) => ask(word));
    const partial = (found: string) => ({ presence: "partial", owner, found: `virtual machine shop.box ${found}` });

    await expect.poll(() => readFile(machineOf("console.log"), "utf8"), { timeout: 60_000 }).toBe("disk started");
    await say("stop");
    expect(await driver.inspect(context)).toEqual(partial(`is in state paused; ${hint}`));
    await say("cont");
    expect(await driver.inspect(context)).toMatchObject({ presence: "done" });
    await expect(say("no-such-word")).rejects.toThrow("the machine refuses no-such-word: ");
    expect(await driver.inspect(contextOf({ ...options, memory: "64MiB" }))).toEqual(
      partial(`was made by another declaration; ${hint}`),
    );
    await appendFile(base, "x");
    expect(await driver.inspect(context)).toEqual(
      partial(`lies over ${base}, which has changed since or is gone; ${hint}`),
    );
    await driver.destroy(context, owner);
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
  });

  it("is not there while somebody else listens on its port", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await expect(driver.inspect(contextOf({ ...bench.idle, ports: [port] }))).rejects.toThrow(
      /box is to listen on port \d+, and process .* does, which is not its virtual machine/,
    );
    server.close();
  });

  it("takes no secret on its command line, and no path that is none", async () => {
    const { kernel } = bench.guest;
    const values = { "file:/key": "secret!hunter2", "site.path": "relative" };
    for (const options of [{ kernel, append: "key=${file:/key}" }, { disk: "${site.path}/disk" }])
      await expect(driver.apply(contextOf(options, values), owner)).rejects.toMatchObject({ code: "config.invalid" });
    expect(existsSync(machineOf(""))).toBe(false);
  });

  it("is asked for before the night: qemu, its images, the lines that make it", async () => {
    const context = contextOf({ ...bench.idle, media: ["/no/seed.iso"], ports: ["2222:22"] });
    const report = await driver.preflight(context);
    expect(report.findings).toEqual([
      {
        ok: true,
        subject: "provision box",
        found: `is not there: a recovery makes it, virtual machine shop.box from a layer over ${bench.base}, 128MiB of memory, 1 CPU, with no way out, 127.0.0.1:2222 to its port 22`,
      },
      expect.objectContaining({ ok: false, subject: "medium", found: "/no/seed.iso is not there, or may not be read" }),
      { ok: true, subject: "accelerator", found: "tcg" },
    ]);
    // The lines are read by a shell as what is run.
    const [layer = "", line = ""] = report.recoveryCommands;
    await execa("/bin/sh", ["-c", layer], { cwd: folder });
    const words = (await execa("/bin/sh", ["-c", `printf '%s\\n' ${line}`])).stdout.split("\n");
    expect(words).toContain("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22");
    expect((await driver.preflight(contextOf({ ...bench.idle, disk: process.execPath }))).findings).toContainEqual(
      expect.objectContaining({ ok: false, subject: "disk", found: expect.stringContaining("not in qcow2 format") }),
    );
    const path = process.env["PATH"];
    await symlink("/bin/rm", join(folder, "rm"));
    process.env["PATH"] = folder;
    try {
      expect((await driver.preflight(context)).findings).toContainEqual({
        ok: false,
        subject: "qemu-system-x86_64",
        found: "is not installed",
        hint: "Debian: apt-get install qemu-system-x86",
      });
      await expect(driver.apply(context, owner)).rejects.toMatchObject({ code: "program.missing" });
    } finally {
      process.env["PATH"] = path;
    }
  });
});

describe("keys of a virtual machine", () => {
  const disk = "/srv/images/box.qcow2";
  const wrong: readonly (readonly [unknown, string])[] = [
    [{}, "a virtual machine starts from a disk or from a kernel: declare one, or both"],
    [{ disk: "box.qcow2" }, "disk is an absolute path, or begins with a reference"],
    [{ kernel: "/vmlinuz", format: "raw" }, "format is that of disk"],
    [{ disk, append: "quiet" }, "initrd and append are of a kernel: declare it"],
    [{ disk, memory: "512kB" }, "memory is 1MiB or more"],
    [{ disk, ports: ["[::1]:2222:22"] }, "a port is 2222, 2222:22 or 10.0.0.5:2222:22"],
    [{ disk, ports: [70_000] }, "a port is 2222, 2222:22 or 10.0.0.5:2222:22"],
  ];
  it.each(wrong)("%j: %s", (options, message) => {
    expect(qemuSchema.safeParse(options).error?.issues.map((issue) => issue.message)).toEqual([message]);
  });
});
