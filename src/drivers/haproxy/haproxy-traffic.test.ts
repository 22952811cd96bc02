import { chmod, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TrafficDriver } from "../../core/ports/traffic.ts";
import { type TestFolder, createTestFolder, createTestTrafficContext } from "../../testing/driver-context.ts";
import { type HaproxyOptions, type HaproxyServer, startHaproxy } from "../../testing/haproxy-server.ts";
import { type HttpSide, askHttp, startHttpSide } from "../../testing/http-side.ts";
import { haproxyBundle } from "./haproxy-bundle.ts";

const [driver] = haproxyBundle.traffic as [TrafficDriver];
const context = createTestTrafficContext();

const sides: HttpSide[] = [];
let proxy: HaproxyServer | null = null;
let folder: TestFolder;

/** A side that answers its name; with `held` only once that resolves. */
const startSide = async (name: string, held?: Promise<void>): Promise<HttpSide> => {
  const side = await startHttpSide(name, held);
  sides.push(side);
  return side;
};

const startProxy = async (options: HaproxyOptions): Promise<HaproxyServer> => {
  proxy = await startHaproxy({ ...options, directory: folder.path });
  return proxy;
};

const optionsOf = (server: HaproxyServer, more: object = {}) => ({
  haproxy: "shop/app",
  socket: server.socket,
  to: "${app.address}",
  ...more,
});

beforeEach(async () => {
  folder = await createTestFolder();
});
afterEach(async () => {
  await proxy?.stop();
  proxy = null;
  for (const side of sides.splice(0)) await side.close();
  await folder.remove();
});

describe("traffic through HAProxy", () => {
  test("is held, directed to the other side and admitted, each once more without effect", async () => {
    const [blue, green] = [await startSide("blue"), await startSide("green")];
    const server = await startProxy({ servers: { app: blue.address } });
    const options = optionsOf(server);
    expect(await askHttp(server.url)).toEqual({ status: 200, body: "blue" });
    expect(await driver.observe(context, options)).toMatchObject({ admitted: true, address: blue.address });

    await driver.hold(context, options);
    await driver.hold(context, options);
    expect((await askHttp(server.url)).status).toBe(503);
    expect(await driver.observe(context, options)).toMatchObject({ admitted: false, address: blue.address });

    await driver.admit(context, options, green.address);
    await driver.admit(context, options, green.address);
    expect(await askHttp(server.url)).toEqual({ status: 200, body: "green" });
    expect(await driver.observe(context, options)).toMatchObject({ admitted: true, address: green.address });
  });

  test("has its last requests answered, or cut, before it counts as held", async () => {
    const { promise: never } = Promise.withResolvers<void>();
    const slow = await startSide("slow", never);
    const server = await startProxy({ servers: { app: slow.address } });
    const options = optionsOf(server);
    const pending = askHttp(server.url).then(
      ({ status }) => status,
      () => 0,
    );
    while ((await server.ask("show stat")).split("\n").every((row) => !row.startsWith("shop,app,0,0,1,")))
      await context.clock.sleep(10, context.signal);
    await driver.hold(context, options);
    expect(await server.ask("show sess")).not.toContain("srv=app");
    expect(await pending).not.toBe(200);
  });

  test("is admitted only when the server passes its own health check", async () => {
    const blue = await startSide("blue");
    const server = await startProxy({ servers: { app: `${blue.address} check inter 50ms fall 1 rise 1` } });
    const options = optionsOf(server);
    await driver.hold(context, options);
    const green = await startSide("green");
    await driver.admit(context, options, green.address);
    expect(await askHttp(server.url)).toEqual({ status: 200, body: "green" });
  });

  test("survives a reload by the state file, held or admitted", async () => {
    const [blue, green] = [await startSide("blue"), await startSide("green")];
    const server = await startProxy({ servers: { app: blue.address } });
    const options = optionsOf(server, { stateFile: server.stateFile });
    await chmod(server.stateFile, 0o640);
    await driver.hold(context, options);
    await server.reload();
    expect(await driver.observe(context, options)).toMatchObject({ admitted: false });
    await driver.admit(context, options, green.address);
    await server.reload();
    expect(await driver.observe(context, options)).toMatchObject({ admitted: true, address: green.address });
    expect(await askHttp(server.url)).toEqual({ status: 200, body: "green" });
    expect((await stat(server.stateFile)).mode & 0o777).toBe(0o640);
    expect(await readFile(server.stateFile, "utf8")).toMatch(/^1\n# be_id /);
  });

  test("keeps a new address over a reload where the server has a name", async () => {
    const blue = await startSide("blue");
    const server = await startProxy({ servers: { app: `localhost:${blue.port} init-addr last,libc` } });
    const options = optionsOf(server, { stateFile: server.stateFile });
    await driver.admit(context, options, `127.0.0.2:${blue.port}`);
    await server.reload();
    expect(await driver.observe(context, options)).toMatchObject({ address: `127.0.0.2:${blue.port}` });
  });

  test("goes back to the old side on a reload without a state file, as preflight says", async () => {
    const [blue, green] = [await startSide("blue"), await startSide("green")];
    const server = await startProxy({ servers: { app: blue.address, spare: green.address } });
    const { findings, commands, recoveryCommands } = await driver.preflight(context, optionsOf(server));
    expect(findings.every(({ ok }) => ok)).toBe(true);
    const said = findings.map(({ found }) => found).join("\n");
    expect(said).toContain("a reload of HAProxy after the cutover sends traffic back");
    expect(said).toContain(`spare (${green.address})`);
    expect(commands).toEqual([]);
    expect(recoveryCommands).toContain("set server shop/app state maint");
    await driver.admit(context, optionsOf(server), green.address);
    await server.reload();
    expect(await driver.observe(context, optionsOf(server))).toMatchObject({ address: blue.address });
  });

  test("is directed over a TCP socket too", async () => {
    const blue = await startSide("blue");
    const server = await startProxy({ servers: { app: blue.address }, tcpSocket: true });
    const options = optionsOf(server, { socket: server.tcpSocket });
    await driver.hold(context, options);
    expect(await driver.observe(context, options)).toMatchObject({ admitted: false });
  });
});

describe("what HAProxy refuses", () => {
  test.each([
    ["an unknown server", { haproxy: "shop/nobody" }, "config.invalid", "there is no such server"],
    ["an unknown back end", { haproxy: "market/app" }, "config.invalid", "there is no such back end"],
    ["a socket that is not there", { socket: "/nowhere/admin.sock" }, "source.unreachable", "it is not there"],
    ["a socket that is none", { socket: "admin.sock" }, "config.invalid", "is no socket of HAProxy"],
  ])("is said in words: %s", async (_what, change, code, words) => {
    const blue = await startSide("blue");
    const server = await startProxy({ servers: { app: blue.address } });
    for (const act of [driver.observe, driver.hold]) {
      await expect(act(context, optionsOf(server, change))).rejects.toMatchObject({
        code,
        message: expect.stringContaining(words) as string,
      });
    }
  });

  test("is said in words: a socket of too low a level", async () => {
    const blue = await startSide("blue");
    const server = await startProxy({ servers: { app: blue.address }, socketLevel: "operator" });
    await expect(driver.hold(context, optionsOf(server))).rejects.toMatchObject({
      code: "source.denied",
      hint: expect.stringContaining("level admin") as string,
    });
    const { findings } = await driver.preflight(context, optionsOf(server));
    expect(findings).toContainEqual(expect.objectContaining({ ok: false, subject: server.socket }));
  });

  test.each(["localhost:8082", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999"])(
    "is said in words: traffic to %s",
    async (to) => {
      const blue = await startSide("blue");
      const server = await startProxy({ servers: { app: blue.address } });
      await expect(driver.admit(context, optionsOf(server), to)).rejects.toMatchObject({ code: "config.invalid" });
      expect(await driver.observe(context, optionsOf(server))).toMatchObject({ admitted: true, address: blue.address });
    },
  );

  test("is not hidden: a state file that cannot be written is a finding", async () => {
    const blue = await startSide("blue");
    const server = await startProxy({ servers: { app: blue.address } });
    const stateFile = join(folder.path, "gone", "servers.state");
    await rm(join(folder.path, "gone"), { recursive: true, force: true });
    const { findings } = await driver.preflight(context, optionsOf(server, { stateFile }));
    expect(findings).toContainEqual(expect.objectContaining({ ok: false, subject: stateFile }));
  });
});
