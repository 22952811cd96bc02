/** Provision of a container: a real one by podman and runc, over a root file system of one program, in a storage of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DriverContext } from "../../core/ports/driver.ts";
import type { ProvisionDriver } from "../../core/ports/provision.ts";
import { driverRegistry } from "../../driver-registry.ts";
import { readInstanceRecord, writeInstanceRecord } from "../../platform/instance-record.ts";
import { createTestContext } from "../../testing/driver-context.ts";
import { findFreePort } from "../../testing/free-port.ts";
import { openPodmanBench } from "../../testing/podman-bench.ts";
import type { ProvisionAct } from "../../testing/provision-act-program.ts";
import { describeProvisionContract } from "../../testing/provision-contract.ts";
import { podmanSchema } from "./podman-options.ts";

const bench = await openPodmanBench();
afterAll(() => bench.close());

const serving = (port: number) => ({
  ...bench.declared,
  rootfs: bench.rootfs,
  network: "host",
  command: ["httpd", "-f", "-p", `127.0.0.1:${port}`, "-h", "/www"],
  ports: [port],
});

describeProvisionContract({
  type: "podman",
  declare: async () => serving(await findFreePort()),
  count: bench.count,
  killable: { leastPoints: 8, remove: false },
});

describe("a container", { timeout: 300_000 }, () => {
  const driver = driverRegistry.provisions.get("podman") as ProvisionDriver;
  const owner = { run: 42, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0042" };
  const other = { run: 43, runUid: "6c1f5b1e-0d2c-4f0a-9f5e-2b6b7a1c0043" };
  let folder: string;
  let scenes = 0;

  beforeEach(async () => {
    folder = join(bench.folder, `scene-${(scenes += 1)}`);
    await mkdir(folder);
  });
  afterEach(async () => {
    await bench.podman("rm", "--all", "--force", "--volumes");
  });

  const contextOf = (options: unknown, values: Record<string, string> = {}): DriverContext =>
    createTestContext({ folder, component: "box", options, values });
  /** One that only waits. */
  const waiting = { ...bench.declared, rootfs: bench.rootfs, network: "none", command: ["sleep", "1000"] };
  const status = (name = "shop.box"): Promise<string> =>
    bench.podman("container", "inspect", "--format", "{{.State.Status}}", name);

  it("answers at its outputs, outlives who made it, and its root file system is not written to", async () => {
    const port = await findFreePort();
    const context = contextOf({
      ...serving(port),
      command: ["sh", "-c", `echo new > /www/index.html; exec httpd -f -p 127.0.0.1:${port} -h /www`],
    });
    await driver.apply(context, owner);
    const outputs = await driver.read(context);
    expect(outputs).toMatchObject({ address: { value: `127.0.0.1:${port}` }, port: { value: String(port) } });
    expect(await (await fetch(outputs["url"]?.value ?? "")).text()).toBe("new\n");
    expect(await readFile(join(bench.rootfs, "www/index.html"), "utf8")).toBe("inside\n");
    expect(await bench.podman("exec", outputs["container"]?.value ?? "", "cat", "/www/index.html")).toBe("new");
  });

  it("gets secrets by its environment, of any form, and by no command line", async () => {
    const key = "-----BEGIN KEY-----\nhunter2 = x\n-----END KEY-----";
    const context = contextOf(
      { ...waiting, environment: { KEY: "${file:/key}", PLAIN: "seen", COUNT: 3 } },
      { "file:/key": `secret!${key}` },
    );
    await driver.apply(context, owner);
    expect(await bench.podman("exec", "shop.box", "env")).toContain(`KEY=${key}\n`);
    expect(await bench.podman("exec", "shop.box", "env")).toContain("PLAIN=seen\n");
    expect(await bench.calls()).toContain("--env=KEY ");
    expect(await bench.calls()).not.toContain("hunter2");
    expect(JSON.stringify(await driver.preflight(context))).not.toContain("hunter2");
    expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner });
  });

  it("refuses a secret that podman would take for its own, and one on a command line", async () => {
    const values = { "file:/key": "secret!http://me:hunter2@proxy" };
    for (const options of [{ environment: { HTTPS_PROXY: "${file:/key}" } }, { command: ["sh", "-c", "${file:/key}"] }])
      await expect(driver.apply(contextOf({ ...waiting, ...options }, values), owner)).rejects.toMatchObject({
        code: "config.invalid",
      });
    expect(await bench.count()).toBe(0);
  });

  it("leaves a stranger's container of the same name alone", async () => {
    const words = ["--network=none", ...bench.declared.arguments, "--rootfs", `${bench.rootfs}:O`, "sleep", "1000"];
    await bench.podman("run", "--detach", "--name=shop.box", "--label=refloat.run=42", ...words);
    const context = contextOf(waiting);
    for (const act of [
      () => driver.inspect(context),
      () => driver.preview(context),
      () => driver.apply(context, owner),
      () => driver.destroy(context, owner),
    ])
      await expect(act()).rejects.toThrow("a container shop.box is there, which Refloat has not made for box");
    expect(await status()).toBe("running");
  });

  it("is not there while somebody else listens on its port", async () => {
    const port = await findFreePort();
    await bench.podman(
      "run",
      "--detach",
      "--name=other",
      "--network=host",
      ...bench.declared.arguments,
      "--rootfs",
      `${bench.rootfs}:O`,
      "httpd",
      "-f",
      "-p",
      `127.0.0.1:${port}`,
    );
    await expect(driver.inspect(contextOf(serving(port)))).rejects.toMatchObject({ code: "instance.exists" });
    const context = contextOf({ ...serving(port), command: ["sleep", "1000"], startTimeout: "1s" });
    await expect(driver.apply(context, owner)).rejects.toThrow(
      `container shop.box does not listen on port ${port} within 1 s`,
    );
    expect(await bench.count()).toBe(1);
  });

  it("that has ended is started again, and stopped again by who started it, not removed", async () => {
    const context = contextOf(serving(await findFreePort()));
    await driver.apply(context, owner);
    const { container } = await driver.read(context);
    await bench.podman("kill", "shop.box");
    await expect.poll(() => status()).toBe("exited");
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
    expect((await driver.preview(context)).what).toBe(
      "starts container shop.box again, which run 42 made and which has exited with status 137",
    );
    await driver.apply(context, other);
    expect(await driver.inspect(context)).toMatchObject({ presence: "done", owner: other });
    expect((await driver.read(context))["container"]).toEqual(container);
    await expect(driver.destroy(context, owner)).rejects.toThrow("run 43 started container shop.box");
    await driver.destroy(context, other);
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
    expect(await status()).toBe("exited");
    await driver.destroy(context, owner);
    expect(await bench.count()).toBe(0);
  });

  it("of another declaration is neither used nor replaced", async () => {
    await driver.apply(contextOf(waiting), owner);
    expect(await driver.inspect(contextOf({ ...waiting, command: ["sleep", "1001"] }))).toEqual({
      presence: "partial",
      owner,
      found: "container shop.box was made by another declaration; if nobody needs it: podman rm --force shop.box",
    });
  });

  it("that cannot start says why, and leaves nothing", async () => {
    const command = ["sh", "-c", "echo no disk for $TOKEN; exit 3"];
    const context = contextOf(
      { ...serving(await findFreePort()), command, environment: { TOKEN: "${file:/token}" } },
      { "file:/token": "secret!hunter2" },
    );
    await expect(driver.apply(context, owner)).rejects.toThrow(
      "container shop.box ended before it was there: no disk for [secret]",
    );
    await expect(driver.apply(contextOf({ ...waiting, command: ["nosuch"] }), owner)).rejects.toThrow(
      /podman start of box failed: .*"nosuch": executable file not found/,
    );
    await expect(driver.apply(contextOf({ ...waiting, mounts: ["/no/such:/data"] }), owner)).rejects.toThrow(
      /podman create of box failed: .*\/no\/such: no such file/,
    );
    expect(await readInstanceRecord({ stateDirectory: folder }, "shop.box")).toBeNull();
    expect(await bench.count()).toBe(0);
  });

  it("is of an image by its digest, and of nothing where that cannot be had", async () => {
    await execa("tar", ["-C", bench.rootfs, "-cf", join(folder, "root.tar"), "."]);
    await bench.podman("import", "--quiet", join(folder, "root.tar"), "localhost/box:1");
    const image = await bench.podman("image", "inspect", "--format", "{{index .RepoDigests 0}}", "localhost/box:1");
    const { rootfs: _rootfs, ...rest } = waiting;
    const context = contextOf({ ...rest, image });
    expect((await driver.preview(context)).what).toBe(`container shop.box of ${image}`);
    await driver.apply(context, owner);
    expect(await driver.inspect(context)).toMatchObject({ presence: "done" });
    await driver.destroy(context, owner);
    const absent = contextOf({ ...rest, image: `localhost:1/box@sha256:${"0".repeat(64)}` });
    expect((await driver.preview(absent)).what).toMatch(/, which is pulled$/);
    expect(await bench.count()).toBe(0);

    // What a podman leaves that was killed while it created one: storage under the name, and no container.
    await bench.podman("create", "--name=shop.box", image, "sleep", "1");
    await rm(join(bench.folder, "storage/libpod/bolt_state.db"));
    await expect(driver.inspect(context)).rejects.toThrow("the name shop.box is taken by storage");
    await writeInstanceRecord(context, { name: "shop.box", ...owner }, "begun");
    expect(await driver.inspect(context)).toMatchObject({ presence: "partial", owner });
    await driver.destroy(context, other);
    expect(await bench.count()).toBe(1);
    await driver.destroy(context, owner);
    expect(await driver.inspect(context)).toEqual({ presence: "absent" });
    expect(await bench.count()).toBe(0);
    await bench.podman("image", "rm", "localhost/box:1");
  });

  const program = fileURLToPath(new URL("../../testing/provision-act-program.ts", import.meta.url));
  const requestOf = async (options: unknown, act: "apply" | "destroy"): Promise<string> => {
    const file = join(folder, `${act}.json`);
    const request: ProvisionAct = {
      type: "podman",
      context: { folder, component: "box", options },
      act,
      owner,
      marker: "refloat/42/box/1",
    };
    await writeFile(file, JSON.stringify(request));
    return file;
  };

  it("whose Refloat is killed while podman starts it is started to the end, known, and removed whole", async () => {
    await writeFile(bench.hold, "");
    const child = spawn(process.execPath, [program, await requestOf(waiting, "apply")], { stdio: "ignore" });
    while (!existsSync(`${bench.hold}.met`)) await delay(20);
    child.kill("SIGKILL");
    await once(child, "exit");
    const context = contextOf(waiting);
    let isSeen = false;
    const seen = driver.inspect(context).finally(() => (isSeen = true));
    await delay(100);
    expect(isSeen).toBe(false);
    await rm(bench.hold);
    expect(await seen).toMatchObject({ presence: "done", owner });
    await driver.destroy(context, owner);
    expect(await bench.count()).toBe(0);
    await expect.poll(bench.monitors).toEqual([]);
  });

  it("in a network of its own answers on the port that is published for it", async () => {
    const port = await findFreePort();
    const { network: _network, ...rest } = serving(port);
    const options = { ...rest, ports: [`${port}:80`], command: ["httpd", "-f", "-p", "80", "-h", "/www"] };
    const [made, removed] = [await requestOf(options, "apply"), await requestOf(options, "destroy")];
    const ask = `fetch("http://127.0.0.1:${port}/").then((said) => said.text()).then(console.log)`;
    // A network of the test's own: its bridge and rules, and what is remembered of them under /var/lib, go with it.
    const { stdout } = await execa("unshare", [
      "--net",
      "--mount",
      "/bin/sh",
      "-c",
      `mount -t tmpfs none /var/lib; ip link set lo up; "$0" "$1" "$2" && "$0" -e '${ask}'; "$0" "$1" "$3"`,
      process.execPath,
      program,
      made,
      removed,
    ]);
    expect(stdout).toBe("inside\n");
    expect(await bench.count()).toBe(0);
  });

  it("is asked for before the night: podman, its runtime, its folders", async () => {
    const report = await driver.preflight(contextOf({ ...waiting, mounts: ["/no/such:/data:ro"] }));
    expect(report.findings).toEqual([
      {
        ok: true,
        subject: "provision box",
        found: expect.stringContaining("a recovery makes it, container shop.box over"),
      },
      { ok: false, subject: "mount", found: "/no/such is not there", hint: "make it, or let an entry above make it" },
    ]);
    expect(report.recoveryCommands[1]).toMatch(/^podman --root=.* start shop\.box$/);
    const withoutRuntime = [...bench.declared.options.slice(0, -1), "--runtime=/no/runtime"];
    expect((await driver.preflight(contextOf({ ...waiting, options: withoutRuntime }))).findings).toEqual([
      expect.objectContaining({ ok: false, subject: "podman", found: expect.stringContaining("/no/runtime") }),
    ]);
    const path = process.env["PATH"];
    process.env["PATH"] = folder;
    try {
      expect((await driver.preflight(contextOf(waiting))).findings).toEqual([
        { ok: false, subject: "podman", found: "is not installed", hint: "Debian: apt-get install podman" },
      ]);
      await expect(driver.inspect(contextOf(waiting))).rejects.toMatchObject({ code: "program.missing" });
    } finally {
      process.env["PATH"] = path;
    }
  });
});

describe("keys of a container", () => {
  const image = `registry.example.com/cache@sha256:${"a".repeat(64)}`;
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ image: "cache:7" }, "image is NAME@sha256:DIGEST, since a tag may stand for another one by then"],
    [{}, "a container is made from an image or from a rootfs: one of the two"],
    [{ image, rootfs: "/srv/root" }, "a container is made from an image or from a rootfs: one of the two"],
    [{ image, ports: ["6390:70000"] }, "a port is 6390, 6390:6379 or 10.0.0.5:6390:6379"],
    [{ image, network: "none", ports: [6390] }, "nothing listens for others in network none: leave out ports"],
    [
      { image, network: "host", ports: ["6390:6379"] },
      "in the network of the host a port is the same inside: write it once",
    ],
    [{ image, mounts: ["data:/data"] }, "a mount is /FOLDER:/FOLDER inside, with :ro to only read"],
    [{ image, arguments: ["--replace"] }, "--replace is for Refloat to say"],
    [{ image, arguments: ["--env=PASSWORD=x"] }, "--env is for Refloat to say"],
    [
      { image, arguments: ["other:1"] },
      "arguments are long options with their value in the same word: --ulimit=nofile=1024",
    ],
    [
      { image, options: ["--root=${disk.path}"] },
      "options are the same for all that is asked of podman, and hold no reference",
    ],
    [{ image, options: ["--remote"] }, "--remote is not for options: only containers of this machine are watched"],
  ];
  it.each(wrong)("%j: %s", (options, message) => {
    expect(podmanSchema.safeParse(options).error?.issues.map((issue) => issue.message)).toEqual([message]);
  });
});
