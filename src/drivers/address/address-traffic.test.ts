import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createTestTrafficContext } from "../../testing/driver-context.ts";
import { type SegmentMachine, startSegment } from "../../testing/network-segment.ts";
import { type AddressOptions, addressOptionsSchema } from "./address-options.ts";
import { addressTraffic } from "./address-traffic.ts";

const context = createTestTrafficContext();
const ip = "10.9.0.50";
let machines: Readonly<Record<"blue" | "green" | "client" | "stranger", SegmentMachine>>;
let stop: () => Promise<void>;
let servers: ChildProcess[] = [];

const optionsOf = (more: object = {}): AddressOptions =>
  addressOptionsSchema.parse({
    address: `${ip}/24`,
    holders: {
      blue: { interface: "eth0", enter: machines.blue.enter },
      green: { interface: "eth0", enter: machines.green.enter },
    },
    client: { interface: "eth0", enter: machines.client.enter },
    to: "green",
    ...more,
  });
const observe = (more: object = {}) => addressTraffic.observe(context, optionsOf(more));
const addressesOf = (machine: SegmentMachine): Promise<string> => machine.run("ip -4 -o addr show dev eth0");

/** A server that tells whose it is, on whatever addresses its machine has. */
const serve = (name: string, { enter }: SegmentMachine): void => {
  const program = `require("node:net").createServer((user) => user.on("error", () => 0).end("${name}")).listen(8080)`;
  const [word = "", ...words] = enter.split(" ");
  servers.push(spawn(word, [...words, process.execPath, "-e", program], { stdio: "ignore" }));
};
/** What a user gets who knows the address for long already. */
const visit = async (address = ip): Promise<string> =>
  machines.client.run(`timeout 10 bash -c "exec 3<>/dev/tcp/${address}/8080 && cat <&3" 2>&1 || echo nobody`);

beforeEach(async () => {
  ({ machines, stop } = await startSegment(["blue", "green", "client", "stranger"]));
  await machines.blue.run(`ip addr add ${ip}/24 dev eth0`);
});
afterEach(async () => {
  for (const server of servers) {
    const ended = once(server, "exit");
    server.kill("SIGKILL");
    await ended;
  }
  servers = [];
  await stop();
});

describe("a floating address", () => {
  test("is taken away, given to another machine and back, and its users follow at once", async () => {
    serve("blue", machines.blue);
    serve("green", machines.green);
    const options = optionsOf();
    while ((await visit()) !== "blue") await delay(50);
    // By its own address, since it is to answer as soon as it has the other one.
    while ((await visit("10.9.0.2")) !== "green") await delay(50);
    expect(await observe()).toMatchObject({ admitted: true, address: "blue" });

    await addressTraffic.hold(context, options);
    await addressTraffic.hold(context, options);
    expect(await observe()).toMatchObject({ admitted: false, address: null });
    expect((await visit()).trim()).toMatch(/nobody$/);

    await addressTraffic.admit(context, options, "green");
    await addressTraffic.admit(context, options, "green");
    expect(await observe()).toMatchObject({ admitted: true, address: "green" });
    expect(await visit()).toBe("green");
    expect(await addressesOf(machines.blue)).not.toContain(ip);
    // What each has besides is as it was.
    expect(await addressesOf(machines.blue)).toContain("10.9.0.1/24");

    await addressTraffic.admit(context, options, "blue");
    expect(await visit()).toBe("blue");
    expect(await addressesOf(machines.green)).not.toContain(ip);
  });

  test("is not given to anybody while a machine that nobody named answers for it", async () => {
    await machines.stranger.run(`ip addr add ${ip}/24 dev eth0`);
    await expect(addressTraffic.admit(context, optionsOf(), "green")).rejects.toMatchObject({
      code: "fence.failed",
      message: expect.stringMatching(/^[0-9a-f:]+ answers for 10\.9\.0\.50, and is none of holders$/),
    });
    expect(await addressesOf(machines.green)).not.toContain(ip);
  });

  test("is taken over from a machine that is dead, and from none that merely cannot be asked", async () => {
    const unreachable = optionsOf({
      holders: {
        blue: { interface: "eth0", enter: "sh -c 'echo no route to host >&2; exit 255' --" },
        green: { interface: "eth0", enter: machines.green.enter },
      },
    });
    expect(await addressTraffic.observe(context, unreachable)).toMatchObject({ admitted: true, address: "blue" });
    await expect(addressTraffic.hold(context, unreachable)).rejects.toMatchObject({
      code: "fence.failed",
      message: expect.stringContaining("not all can be asked: blue:"),
    });
    await expect(addressTraffic.admit(context, unreachable, "green")).rejects.toMatchObject({ code: "fence.failed" });
    await expect(addressTraffic.admit(context, unreachable, "blue")).rejects.toMatchObject({
      code: "source.unreachable",
      message: expect.stringContaining("no route to host"),
    });
    expect(await addressesOf(machines.green)).not.toContain(ip);

    await machines.blue.cut();
    await addressTraffic.hold(context, unreachable);
    await addressTraffic.admit(context, unreachable, "green");
    expect(await addressTraffic.observe(context, unreachable)).toMatchObject({ admitted: true, address: "green" });
    await machines.green.cut();
    await expect(observe()).rejects.toMatchObject({ code: "source.unreachable" });
  });

  test("is not taken over on the word of a client that is cut off from the others and hears nobody", async () => {
    await machines.client.run(
      "ip link add lone0 type veth peer name lone1; ip link set lone0 up; ip link set lone1 up; ip addr add 10.8.0.1/24 dev lone0",
    );
    const apart = optionsOf({
      holders: {
        blue: { interface: "eth0", enter: "sh -c 'echo no route to host >&2; exit 255' --" },
        green: { interface: "eth0", enter: machines.green.enter },
      },
      client: { interface: "lone0", enter: machines.client.enter },
    });
    expect(await addressTraffic.observe(context, apart)).toMatchObject({ admitted: true, address: "blue" });
    await expect(addressTraffic.admit(context, apart, "green")).rejects.toMatchObject({ code: "fence.failed" });
    expect(await addressesOf(machines.green)).not.toContain(ip);
  });

  test("that two have at once is no state to begin from, and is mended by admitting one of them", async () => {
    await machines.green.run(`ip addr add ${ip}/32 dev eth0`);
    await expect(observe()).rejects.toMatchObject({
      code: "cutover.refused",
      message: "10.9.0.50 is on blue and on green at once",
    });
    await addressTraffic.admit(context, optionsOf(), "green");
    expect(await observe()).toMatchObject({ admitted: true, address: "green" });
  });

  test("is not taken where the kernel would take others with it", async () => {
    await machines.blue.run(
      `ip addr flush dev eth0 scope global; ip addr add ${ip}/24 dev eth0; ip addr add 10.9.0.1/24 dev eth0`,
    );
    await expect(addressTraffic.hold(context, optionsOf())).rejects.toMatchObject({
      code: "cutover.refused",
      message: "blue would lose 10.9.0.1 with 10.9.0.50, to which they are secondary",
      hint: "give the floating address a prefix of its own there: 10.9.0.50/32",
    });
    expect(await addressesOf(machines.blue)).toContain("10.9.0.1/24");
  });

  test("is moved though the client has died that looks on", async () => {
    const options = optionsOf();
    await machines.client.cut();
    await addressTraffic.hold(context, options);
    await addressTraffic.admit(context, options, "green");
    expect(await observe()).toMatchObject({ admitted: true, address: "green" });
  });

  test("is not given to a machine whose interface is down", async () => {
    await machines.green.run("ip link set eth0 down");
    await expect(addressTraffic.admit(context, optionsOf(), "green")).rejects.toMatchObject({ code: "target.failed" });
    expect(await observe()).toMatchObject({ admitted: true, address: "blue" });
  });
});

describe("before anything is touched", () => {
  const findings = async (more: object = {}) =>
    (await addressTraffic.preflight(context, optionsOf(more))).findings.map(({ ok, subject, found }) => [
      ok,
      subject,
      found,
    ]);

  test("it is told who has the address and who could get it", async () => {
    expect(await findings()).toEqual([
      [true, "blue", "eth0 is up, has 10.9.0.50"],
      [true, "green", "eth0 is up, does not have 10.9.0.50"],
      [true, "client", expect.stringMatching(/^[0-9a-f:]+ answers it for the address$/)],
    ]);
    const holders = {
      blue: { interface: "eth0", enter: machines.blue.enter },
      green: { interface: "eth1", enter: machines.green.enter },
    };
    expect(await findings({ holders, client: undefined })).toEqual([
      [true, "blue", "eth0 is up, has 10.9.0.50"],
      [false, "green", expect.stringContaining('Device "eth1" does not exist.')],
      [true, "client", "none declared: nobody looks from outside who answers for the address after a cutover"],
    ]);
    expect(await observe()).toMatchObject({ admitted: true, address: "blue" });
  });

  test.each([
    ["no address", { address: "shop.example.com" }],
    ["IPv6", { address: "2001:db8::1/64" }],
    ["a prefix that is none", { address: "10.0.0.1/33" }],
    ["an interface of another form", { client: { interface: "eth0; reboot" } }],
    ["an interface that is an option", { client: { interface: "-all" } }],
    ["one holder", { holders: { blue: { interface: "eth0" } }, to: "blue" }],
    ["an unknown holder", { to: "red" }],
  ])("is refused: %s", (_, more) => {
    expect(() => optionsOf(more)).toThrow(/write|name/);
  });
});
