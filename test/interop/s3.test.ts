/**
 * A vault in a bucket of a real radosgw: shared with stock restic, and under attack by someone who has every right that S3 knows. Points
 * that are locked come back whole, by the command line alone.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { S3 } from "@aws-sdk/client-s3";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type ResultData, resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import type { ResultKind } from "../../src/contract/result-schemas.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type RadosgwServer, startRadosgw } from "../../src/testing/radosgw-server.ts";
import { makeBucket, s3ClientOf, s3SettingsOf } from "../../src/testing/s3-bucket.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { type RefloatProgram, refloatIn } from "../e2e/support/refloat-program.ts";
import { describeTree, expectSameTree } from "./support/described-tree.ts";
import { noise } from "./support/nasty-tree.ts";
import { password, requireRestic } from "./support/restic.ts";

const never = new AbortController().signal;

requireRestic();

/** Many starts of the program beside a whole Ceph cluster: on a busy machine that takes minutes. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

let server: RadosgwServer;
let client: S3;
let folder: TestFolder;

beforeAll(async () => {
  server = await startRadosgw();
  client = s3ClientOf(server);
});

afterAll(async () => {
  client.destroy();
  await server.stop();
});

beforeEach(async () => {
  folder = await createTestFolder("refloat-s3");
});

afterEach(async () => {
  await folder.remove();
});

describe("a vault in a bucket, shared with stock restic", () => {
  const environment = () => ({ clock: systemClock, settings: { s3: s3SettingsOf(server.owner) } });
  const restic = async (location: string, ...args: readonly string[]): Promise<string> => {
    const { stdout } = await execa("restic", ["--no-cache", "-r", location, ...args], {
      env: {
        RESTIC_PASSWORD: password,
        TZ: "UTC",
        AWS_ACCESS_KEY_ID: server.owner.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.owner.secretAccessKey,
      },
    });
    return stdout;
  };

  const makeTree = async (): Promise<string> => {
    const tree = join(folder.path, "tree");
    await mkdir(join(tree, "deep", "er"), { recursive: true });
    await writeFile(join(tree, "large"), noise(9_000_000, "large"));
    for (let i = 0; i < 100; i += 1) await writeFile(join(tree, "deep", "er", String(i)), noise(i * 50, `small ${i}`));
    return tree;
  };

  it("restic checks and restores what we captured, and we what restic wrote", async () => {
    const tree = await makeTree();
    await makeBucket(client, "shared", { locks: false });
    const location = `s3:${server.url}/shared/vault`;
    const ours = await createRepository(location, password, environment());
    const writer = await ours.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [tree] });
    await writer.tree(tree, { exclude: [], oneFileSystem: false }, never);
    const { id } = await writer.commit();
    await ours.close();
    expect(await restic(location, "check", "--read-data")).toContain("no errors were found");
    await restic(location, "restore", id, "--target", join(folder.path, "by-restic"));
    expectSameTree(await describeTree(join(folder.path, "by-restic", tree)), await describeTree(tree), 0n);

    await restic(location, "backup", "--host", "h", tree);
    const again = await openRepository(location, password, environment());
    const theirs = (await again.snapshots()).find((snapshot) => snapshot.id !== id);
    const reader = await again.openSnapshot(theirs?.id ?? "");
    await reader.extract(tree, join(folder.path, "by-us"), never);
    expectSameTree(await describeTree(join(folder.path, "by-us")), await describeTree(tree), 300n);
    expect((await again.verify({ depth: "read-data" }, never)).findings).toEqual([]);
    await again.close();
  });
});

describe("a vault under Object Lock", () => {
  let refloat: RefloatProgram;
  let docs: string;

  const use = async (bucket: string, lock: string): Promise<void> => {
    docs = join(folder.path, "docs");
    await mkdir(docs);
    await writeFile(join(docs, "a.txt"), "first\n");
    await writeFile(join(docs, "large"), noise(3_000_000, "kept"));
    await writeFile(join(folder.path, "password"), "correct horse\n", { mode: 0o600 });
    await writeFile(join(folder.path, "secret"), server.owner.secretAccessKey, { mode: 0o600 });
    await writeFile(
      join(folder.path, "refloat.yaml"),
      `vault:
  url: s3:${server.url}/${bucket}/vault
  password: \${file:${join(folder.path, "password")}}
  s3:
    accessKeyId: ${server.owner.accessKeyId}
    secretAccessKey: \${file:${join(folder.path, "secret")}}
services:
  notes:
    lock: ${lock}
    components:
      docs:
        type: files
        path: ${docs}
`,
    );
    refloat = refloatIn(folder.path);
  };

  /** The answer of a command that ends well. */
  const data = async <Kind extends ResultKind>(kind: Kind, ...args: readonly string[]) => {
    const { lines } = await refloat.succeed([...args, "--json"]);
    return (resultEnvelopeSchema(kind).parse(lines.at(-1)) as { readonly data: ResultData<Kind> }).data;
  };

  const versionsOf = async (bucket: string) => (await client.listObjectVersions({ Bucket: bucket })).Versions ?? [];

  /** Undefined for what has no lock. */
  const lockedUntil = async (bucket: string, key: string, versionId: string | undefined) => {
    const head = await client.headObject({
      Bucket: bucket,
      Key: key,
      ...(versionId === undefined ? {} : { VersionId: versionId }),
    });
    return head.ObjectLockRetainUntilDate;
  };

  it("recovers everything as of a time, after a stranger with all rights deleted, overwrote and tried to purge it", async () => {
    const bucket = "attacked";
    await makeBucket(client, bucket, { locks: true });
    await use(bucket, "{ for: 1d, mode: compliance }");
    await data("vault-init", "vault", "init");
    await data("capture", "capture", "notes");
    const locks = await data("vault-locks", "vault", "locks");
    expect(locks.support).toEqual({ locks: true, reason: null, keptBy: "server" });
    expect(locks.points).toMatchObject([{ service: "notes", unlocked: 0, missing: 0, mode: "compliance", kept: true }]);
    const before = new Date();
    // Instants of versions are whole seconds on some servers.
    await new Promise((resolve) => setTimeout(resolve, 1500));

    const versions = (await versionsOf(bucket)).filter(({ Key }) => Key?.startsWith("vault/locks/") === false);
    expect(versions.length).toBeGreaterThan(5);
    let refusals = 0;
    for (const { Key = "", VersionId = "" } of versions) {
      const object = { Bucket: bucket, Key };
      const target = { ...object, VersionId };
      const refused = { name: "AccessDenied" };
      // What was written before anything was locked, and no point rests on, goes for good.
      const purged = await client.deleteObject(target).then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject(refused);
          return false;
        },
      );
      if (purged) continue;
      refusals += 1;
      await expect(client.deleteObject({ ...target, BypassGovernanceRetention: true })).rejects.toMatchObject(refused);
      const Retention = { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 60_000) } as const;
      await expect(
        client.putObjectRetention({ ...target, Retention, BypassGovernanceRetention: true }),
      ).rejects.toMatchObject(refused);
      await client.putObject({ ...object, Body: "encrypted by somebody else" });
      await client.deleteObject(object);
    }
    // Points, and the log of what was done.
    expect(refusals).toBeGreaterThan(locks.points[0]?.files ?? 0);
    await expect(
      client.putBucketVersioning({ Bucket: bucket, VersioningConfiguration: { Status: "Suspended" } }),
    ).rejects.toMatchObject({ name: "InvalidBucketState" });
    await expect(client.deleteBucket({ Bucket: bucket })).rejects.toMatchObject({ name: "BucketNotEmpty" });

    // Whoever finds nothing is told how to find it, and never to make another vault there.
    const lost = await refloat.run(["points", "notes"]);
    expect(lost.exit).toBe(3);
    expect(lost.stderr).toContain("was deleted, and is still there as it was before");
    expect(lost.stderr).not.toContain("vault init");
    const next = /^next: refloat (--vault-as-of \S+ points)$/m.exec(lost.stderr)?.[1] ?? "";
    expect((await refloat.succeed(next.split(" "))).stdout).toContain("notes");
    const tooLate = await refloat.run(["points", "--vault-as-of", new Date().toISOString()]);
    expect(tooLate).toMatchObject({ exit: 3, stderr: expect.stringContaining(`next: refloat ${next}`) });
    const tooEarly = await refloat.run(["points", "--vault-as-of", "2026-01-01T00:00:00Z"]);
    expect(tooEarly).toMatchObject({ exit: 3, stderr: expect.stringContaining(`next: refloat ${next}`) });
    expect((await refloat.run(["vault", "keys"])).stderr).toContain(`next: refloat ${next}`);
    const asOf = ["--vault-as-of", before.toISOString()] as const;
    const { points } = await data("points", "points", "notes", ...asOf);
    expect(points).toHaveLength(1);
    await writeFile(join(docs, "a.txt"), "ruined\n");
    await writeFile(join(docs, "large"), "");
    const { lines } = await refloat.run(["verify", "--read-data", ...asOf, "--json"]);
    const proven = resultEnvelopeSchema("verify").parse(lines.at(-1)).data;
    expect(proven).toMatchObject({ hurt: [], gone: [], roots: { proven: 1 } });
    expect(proven.findings.flatMap(({ affects }) => affects)).toEqual([]);
    await data("run", "recover", "notes", "--yes", ...asOf);
    expect(await readFile(join(docs, "a.txt"), "utf8")).toBe("first\n");
    expect(Buffer.compare(await readFile(join(docs, "large")), noise(3_000_000, "kept"))).toBe(0);
    const refusal = await refloat.run(["capture", "notes", ...asOf]);
    expect(refusal).toMatchObject({ exit: 3, stderr: expect.stringContaining("vault.read-only") });
  });

  it("prolongs the lock of what a later point reuses, and tells what is not locked", async () => {
    const bucket = "prolonged";
    await makeBucket(client, bucket, { locks: true });
    await use(bucket, "1h");
    await data("vault-init", "vault", "init");
    const ofLog = new Set((await versionsOf(bucket)).map(({ VersionId }) => VersionId));
    await data("capture", "capture", "notes");
    const first = (await versionsOf(bucket)).filter(({ Key }) => /\/(data|keys|config)/.test(Key ?? ""));
    const until = async () =>
      Promise.all(first.map(async ({ Key = "", VersionId }) => lockedUntil(bucket, Key, VersionId)));
    const short = await until();
    const file = join(folder.path, "refloat.yaml");
    await writeFile(file, (await readFile(file, "utf8")).replace("lock: 1h", "lock: 30d"));
    await writeFile(join(docs, "a.txt"), "second\n");
    await data("capture", "capture", "notes");
    const { points } = await data("vault-locks", "vault", "locks", "notes");
    expect(points.map(({ kept }) => kept)).toEqual([true, true]);
    expect(Date.parse(points[0]?.until ?? "")).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    const long = await until();
    // The pack of the content that did not change, config and keys; the tree of the first point stays as it was.
    expect(long.filter((date, at) => date !== undefined && date > (short[at] ?? date)).length).toBeGreaterThan(2);

    // Whichever it is: contents, trees, or the manifest without which nobody knows what the point rests on.
    const ofPoint = ({ Key = "", VersionId = "" }): boolean => Key.includes("/data/") && !ofLog.has(VersionId);
    for (const { Key = "" } of first.filter((version, at) => ofPoint(version) && short[at] !== undefined)) {
      const { VersionId } = await client.deleteObject({ Bucket: bucket, Key });
      const told = await refloat.run(["vault", "locks"]);
      expect(told.exit).toBe(4);
      expect(told.stdout).toMatch(/1 file removed,|cannot be read/);
      await client.deleteObject({ Bucket: bucket, Key, VersionId });
    }
    expect((await refloat.run(["vault", "locks"])).exit).toBe(0);

    // Nothing was declared for it; what the store says counts all the same.
    const declared = await readFile(file, "utf8");
    await writeFile(file, declared.replace("lock: 30d", "keep: { last: 1 }"));
    await writeFile(join(docs, "a.txt"), "third\n");
    const { id } = await data("capture", "capture", "notes");
    const [, ...before] = (await data("vault-locks", "vault", "locks", "notes")).points;
    // The index that came with it has no lock, and names nothing that they rest on.
    expect(before.map(({ kept, unlocked }) => [kept, unlocked])).toEqual([
      [true, 0],
      [true, 0],
    ]);
    const tomorrow = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86_400_000);
    await client.putObjectRetention({
      Bucket: bucket,
      Key: `vault/snapshots/${id}`,
      Retention: { Mode: "GOVERNANCE", RetainUntilDate: tomorrow },
    });
    await writeFile(file, declared.replace("lock: 30d", "lock: 30d\n    keep: { last: 1 }"));
    await writeFile(join(docs, "a.txt"), "fourth\n");
    await data("capture", "capture", "notes");
    const versionsLocked = async () => {
      const all = await versionsOf(bucket);
      const ends = await Promise.all(all.map(async ({ Key = "", VersionId }) => lockedUntil(bucket, Key, VersionId)));
      return all.flatMap(({ VersionId }, at) => ((ends[at]?.getTime() ?? 0) > Date.now() ? [VersionId] : []));
    };
    const locked = await versionsLocked();
    const pruned = await data("vault-prune", "vault", "prune", "notes", "--yes", "--now");
    expect(pruned.services[0]?.points.find(({ point }) => point === id)).toMatchObject({
      verdict: "keep",
      reasons: [{ kind: "locked", until: tomorrow.toISOString() }],
    });
    expect(await versionsLocked()).toEqual(expect.arrayContaining(locked));
    expect((await data("points", "points", "notes")).points).toHaveLength(4);
  });

  it("says plainly that a bucket without Object Lock keeps nothing", async () => {
    const bucket = "unlocked";
    await makeBucket(client, bucket, { locks: false });
    await use(bucket, "1h");
    await data("vault-init", "vault", "init");
    const { stdout } = await refloat.succeed(["capture", "notes"]);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(
      "WARNING lock: is declared, and the point will not be locked: Object Lock is not switched on for the bucket",
    );
    const told = await refloat.run(["vault", "locks"]);
    expect(told.exit).toBe(0);
    expect(told.stdout).toContain("no point is locked");
    expect(told.stdout).toContain("Object Lock is not switched on for the bucket");
  });
});
