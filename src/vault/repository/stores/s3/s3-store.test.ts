import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import type { S3 } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type FaultProxy, startFaultProxy } from "../../../../testing/fault-proxy.ts";
import { type RadosgwServer, startRadosgw } from "../../../../testing/radosgw-server.ts";
import { makeBucket, s3ClientOf, s3SettingsOf } from "../../../../testing/s3-bucket.ts";
import { describeStoreContract } from "../../../../testing/store-contract.ts";
import { hideText } from "../../../../platform/secret.ts";
import { createStore, openStore } from "../open-store.ts";
import { type Store, StoreFileMissing } from "../store.ts";
import { openS3Store } from "./s3-store.ts";

let server: RadosgwServer;
let client: S3;
let buckets = 0;

beforeAll(async () => {
  server = await startRadosgw();
  client = s3ClientOf(server);
});

afterAll(async () => {
  client.destroy();
  await server.stop();
});

const newBucket = async (locks: boolean): Promise<string> => {
  buckets += 1;
  const bucket = `vault-${buckets}`;
  await makeBucket(client, bucket, { locks });
  return bucket;
};

const settings = () => ({ s3: s3SettingsOf(server.owner) });
const options = () => ({ blocking: false, settings: settings() });
const named = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

const namesOf = async (store: Store, kind: "data" | "snapshots" | "locks"): Promise<readonly string[]> => {
  const found: string[] = [];
  for await (const { name } of store.list(kind)) found.push(name);
  return found.sort();
};

const leaveHalfWritten = async (location: string): Promise<void> => {
  const modulePath = new URL("../open-store.ts", import.meta.url).pathname;
  const script = `
    const { openStore } = await import(${JSON.stringify(modulePath)});
    const pending = openStore(${JSON.stringify(location)}, { blocking: true }).begin("data");
    pending.append(Buffer.alloc(5000, 1));
    process.kill(process.pid, "SIGKILL");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
  await once(child, "exit");
  expect(child.signalCode).toBe("SIGKILL");
};

for (const locks of [false, true]) {
  describeStoreContract(locks ? "S3, with versions and locks" : "S3", async () => {
    const location = `s3:${server.url}/${await newBucket(locks)}/some/prefix`;
    return {
      store: await createStore(location, options()),
      reopen: () => openStore(location, options()),
      leaveHalfWritten: async () => leaveHalfWritten(location),
      leftByKilled: 0,
      cleanUp: async () => undefined,
    };
  });
}

describe("S3 store", () => {
  it("lays a repository out as restic does", async () => {
    const bucket = await newBucket(false);
    const store = await createStore(`s3:${server.url}/${bucket}/shop`, options());
    const name = "ab".repeat(32);
    for (const kind of ["data", "keys", "snapshots", "index", "locks"] as const)
      await store.write(kind, name, Buffer.of(1));
    await store.write("config", "", Buffer.of(1));
    const { Contents = [] } = await client.listObjectsV2({ Bucket: bucket });
    expect(Contents.map(({ Key = "" }) => Key).sort()).toEqual([
      "shop/config",
      `shop/data/ab/${name}`,
      `shop/index/${name}`,
      `shop/keys/${name}`,
      `shop/locks/${name}`,
      `shop/snapshots/${name}`,
    ]);
    await store.close();
  });

  it("lists more than one page", { timeout: 300_000 }, async () => {
    const bucket = await newBucket(false);
    const store = await createStore(`s3:${server.url}/${bucket}`, options());
    const contents = Array.from({ length: 1030 }, (_, at) => Buffer.from(String(at)));
    await Promise.all(contents.map(async (content) => store.write("snapshots", named(content), content)));
    expect(await namesOf(store, "snapshots")).toEqual(contents.map(named).sort());
    await store.close();
  });

  it("sends a large file in parts, and leaves none behind", async () => {
    const bucket = await newBucket(true);
    const store = await createStore(`s3:${server.url}/${bucket}`, options());
    const content = Buffer.alloc(65 * 1024 * 1024, randomBytes(1_000_003));
    const name = named(content);
    const until = new Date(Date.now() + 3_600_000);
    await store.retention?.writeLocked("data", name, content, { until, mode: "governance" });
    expect(Buffer.compare(await store.read("data", name), content)).toBe(0);
    expect((await client.headObject({ Bucket: bucket, Key: `data/${name.slice(0, 2)}/${name}` })).ETag).toMatch(/-3"$/);
    expect((await store.retention?.lockOf("data", name))?.mode).toBe("governance");
    expect((await client.listMultipartUploads({ Bucket: bucket })).Uploads ?? []).toEqual([]);
    await store.close();
  });

  it("lets only one of two make a vault", async () => {
    const bucket = await newBucket(false);
    const location = `s3:${server.url}/${bucket}`;
    const [one, other] = [await createStore(location, options()), await createStore(location, options())];
    await one.write("config", "", Buffer.from("one"));
    await expect(other.write("config", "", Buffer.from("other"))).rejects.toMatchObject({ code: "vault.exists" });
    await one.write("config", "", Buffer.from("one"));
    expect((await other.read("config", "")).toString()).toBe("one");
    await expect(createStore(location, options())).rejects.toMatchObject({
      code: "vault.exists",
      message: `there is a vault at ${location} already`,
    });
  });

  it("says what is wrong with the address or the credentials", async () => {
    const bucket = await newBucket(false);
    const location = `s3:${server.url}/${bucket}`;
    const host = `127.0.0.1:${server.port}`;
    const stat = async (at: string, s3 = s3SettingsOf(server.owner)) => {
      const store = openS3Store(at, { s3 });
      try {
        await store.stat("config", "");
      } finally {
        await store.close();
      }
    };
    await expect(stat(location)).rejects.toBeInstanceOf(StoreFileMissing);
    await expect(stat(`s3:${server.url}/no-such-bucket`)).rejects.toMatchObject({
      code: "vault.not-found",
      message: `there is no bucket no-such-bucket at ${host}`,
    });
    await expect(
      stat(location, { ...s3SettingsOf(server.owner), secretAccessKey: hideText("wrong") }),
    ).rejects.toMatchObject({
      code: "vault.denied",
      message: `the vault's server ${host} refuses the signature: the secret does not belong to the access key`,
    });
    await expect(stat(location, { accessKeyId: "NOBODY", secretAccessKey: hideText("wrong") })).rejects.toMatchObject({
      code: "vault.denied",
      message: `the vault's server ${host} does not know the access key`,
    });
    await expect(stat(location, { accessKeyId: "HALF" })).rejects.toMatchObject({ code: "vault.denied" });
    const stranger = await server.addUser("stranger");
    await expect(stat(location, s3SettingsOf(stranger))).rejects.toMatchObject({
      code: "vault.denied",
      message: `the vault at ${location} does not let us read config/: AccessDenied`,
    });
    await expect(stat(`s3:http://127.0.0.1:1/${bucket}`)).rejects.toMatchObject({ code: "vault.unreachable" });
  });

  it("names the bucket in the host where it is asked to", async () => {
    const store = openS3Store("s3:http://localhost:1/market/shop", {
      s3: { ...s3SettingsOf(server.owner), pathStyle: false },
    });
    await expect(store.read("config", "")).rejects.toMatchObject({
      code: "vault.unreachable",
      cause: expect.objectContaining({ hostname: "market.localhost" }),
    });
    await store.close();
  });
});

describe("S3 store with locks", () => {
  const until = (hours: number): Date => new Date(Math.ceil(Date.now() / 1000) * 1000 + hours * 3_600_000);

  it("says whether files can be locked", async () => {
    const without = openStore(`s3:${server.url}/${await newBucket(false)}`, options());
    expect(await without.retention?.support()).toEqual({
      locks: false,
      reason: "Object Lock is not switched on for the bucket",
      keptBy: "nobody",
    });
    const withLocks = openStore(`s3:${server.url}/${await newBucket(true)}`, options());
    expect(await withLocks.retention?.support()).toEqual({ locks: true, reason: null, keptBy: "server" });
  });

  it("locks, extends, and never shortens or weakens", async () => {
    const store = openStore(`s3:${server.url}/${await newBucket(true)}`, options());
    const content = randomBytes(100);
    const name = named(content);
    await store.write("data", name, content);
    const { retention } = store;
    expect(await retention?.lockOf("data", name)).toBeNull();
    const first = { until: until(2), mode: "governance" } as const;
    expect(await retention?.lock("data", name, first)).toEqual(first);
    expect(await retention?.lock("data", name, { until: until(1), mode: "governance" })).toEqual(first);
    const strict = { until: until(1), mode: "compliance" } as const;
    expect(await retention?.lock("data", name, strict)).toEqual({ until: first.until, mode: "compliance" });
    const longer = { until: until(5), mode: "governance" } as const;
    expect(await retention?.lock("data", name, longer)).toEqual({ until: longer.until, mode: "compliance" });
    expect(await retention?.lockOf("data", name)).toEqual({ until: longer.until, mode: "compliance" });
    // A lock of seconds may be over before the capture is.
    const over = { until: new Date(Date.now() - 1000), mode: "governance" } as const;
    const late = randomBytes(100);
    await retention?.writeLocked("data", named(late), late, over);
    expect(await retention?.lockOf("data", named(late))).toBeNull();
    expect(await store.read("data", named(late))).toEqual(late);
    await expect(retention?.lock("data", named(Buffer.of(1)), first)).rejects.toBeInstanceOf(StoreFileMissing);
    await expect(retention?.lockOf("data", named(Buffer.of(1)))).rejects.toBeInstanceOf(StoreFileMissing);
    await store.remove("data", name);
    await expect(retention?.lockOf("data", name)).rejects.toBeInstanceOf(StoreFileMissing);
    await expect(retention?.lock("data", name, longer)).rejects.toBeInstanceOf(StoreFileMissing);
    await store.close();
  });

  it("does not lock what was put in the place of a file", async () => {
    const store = openStore(`s3:${server.url}/${await newBucket(true)}`, options());
    const content = randomBytes(100);
    await store.write("data", named(content), content);
    await store.write("data", named(content), randomBytes(100));
    const wanted = { until: until(1), mode: "governance" } as const;
    await expect(store.retention?.lock("data", named(content), wanted)).rejects.toMatchObject({
      code: "vault.damaged",
      message: `the vault's data file ${named(content)} was replaced by something else`,
    });
    await store.write("data", named(content), content);
    expect(await store.retention?.lock("data", named(content), wanted)).toEqual(wanted);
    await store.close();
  });

  it("takes no lock for that of a file whose place something else has, although the bucket locks all that comes", async () => {
    const bucket = await newBucket(true);
    const store = openStore(`s3:${server.url}/${bucket}`, options());
    const Rule = { DefaultRetention: { Mode: "GOVERNANCE", Days: 1 } } as const;
    const ObjectLockConfiguration = { ObjectLockEnabled: "Enabled", Rule } as const;
    await client.putObjectLockConfiguration({ Bucket: bucket, ObjectLockConfiguration });
    const content = randomBytes(100);
    const name = named(content);
    await store.write("data", name, content);
    const { retention } = store;
    expect((await retention?.lockOfContent("data", name, 100))?.mode).toBe("governance");
    expect(await retention?.lockOfContent("data", name, 100)).toEqual(await retention?.lockOf("data", name));
    // Written again, by a retry: other versions of the same.
    await store.write("data", name, content);
    expect((await retention?.lockOfContent("data", name, 100))?.mode).toBe("governance");
    const replaced = { code: "vault.damaged", message: `the vault's data file ${name} was replaced by something else` };
    const Key = `data/${name.slice(0, 2)}/${name}`;
    await client.putObject({ Bucket: bucket, Key, Body: randomBytes(100) });
    expect((await retention?.lockOf("data", name))?.mode).toBe("governance");
    await expect(retention?.lockOfContent("data", name, 100)).rejects.toMatchObject(replaced);
    const other = named(Buffer.from("never written"));
    await client.putObject({ Bucket: bucket, Key: `data/${other.slice(0, 2)}/${other}`, Body: "short" });
    await expect(retention?.lockOfContent("data", other, 100)).rejects.toMatchObject({ code: "vault.damaged" });
    await store.close();
  });

  it("shows what there was at an instant, whatever was removed or overwritten since, and writes nothing", async () => {
    const location = `s3:${server.url}/${await newBucket(true)}/vault`;
    const store = openStore(location, options());
    const [kept, removed, later] = [randomBytes(1000), randomBytes(2000), randomBytes(3000)];
    await store.write("config", "", Buffer.from("config"));
    await store.write("data", named(kept), kept);
    await store.write("data", named(removed), removed);
    await store.write("locks", named(removed), removed);
    await store.write("snapshots", named(later), later);
    await store.remove("snapshots", named(later));
    const asOf = new Date(Date.now() + 500);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await store.remove("data", named(removed));
    await store.write("data", named(kept), Buffer.from("overwritten"));
    await store.remove("config", "");
    await store.write("data", named(later), later);

    const past = openS3Store(location, { ...settings(), asOf });
    expect(await namesOf(past, "data")).toEqual([named(kept), named(removed)].sort());
    expect(await namesOf(past, "snapshots")).toEqual([]);
    expect(await namesOf(past, "locks")).toEqual([]);
    expect(await past.read("data", named(kept))).toEqual(kept);
    expect(await past.readRange("data", named(removed), 10, 20)).toEqual(removed.subarray(10, 30));
    expect((await past.read("config", "")).toString()).toBe("config");
    expect(await past.stat("data", named(removed))).toEqual({ name: named(removed), sizeBytes: 2000 });
    await expect(past.read("data", named(later))).rejects.toBeInstanceOf(StoreFileMissing);
    const refusal = { code: "vault.read-only" };
    await expect(past.write("data", named(later), later)).rejects.toMatchObject(refusal);
    expect(() => past.begin("data")).toThrow(expect.objectContaining(refusal));
    await expect(past.remove("data", named(kept))).rejects.toMatchObject(refusal);
    await store.close();
    await past.close();
  });
});

describe("S3 store, when the server or the network fails", () => {
  let proxy: FaultProxy;
  let bucket: string;
  let store: Store;
  /** Of a busy machine a real server is silent for a second now and then. */
  const patience = { attempts: 4, connectMs: 10_000, idleMs: 3000 };
  const failing = { kind: "answer", status: 500, code: "InternalError" } as const;
  const content = randomBytes(3_000_000);

  beforeAll(async () => {
    proxy = await startFaultProxy(server.url);
    bucket = await newBucket(false);
    store = openS3Store(`s3:${proxy.url}/${bucket}`, settings(), patience);
    await store.write("data", named(content), content);
  });

  afterEach(() => {
    if (proxy.pending() !== 0) throw new Error("a fault that was to happen did not");
  });

  afterAll(async () => {
    await store.close();
    await proxy.stop();
  });

  it.each([
    ["500", failing],
    ["503", { kind: "answer", status: 503, code: "SlowDown" }],
    ["silence", { kind: "silence" }],
    ["a lost answer", { kind: "lost-answer" }],
  ] as const)("reads, writes, lists and removes after %s", async (_title, fault) => {
    const other = randomBytes(20_000);
    proxy.fail("PUT", fault, fault);
    await store.write("index", named(other), other);
    proxy.fail("GET", fault, fault);
    expect(Buffer.compare(await store.read("data", named(content)), content)).toBe(0);
    proxy.fail("GET", fault);
    expect(await namesOf(store, "data")).toEqual([named(content)]);
    proxy.fail("HEAD", fault);
    expect((await store.stat("index", named(other))).sizeBytes).toBe(20_000);
    proxy.fail("DELETE", fault);
    await store.remove("index", named(other));
    await expect(store.stat("index", named(other))).rejects.toBeInstanceOf(StoreFileMissing);
  });

  it("reads on where a body broke off, again and again", async () => {
    const reset = { kind: "reset-in-body" } as const;
    proxy.fail("GET", reset, reset, reset, reset, reset, reset);
    expect(Buffer.compare(await store.read("data", named(content)), content)).toBe(0);
    proxy.fail("GET", reset, reset);
    const range = await store.readRange("data", named(content), 1000, 2_000_000);
    expect(Buffer.compare(range, content.subarray(1000, 2_001_000))).toBe(0);
  });

  it("takes its own config for its own after a lost answer", async () => {
    proxy.fail("PUT", { kind: "lost-answer" });
    await store.write("config", "", Buffer.from("config"));
    expect((await store.read("config", "")).toString()).toBe("config");
  });

  it("gives up with what the server said, in a way that may be tried again", async () => {
    proxy.fail("GET", failing, failing, failing, failing);
    await expect(store.read("data", named(content))).rejects.toMatchObject({
      code: "vault.unreachable",
      message: `the vault's server ${new URL(proxy.url).host} cannot read data/${named(content)} now: 500 InternalError (4 tries)`,
    });
  });

  it("does not ask again after what only a person can mend", async () => {
    const refusals = [
      ["ExpiredToken", 400, "vault.denied", "says that the session token has expired"],
      ["RequestTimeTooSkewed", 403, "vault.denied", "clock is wrong"],
      ["AuthorizationHeaderMalformed", 400, "vault.store-failed", "another region"],
      ["QuotaExceeded", 403, "vault.no-space", "is full"],
    ] as const;
    for (const [code, status, expected, words] of refusals) {
      proxy.fail("PUT", { kind: "answer", status, code });
      await expect(store.write("data", named(content), content)).rejects.toMatchObject({
        code: expected,
        message: expect.stringContaining(words),
      });
    }
    proxy.fail("DELETE", { kind: "answer", status: 403, code: "AccessDenied" });
    await expect(store.remove("data", named(content))).rejects.toMatchObject({
      code: "vault.denied",
      hint: "the file is locked, or these credentials have no right to delete",
    });
  });
});
