import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TrafficContext } from "../../core/ports/traffic.ts";
import {
  type BindPrimary,
  type BindServer,
  lookUp,
  startBindPrimary,
  startBindResolver,
} from "../../testing/bind-server.ts";
import { runProgram } from "../../platform/subprocess.ts";
import { type TestFolder, createTestFolder, createTestTrafficContext } from "../../testing/driver-context.ts";
import { type DnsOptions, dnsOptionsSchema } from "./dns-options.ts";
import { dnsTraffic } from "./dns-traffic.ts";
import { sendUpdate } from "./dns-update.ts";

const oldSide = "192.0.2.1";
const newSide = "192.0.2.2";
const page = "192.0.2.99";

let folder: TestFolder;
let primary: BindPrimary;
let resolver: BindServer;
let context: TrafficContext;

beforeAll(async () => {
  folder = await createTestFolder();
  primary = await startBindPrimary([
    `held 2 IN A ${oldSide}`,
    `plain 3600 IN A ${oldSide}`,
    `moved 2 IN A ${oldSide}`,
    `byhand 2 IN A ${oldSide}`,
    `kept 2 IN A ${oldSide}`,
    "both 2 IN A 192.0.2.1",
    "both 2 IN AAAA 2001:db8::1",
    "six 2 IN AAAA 2001:db8::1",
    "several 2 IN A 192.0.2.11",
    "several 2 IN A 192.0.2.10",
    "alias 2 IN CNAME plain",
  ]);
  resolver = await startBindResolver(primary);
  context = createTestTrafficContext({
    "file:/etc/refloat/tsig": `secret!${primary.key}`,
    "file:/etc/refloat/powerless": `secret!${primary.powerlessKey}`,
    "file:/etc/refloat/wrong": "secret!hmac-sha256:refloat:c29tZWJvZHkgZWxzZSdzIHNlY3JldA==",
    "file:/etc/refloat/none": "secret!what is this",
  });
});
afterAll(async () => {
  await resolver?.stop();
  await primary?.stop();
  await folder.remove();
});

const optionsOf = (name: string, more: object = {}): DnsOptions =>
  dnsOptionsSchema.parse({
    dns: `${name}.example.test`,
    server: primary.address,
    key: "${file:/etc/refloat/tsig}",
    ttl: "1s",
    to: "${api.address}",
    ...more,
  });

const addressesOf = (name: string): Promise<readonly string[]> => lookUp(primary, `${name}.example.test`);

describe("traffic by a name", () => {
  test("is sent to a page, to the other side, and back, each once more without effect", async () => {
    const options = optionsOf("held", { held: page, resolvers: [resolver.address], ttl: "2s" });
    expect(await lookUp(resolver, options.dns)).toEqual([oldSide]);
    expect(await dnsTraffic.observe(context, options)).toMatchObject({ admitted: true, address: oldSide });

    await dnsTraffic.hold(context, options);
    await dnsTraffic.hold(context, options);
    // Nobody who asks the declared resolver is sent to the old side any more.
    expect(await lookUp(resolver, options.dns)).toEqual([page]);
    expect(await dnsTraffic.observe(context, options)).toMatchObject({ admitted: false, address: page });

    await dnsTraffic.admit(context, options, `${newSide}:8080`);
    await dnsTraffic.admit(context, options, `${newSide}:8080`);
    expect(await lookUp(resolver, options.dns)).toEqual([newSide]);
    expect(await dnsTraffic.observe(context, options)).toMatchObject({
      admitted: true,
      address: dnsTraffic.addressOf?.(`${newSide}:8080`),
      raw: { family: "A", ttlSeconds: 2 },
    });

    await dnsTraffic.hold(context, options);
    await dnsTraffic.admit(context, options, oldSide);
    expect(await addressesOf("held")).toEqual([oldSide]);
  });

  test("without a page is directed and held by nobody, and gets the declared time to live", async () => {
    const options = optionsOf("plain");
    await dnsTraffic.hold(context, options);
    expect(await addressesOf("plain")).toEqual([oldSide]);
    await dnsTraffic.admit(context, options, newSide);
    expect(await dnsTraffic.observe(context, options)).toMatchObject({ address: newSide, raw: { ttlSeconds: 1 } });
  });

  test("of several addresses comes back as it was", async () => {
    const options = optionsOf("several", { held: page });
    const { address } = await dnsTraffic.observe(context, options);
    expect(address).toBe("192.0.2.10, 192.0.2.11");
    await dnsTraffic.hold(context, options);
    await dnsTraffic.admit(context, options, String(address));
    expect([...(await addressesOf("several"))].sort()).toEqual(["192.0.2.10", "192.0.2.11"]);
  });

  test("of IPv6 is directed by an AAAA record", async () => {
    const options = optionsOf("six");
    await dnsTraffic.admit(context, options, "[2001:db8::2]:443");
    expect(await dnsTraffic.observe(context, options)).toMatchObject({
      address: "2001:db8::2",
      raw: { family: "AAAA" },
    });
  });

  test("that somebody else has moved meanwhile is left as it is", async () => {
    const options = optionsOf("moved", { held: page });
    await dnsTraffic.hold(context, options);
    const other = { family: "A", from: [page], to: ["192.0.2.50"] } as const;
    await sendUpdate(context, options, other);
    await expect(dnsTraffic.admit(context, options, newSide)).rejects.toMatchObject({
      code: "cutover.conflict",
      message: `moved.example.test was sent to ${page} for the time of the cutover, and points to 192.0.2.50: somebody changed it`,
    });
    // The same between our look and our change.
    await expect(sendUpdate(context, options, { ...other, to: [newSide] })).rejects.toMatchObject({
      code: "cutover.conflict",
      message: `moved.example.test does not point to ${page} any more: somebody changed it`,
    });
    expect(await addressesOf("moved")).toEqual(["192.0.2.50"]);
  });

  test("is not let to where a name cannot point", async () => {
    await expect(dnsTraffic.admit(context, optionsOf("kept"), "db-1:5432")).rejects.toMatchObject({
      code: "config.invalid",
      message: 'a name in DNS cannot be given the address "db-1:5432": it is no IP address',
    });
    expect(await addressesOf("kept")).toEqual([oldSide]);
  });

  test("is not held while a resolver keeps sending users to the old side", async () => {
    const options = optionsOf("kept", { held: page, resolvers: ["127.0.0.1:1"] });
    await expect(dnsTraffic.hold(context, options)).rejects.toMatchObject({
      code: "fence.failed",
      message: expect.stringContaining("users are still sent to the old side of kept.example.test by 127.0.0.1:1 ("),
    });
  });
});

describe("before anything is touched", () => {
  const found = async (options: DnsOptions) => {
    const { findings } = await dnsTraffic.preflight(context, options);
    return findings.map(({ ok, subject, found: text }) => `${ok ? "ok" : "NOT"} ${subject}: ${text}`);
  };

  test("it is told where the name points, for how long it is remembered, and what resolvers tell", async () => {
    const fresh = optionsOf("both", { held: page, resolvers: [resolver.address, "127.0.0.1:1"] });
    expect(await found(fresh)).toEqual([
      `ok ${primary.address}: takes our updates`,
      "ok both.example.test: A 192.0.2.1, remembered for 2 s: longer than ttl: 1s, so that users may come by the old address after a cutover",
      "ok both.example.test: users of IPv6 keep coming to 2001:db8::1 after a cutover",
      `ok both.example.test: users are sent to ${page} during a cutover`,
      `ok ${resolver.address}: tells 192.0.2.1, as the primary server does`,
      expect.stringMatching(
        /^NOT 127\.0\.0\.1:1: tells the DNS server 127\.0\.0\.1:1 does not answer .*, and the primary server 192\.0\.2\.1$/,
      ),
    ]);
    expect(await found(optionsOf("new"))).toContain("ok new.example.test: has no address; a cutover gives it one");
    expect(await found(optionsOf("alias"))).toEqual(["NOT alias.example.test: is an alias of plain.example.test"]);
  });

  test.each([
    ["powerless", "does not let us change both.example.test: REFUSED"],
    ["wrong", "does not take our key for both.example.test: "],
    ["none", "key: is no TSIG key"],
  ])("a key that is %s is told, and no secret", async (name, message) => {
    const options = optionsOf("both", { key: `\${file:/etc/refloat/${name}}` });
    const error = await dnsTraffic.preflight(context, options).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringContaining(message) });
    expect(error instanceof Error ? error.message : "").not.toContain("c29tZWJvZHkgZWxzZSdzIHNlY3JldA");
  });

  test("a server that does not answer is told", async () => {
    await expect(dnsTraffic.preflight(context, optionsOf("both", { server: "127.0.0.1:1" }))).rejects.toMatchObject({
      code: "target.failed",
      message: expect.stringMatching(/^the DNS server 127\.0\.0\.1:1 does not answer about both\.example\.test: /),
    });
  });

  test("the command that is shown for a recovery by hand directs users", async () => {
    const { recoveryCommands } = await dnsTraffic.preflight(context, optionsOf("byhand"));
    const keyFile = join(folder.path, "key");
    await writeFile(keyFile, primary.key, { mode: 0o600 });
    const command = String(recoveryCommands[0]).replace("ADDRESS", newSide).replace("KEYFILE", keyFile);
    await runProgram("sh", ["-c", command], { signal: new AbortController().signal });
    expect(await addressesOf("byhand")).toEqual([newSide]);
  });
});
