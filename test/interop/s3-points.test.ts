/** Points in buckets of a real radosgw as time goes by: copied there with their locks, fetched back from there, expired there. */
import { chmod, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { S3 } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ResultData, resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import type { ResultKind } from "../../src/contract/result-schemas.ts";
import { copyVault } from "../../src/operations/vault-copy.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type RadosgwServer, startRadosgw } from "../../src/testing/radosgw-server.ts";
import { makeBucket, s3ClientOf, s3SettingsOf } from "../../src/testing/s3-bucket.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { type RefloatInside, refloatInside } from "../e2e/support/refloat-inside.ts";
import { asOpenVault, copyTo, createCopyBench, otherPassword, takePoint } from "./support/copy-bench.ts";
import { noise } from "./support/nasty-tree.ts";
import { password } from "./support/restic.ts";

const never = new AbortController().signal;
const hourMs = 3_600_000;

let server: RadosgwServer;
let client: S3;
let folder: TestFolder;
let docs: string;

beforeAll(async () => {
  server = await startRadosgw();
  client = s3ClientOf(server);
}, 300_000);

afterAll(async () => {
  client.destroy();
  await server.stop();
});

beforeEach(async () => {
  folder = await createTestFolder("refloat-s3-points");
  docs = join(folder.path, "docs");
  await mkdir(docs);
  await writeFile(join(docs, "large"), noise(400_000, "large"));
  await writeFile(join(docs, "small"), "small\n");
});

afterEach(async () => {
  await folder.remove();
});

/** Of each object that there is now, by its key. */
const locksIn = async (bucket: string) => {
  const { Contents = [] } = await client.listObjectsV2({ Bucket: bucket });
  const locks = Contents.map(async ({ Key = "" }) => {
    const head = await client.headObject({ Bucket: bucket, Key });
    return [Key, { until: head.ObjectLockRetainUntilDate, mode: head.ObjectLockMode }] as const;
  });
  return new Map((await Promise.all(locks)).filter(([key]) => !key.startsWith("vault/locks/")));
};

describe("a copy in a bucket", () => {
  const settings = () => ({ s3: s3SettingsOf(server.owner) });
  const urlOf = (bucket: string): string => `s3:${server.url}/${bucket}/vault`;
  const wholeSecond = (): string => new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();

  const withSource = async <Result>(act: (source: Awaited<ReturnType<typeof createRepository>>) => Promise<Result>) => {
    const source = await createRepository(join(folder.path, "source"), password, { clock: systemClock });
    try {
      return await act(source);
    } finally {
      await source.close();
    }
  };
  const copy = async (source: Parameters<typeof createCopyBench>[0], bucket: string, create: boolean) => {
    const { bench, close } = createCopyBench(source, settings());
    const nobody = () => undefined;
    try {
      return await copyVault(bench, copyTo(urlOf(bucket), { create }), never, nobody, nobody);
    } finally {
      await close();
    }
  };

  it("with Object Lock is locked object by object as was declared, and prolonged by what comes later", async () => {
    const bucket = "copied";
    const mode = "compliance";
    await makeBucket(client, bucket, { locks: true });
    await withSource(async (source) => {
      const first = wholeSecond();
      const id = await takePoint(source, docs, first, { for: "1h", mode });
      const { points, to } = await copy(source, bucket, true);
      expect(to.locks).toBe(true);
      expect(points).toMatchObject([{ point: id, state: "copied" }]);
      const until = Date.parse(points[0]?.lockUntil ?? "");
      expect(until).toBeGreaterThanOrEqual(Date.parse(first) + hourMs);
      const locks = await locksIn(bucket);
      // config, a key, packs of data and trees, an index for each member and point, their snapshots.
      expect(locks.size).toBeGreaterThan(6);
      for (const [key, lock] of locks) {
        expect(lock, `lock of ${key}`).toMatchObject({ mode: "COMPLIANCE" });
        expect(lock.until?.getTime(), `lock of ${key}`).toBeGreaterThanOrEqual(until);
      }

      await writeFile(join(docs, "new"), noise(50_000, "new"));
      await takePoint(source, docs, wholeSecond(), { for: "2d", mode });
      const later = Date.parse((await copy(source, bucket, false)).points[1]?.lockUntil ?? "");
      const longer = await locksIn(bucket);
      const prolonged = [...locks.keys()].filter((key) => (longer.get(key)?.until?.getTime() ?? 0) >= later);
      // What only the first point needs, its own snapshot and manifest, stays as it was.
      expect(prolonged).toEqual(expect.arrayContaining([...locks.keys()].filter((key) => /config|keys/.test(key))));
      expect(prolonged.filter((key) => key.includes("/data/")).length).toBeGreaterThan(0);
      expect(prolonged.length).toBeLessThan(locks.size);
    });
    const target = await openRepository(urlOf(bucket), otherPassword, { clock: systemClock, settings: settings() });
    const questions = (await asOpenVault(target).points.list()).map(({ id, manifest }) => ({
      id,
      snapshots: [...new Set(Object.values(manifest.components).map(({ snapshot }) => snapshot))],
    }));
    expect(questions).toHaveLength(2);
    for (const report of await target.locksOf(questions, never))
      expect(report).toMatchObject({ unlocked: 0, missing: 0, mode });
    expect((await target.verify({ depth: "read-data" }, never)).findings).toEqual([]);
    await target.close();
  });

  it("without Object Lock holds the points all the same, and says that it cannot lock", async () => {
    await makeBucket(client, "copied-open", { locks: false });
    await withSource(async (source) => {
      await takePoint(source, docs, wholeSecond(), { for: "1h" });
      const { points, to } = await copy(source, "copied-open", true);
      expect(to.locks).toBe(false);
      expect(points).toMatchObject([{ state: "copied" }]);
    });
    expect([...(await locksIn("copied-open")).values()].filter(({ until }) => until !== undefined)).toEqual([]);
  });
});

describe("a vault whose config somebody has overwritten while it was open", () => {
  it("locks nothing in its stead, and takes the lock of nothing else for that of the config", async () => {
    const bucket = "other-config";
    await makeBucket(client, bucket, { locks: true });
    const vault = `s3:${server.url}/${bucket}/vault`;
    const Key = "vault/config";
    const repository = await createRepository(vault, password, {
      clock: systemClock,
      settings: { s3: s3SettingsOf(server.owner) },
    });
    const capture = async () => {
      const until = new Date(Date.now() + hourMs);
      const lock = { until, mode: "governance", members: [] } as const;
      const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"], lock });
      try {
        await writer.bytes("/a", noise(1000, "a"));
        return (await writer.commit()).id;
      } finally {
        await writer.abort();
      }
    };
    const id = await capture();
    const own = await client.headObject({ Bucket: bucket, Key });
    const locksOf = async () => (await repository.locksOf([{ id, snapshots: [id] }], never))[0];
    expect(await locksOf()).toMatchObject({ missing: 0, unlocked: 0, mode: "governance" });

    const { VersionId } = await client.putObject({
      Bucket: bucket,
      Key,
      Body: "another".padEnd(own.ContentLength ?? 0),
    });
    const replaced = {
      code: "vault.damaged",
      message: "the vault's config file config was replaced by something else",
    };
    await expect(capture()).rejects.toMatchObject(replaced);
    expect((await client.headObject({ Bucket: bucket, Key, VersionId })).ObjectLockRetainUntilDate).toBeUndefined();
    const Retention = { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + hourMs) } as const;
    await client.putObjectRetention({ Bucket: bucket, Key, VersionId, Retention });
    expect(await locksOf()).toMatchObject({ missing: 1, weakest: "config" });

    await client.deleteObject({ Bucket: bucket, Key, VersionId, BypassGovernanceRetention: true });
    await capture();
    expect(await locksOf()).toMatchObject({ missing: 0, unlocked: 0, mode: "governance" });
    await repository.close();
  });
});

describe("the command line with a bucket", () => {
  let program: RefloatInside;

  const use = async (url: string, service: string): Promise<void> => {
    await program?.close();
    await writeFile(join(folder.path, "password"), "correct horse\n", { mode: 0o600 });
    await writeFile(join(folder.path, "copy-password"), "battery staple\n", { mode: 0o600 });
    await writeFile(join(folder.path, "secret"), server.owner.secretAccessKey, { mode: 0o600 });
    await writeFile(
      join(folder.path, "refloat.yaml"),
      `vault:
  url: ${url}
  password: \${file:${join(folder.path, "password")}}
  s3:
    accessKeyId: ${server.owner.accessKeyId}
    secretAccessKey: \${file:${join(folder.path, "secret")}}
services:
  notes:
    ${service}
    components:
      docs: { type: files, path: ${docs} }
`,
    );
    program = refloatInside(folder.path);
  };
  const data = async <Kind extends ResultKind>(kind: Kind, ...args: readonly string[]) => {
    const { lines } = await program.succeed([...args, "--json"]);
    return (resultEnvelopeSchema(kind).parse(lines.at(-1)) as { readonly data: ResultData<Kind> }).data;
  };

  afterEach(async () => {
    await program.close();
  });

  it("mends a vault from the copy that vault copy has made, and what it recovers is whole", async () => {
    await makeBucket(client, "mended-from", { locks: true });
    const vault = join(folder.path, "vault");
    await use(vault, "keep: { last: 5 }");
    const from = `s3:${server.url}/mended-from/copy`;
    await data("vault-init", "vault", "init");
    const packsOf = async () =>
      (await readdir(join(vault, "data"), { recursive: true })).filter((name) => name.length > 60);
    // What the log rests on is in no copy.
    const ofLog = await packsOf();
    const { id } = await data("capture", "capture", "notes");
    const toPassword = ["--to-password-file", join(folder.path, "copy-password")];
    await data("vault-copy", "vault", "copy", "--to", from, ...toPassword, "--init");
    await program.close();
    // What the live side still has must not be what mends.
    await writeFile(join(docs, "large"), noise(400_000, "another"));
    for (const name of (await packsOf()).filter((pack) => !ofLog.includes(pack))) {
      const path = join(vault, "data", name);
      const bytes = await readFile(path);
      await chmod(path, 0o600);
      if (bytes.length > 100_000) await writeFile(path, bytes.fill(0, 1000, 200_000));
      else await rm(path);
    }
    const damaged = await program.run(["verify", "--read-data"]);
    expect(damaged.exit).toBe(4);
    const repair = ["verify", "--read-data", "--repair", "--from", from, "--yes"];
    const fromPassword = ["--from-password-file", join(folder.path, "copy-password")];
    const { repairs, findings, hurt } = await data("verify", ...repair, ...fromPassword);
    const fetched = repairs.flatMap(({ blobs }) => Object.values(blobs.fetched)).reduce((sum, count) => sum + count, 0);
    expect(fetched).toBeGreaterThan(0);
    expect({ findings, hurt, lost: repairs.at(-1)?.blobs.lost }).toEqual({ findings: [], hurt: [], lost: 0 });
    await rm(docs, { recursive: true });
    await data("run", "recover", "notes", "--at", id.slice(0, 8), "--yes");
    expect((await readFile(join(docs, "large"))).equals(noise(400_000, "large"))).toBe(true);
    expect(await readFile(join(docs, "small"), "utf8")).toBe("small\n");
  });

  it("locks a key that is added, or put in the place of another, as long and as strictly as the others", async () => {
    const bucket = "keyed";
    await makeBucket(client, bucket, { locks: true });
    await use(`s3:${server.url}/${bucket}/vault`, "lock: { for: 1d, mode: compliance }");
    await data("vault-init", "vault", "init");
    const keysIn = async () => [...(await locksIn(bucket))].filter(([key]) => key.startsWith("vault/keys/"));
    await data("capture", "capture", "notes");
    const [first] = await keysIn();
    expect(first?.[1]).toEqual({ until: expect.any(Date), mode: "COMPLIANCE" });

    await writeFile(join(folder.path, "later"), "later horse battery\n", { mode: 0o600 });
    const added = await data("vault-keys", "vault", "keys", "add", "--new-password-file", join(folder.path, "later"));
    expect(added).toMatchObject({
      lock: { until: first?.[1].until?.toISOString(), mode: "compliance" },
      notLocked: null,
    });
    expect(await keysIn()).toHaveLength(2);
    for (const [, lock] of await keysIn()) expect(lock).toEqual(first?.[1]);

    await writeFile(join(folder.path, "other"), "other horse battery\n", { mode: 0o600 });
    await data("vault-keys", "vault", "keys", "rotate", "--new-password-file", join(folder.path, "other"));
    for (const [, lock] of await keysIn()) expect(lock).toEqual(first?.[1]);
    await program.close();
  });

  it("lets points go whose lock is over, and what they alone needed, while the locked one stays and comes back", async () => {
    const bucket = "expiring";
    await makeBucket(client, bucket, { locks: true });
    const url = `s3:${server.url}/${bucket}/vault`;
    const capture = async (lock: string, files: Readonly<Record<string, Buffer>>): Promise<string> => {
      await use(url, `lock: ${lock}\n    keep: { last: 1 }`);
      await rm(docs, { recursive: true });
      await mkdir(docs);
      for (const [name, content] of Object.entries(files)) await writeFile(join(docs, name), content);
      return (await data("capture", "capture", "notes")).id;
    };
    const packKeys = async (): Promise<readonly string[]> =>
      [...(await locksIn(bucket)).keys()].filter((key) => key.includes("/data/"));
    await use(url, "lock: 15s");
    await data("vault-init", "vault", "init");
    const before = await packKeys();
    const alone = await capture("15s", { alone: noise(300_000, "alone") });
    const ofAlone = (await packKeys()).filter((key) => !before.includes(key));
    const kept = { kept: noise(200_000, "kept") };
    const partly = await capture("15s", { ...kept, gone: noise(500_000, "gone") });
    const locked = await capture("1d", { ...kept, newest: noise(100_000, "newest") });
    const since = new Date();

    // The lock that a server keeps ends by the server's clock, which is ours.
    const { points } = await data("vault-locks", "vault", "locks", "notes");
    const manifests = await Promise.all(
      [alone, partly].map(async (id) => client.headObject({ Bucket: bucket, Key: `vault/snapshots/${id}` })),
    );
    const ends = manifests.map(({ ObjectLockRetainUntilDate }) => ObjectLockRetainUntilDate?.getTime() ?? 0);
    expect(Math.min(...ends)).toBeGreaterThan(0);
    // Instants of versions are whole seconds on some servers.
    const over = Math.max(...ends, since.getTime()) + 1500;
    await expect.poll(() => Date.now(), { timeout: 60_000 }).toBeGreaterThan(over);
    expect(points.find(({ point }) => point === locked)).toMatchObject({ kept: true, unlocked: 0 });

    const { result, services } = await data("vault-prune", "vault", "prune", "notes", "--yes", "--now");
    expect(services[0]?.points.map(({ point, verdict }) => [point, verdict])).toEqual([
      [locked, "keep"],
      [partly, "expire"],
      [alone, "expire"],
    ]);
    expect(new Set(result?.expired)).toEqual(new Set([alone, partly]));
    expect(result?.refused).toEqual([]);
    expect(result?.report.removedPacks).toBeGreaterThan(0);
    expect(result?.report.freedBytes).toBe(0);
    expect(result?.report.hiddenBytes).toBeGreaterThan(300_000);

    // What went is hidden, as everything is that is deleted in a bucket with versions; it stays to be seen as of a time.
    const left = await packKeys();
    expect(ofAlone.length).toBeGreaterThan(0);
    expect(left.filter((key) => ofAlone.includes(key))).toEqual([]);
    const { DeleteMarkers = [] } = await client.listObjectVersions({ Bucket: bucket });
    const hidden = DeleteMarkers.filter(({ IsLatest }) => IsLatest === true).map(({ Key }) => Key);
    expect(hidden).toEqual(
      expect.arrayContaining([`vault/snapshots/${alone}`, `vault/snapshots/${partly}`, ...ofAlone]),
    );
    expect(hidden).not.toContain(`vault/snapshots/${locked}`);
    expect((await data("points", "points", "notes")).points.map(({ id }) => id)).toEqual([locked]);

    // Nothing that the locked point rests on has lost its lock, or was moved to where there is none.
    const after = await data("vault-locks", "vault", "locks", "notes");
    expect(after.points).toMatchObject([{ point: locked, kept: true, unlocked: 0, missing: 0 }]);
    expect((await data("verify", "verify", "--read-data")).findings).toEqual([]);
    await rm(docs, { recursive: true });
    await data("run", "recover", "notes", "--yes");
    expect((await readFile(join(docs, "kept"))).equals(kept.kept)).toBe(true);
    expect((await readFile(join(docs, "newest"))).equals(noise(100_000, "newest"))).toBe(true);
    await program.close();
    const past = await data("points", "points", "notes", "--vault-as-of", since.toISOString());
    expect(past.points.map(({ id }) => id)).toEqual([locked, partly, alone]);
  });
});
