/**
 * The policies of docs/vault-stores.md, as they stand there, for users of a real radosgw who have no other right: everything that each is
 * meant to do works, and the server refuses the rest.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { S3 } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type ResultData, resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import type { ResultKind } from "../../src/contract/result-schemas.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type RadosgwServer, type RadosgwUser, startRadosgw } from "../../src/testing/radosgw-server.ts";
import { makeBucket, s3ClientOf } from "../../src/testing/s3-bucket.ts";
import { type RefloatProgram, refloatIn } from "../e2e/support/refloat-program.ts";
import { noise } from "./support/nasty-tree.ts";

/** Many starts of the program beside a whole Ceph cluster: on a busy machine that takes minutes. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 300_000 });

const roles = ["capture", "prune", "recover"] as const;
type Role = (typeof roles)[number];
type Statement = Readonly<Record<string, unknown>>;

let server: RadosgwServer;
let owner: S3;
const users = new Map<Role, { readonly user: RadosgwUser; readonly client: S3 }>();
let folder: TestFolder;
let buckets = 0;

beforeAll(async () => {
  server = await startRadosgw();
  owner = s3ClientOf(server);
  for (const role of roles) {
    const user = await server.addUser(role);
    users.set(role, { user, client: s3ClientOf(server, user) });
  }
});

afterAll(async () => {
  owner.destroy();
  for (const { client } of users.values()) client.destroy();
  await server.stop();
});

beforeEach(async () => {
  folder = await createTestFolder("refloat-rights");
});

afterEach(async () => {
  await folder.remove();
});

const userOf = (role: Role) => {
  const found = users.get(role);
  if (found === undefined) throw new Error(`there is no user ${role}`);
  return found;
};

const documented = async (bucket: string): Promise<Readonly<Record<Role, readonly Statement[]>>> => {
  const text = await readFile(new URL("../../docs/vault-stores.md", import.meta.url), "utf8");
  const rights = text.slice(text.indexOf("\n## Rights"), text.indexOf("\n## Cost"));
  const blocks = [...rights.matchAll(/```json\n(?<json>.*?)```/gs)].map(
    ({ groups }) => JSON.parse((groups?.["json"] ?? "").replaceAll(":::market", `:::${bucket}`)) as Statement,
  );
  const [capture, more, recover] = blocks;
  if (capture === undefined || more === undefined || recover === undefined)
    throw new Error("the page has other blocks");
  const statements = (policy: Statement): readonly Statement[] => policy["Statement"] as readonly Statement[];
  return { capture: statements(capture), prune: [...statements(capture), more], recover: statements(recover) };
};

/** A bucket with Object Lock whose policy is the documented ones, each for its user. */
const newBucket = async (): Promise<string> => {
  const bucket = `rights-${(buckets += 1)}`;
  await makeBucket(owner, bucket, { locks: true });
  const policies = await documented(bucket);
  const Statement = roles.flatMap((role) =>
    policies[role].map((statement) => ({ ...statement, Principal: { AWS: [`arn:aws:iam:::user/${role}`] } })),
  );
  await owner.putBucketPolicy({ Bucket: bucket, Policy: JSON.stringify({ Version: "2012-10-17", Statement }) });
  return bucket;
};

const lines = (text: string): string => text.replaceAll(/\s+/g, " ");

describe("the documented policies", () => {
  let programs: Readonly<Record<Role, RefloatProgram>>;
  let docs: string;

  /** Each user has a machine of his own, with the same files to protect. */
  const use = async (bucket: string, services: string): Promise<void> => {
    docs = join(folder.path, "docs");
    await mkdir(docs);
    await writeFile(join(docs, "a.txt"), "first\n");
    await writeFile(join(docs, "large"), noise(3_000_000, "kept"));
    await writeFile(join(folder.path, "password"), "correct horse\n", { mode: 0o600 });
    const made = await Promise.all(
      roles.map(async (role) => {
        const { accessKeyId, secretAccessKey } = userOf(role).user;
        const home = join(folder.path, role);
        await mkdir(home);
        await writeFile(join(home, "secret"), secretAccessKey, { mode: 0o600 });
        await writeFile(
          join(home, "refloat.yaml"),
          `vault:
  url: s3:${server.url}/${bucket}/vault
  password: \${file:${join(folder.path, "password")}}
  s3:
    accessKeyId: ${accessKeyId}
    secretAccessKey: \${file:${join(home, "secret")}}
services:
${services.replaceAll("DOCS", docs)}`,
        );
        return [role, refloatIn(home)] as const;
      }),
    );
    programs = Object.fromEntries(made) as Record<Role, RefloatProgram>;
  };

  const data = async <Kind extends ResultKind>(role: Role, kind: Kind, ...args: readonly string[]) => {
    const run = await programs[role].succeed([...args, "--json"]);
    return (resultEnvelopeSchema(kind).parse(run.lines.at(-1)) as { readonly data: ResultData<Kind> }).data;
  };

  const notes = (lock: string) => `  notes:
    lock: ${lock}
    keep: { last: 1 }
    components:
      docs:
        type: files
        path: DOCS
`;

  it("let a capture lock, extend and verify, and neither delete, shorten nor purge", async () => {
    const bucket = await newBucket();
    await use(bucket, notes("1h"));
    await data("capture", "vault-init", "vault", "init");
    await data("capture", "capture", "capture", "notes");
    await writeFile(join(docs, "a.txt"), "second\n");
    await data("capture", "capture", "capture", "notes");
    expect(await data("capture", "verify", "verify", "--read-data")).toMatchObject({ findings: [], hurt: [] });
    const { points } = await data("capture", "vault-locks", "vault", "locks");
    expect(points.map(({ kept, unlocked }) => [kept, unlocked])).toEqual([
      [true, 0],
      [true, 0],
    ]);
    // Its own lock file went; whoever reads the log finds what it did.
    expect((await owner.listObjectsV2({ Bucket: bucket, Prefix: "vault/locks/" })).KeyCount ?? 0).toBe(0);
    expect((await programs.capture.succeed(["log", "--verify"])).exit).toBe(0);

    const { client } = userOf("capture");
    const refused = { name: "AccessDenied" };
    const { Versions = [] } = await owner.listObjectVersions({ Bucket: bucket });
    const own = Versions.filter(({ Key }) => Key?.startsWith("vault/locks/") === false);
    expect(own.length).toBeGreaterThan(8);
    const soon = { Mode: "GOVERNANCE", RetainUntilDate: new Date(Date.now() + 60_000) } as const;
    for (const { Key = "", VersionId = "" } of own) {
      const object = { Bucket: bucket, Key };
      const version = { ...object, VersionId };
      await expect(client.deleteObject(object)).rejects.toMatchObject(refused);
      await expect(
        client.deleteObjects({ Bucket: bucket, Delete: { Objects: [{ Key, VersionId }] } }),
      ).rejects.toMatchObject(refused);
      await expect(client.deleteObject(version)).rejects.toMatchObject(refused);
      await expect(client.deleteObject({ ...version, BypassGovernanceRetention: true })).rejects.toMatchObject(refused);
      const { ObjectLockRetainUntilDate: until } = await client.headObject(version);
      // What was written before the first point has no lock to shorten.
      if (until === undefined) continue;
      await expect(client.putObjectRetention({ ...version, Retention: soon })).rejects.toMatchObject(refused);
      await expect(
        client.putObjectRetention({ ...version, Retention: soon, BypassGovernanceRetention: true }),
      ).rejects.toMatchObject(refused);
      await expect(client.putObjectAcl({ ...object, ACL: "public-read" })).rejects.toMatchObject(refused);
    }
    const Status = "Suspended";
    for (const act of [
      async () => client.putBucketVersioning({ Bucket: bucket, VersioningConfiguration: { Status } }),
      async () => client.deleteBucketPolicy({ Bucket: bucket }),
      async () => client.deleteBucket({ Bucket: bucket }),
      async () => client.putObject({ Bucket: bucket, Key: "elsewhere", Body: "x" }),
      async () =>
        client.putBucketLifecycleConfiguration({
          Bucket: bucket,
          LifecycleConfiguration: {
            Rules: [{ ID: "a", Status: "Enabled", Filter: { Prefix: "" }, Expiration: { Days: 1 } }],
          },
        }),
    ]) {
      await expect(act()).rejects.toMatchObject(refused);
    }
    const pruned = await programs.capture.run(["vault", "prune", "--yes", "--now"]);
    expect(await data("capture", "points", "points", "notes")).toMatchObject({ points: [{}, {}] });
    expect(lines(pruned.stdout)).toContain("locked until");
  });

  it("let a recovery read, now and as of a time, and change nothing in the bucket", async () => {
    const bucket = await newBucket();
    await use(bucket, notes("1h"));
    await data("capture", "vault-init", "vault", "init");
    const point = await data("capture", "capture", "capture", "notes");
    const before = new Date();
    // Instants of versions are whole seconds on some servers.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const versionsBefore = (await owner.listObjectVersions({ Bucket: bucket })).Versions?.length;
    await writeFile(join(docs, "a.txt"), "ruined\n");
    expect((await data("recover", "points", "points", "notes")).points).toHaveLength(1);
    await data("recover", "run", "recover", "notes", "--yes");
    expect(await readFile(join(docs, "a.txt"), "utf8")).toBe("first\n");
    const { client } = userOf("recover");
    const refused = { name: "AccessDenied" };
    const object = { Bucket: bucket, Key: "vault/config" };
    await expect(client.putObject({ ...object, Body: "x" })).rejects.toMatchObject(refused);
    await expect(client.deleteObject(object)).rejects.toMatchObject(refused);
    expect((await owner.listObjectVersions({ Bucket: bucket })).Versions?.length).toBe(versionsBefore);

    const { Contents = [] } = await owner.listObjectsV2({ Bucket: bucket });
    for (const { Key = "" } of Contents) await owner.deleteObject({ Bucket: bucket, Key });
    await writeFile(join(docs, "a.txt"), "ruined again\n");
    const asOf = ["--vault-as-of", before.toISOString()];
    await programs.recover.succeed(["extract", `${point.id}:docs:a.txt`, "--to", join(folder.path, "a.txt"), ...asOf]);
    expect(await readFile(join(folder.path, "a.txt"), "utf8")).toBe("first\n");
  });

  it("let a prune take away what no lock holds, and nothing else", async () => {
    const bucket = await newBucket();
    await use(bucket, notes("5s"));
    await data("capture", "vault-init", "vault", "init");
    await data("capture", "capture", "capture", "notes");
    await writeFile(join(docs, "large"), noise(2_000_000, "other"));
    await data("capture", "capture", "capture", "notes");
    await new Promise((resolve) => setTimeout(resolve, 6000));
    const refusal = await programs.capture.run(["vault", "prune", "--yes", "--now"]);
    expect(refusal.exit).not.toBe(0);
    expect((await data("capture", "points", "points", "notes")).points).toHaveLength(2);
    const pruned = await data("prune", "vault-prune", "vault", "prune", "--yes", "--now");
    expect(pruned.services[0]?.points.map(({ verdict }) => verdict).sort()).toEqual(["expire", "keep"]);
    expect((await data("prune", "points", "points", "notes")).points).toHaveLength(1);
    expect(await data("recover", "verify", "verify", "--read-data")).toMatchObject({ hurt: [] });
    const { client } = userOf("prune");
    const { Versions = [] } = await owner.listObjectVersions({ Bucket: bucket, Prefix: "vault/data/" });
    const [version] = Versions;
    await expect(
      client.deleteObject({ Bucket: bucket, Key: version?.Key, VersionId: version?.VersionId }),
    ).rejects.toMatchObject({ name: "AccessDenied" });
  });

  it("let services of both modes share what they captured, without the right to bypass", async () => {
    const bucket = await newBucket();
    const strict = notes("{ for: 30m, mode: compliance }").replace("notes:", "strict:").replace("docs:", "files:");
    await use(bucket, `${notes("1h")}${strict}`);
    await data("capture", "vault-init", "vault", "init");
    await data("capture", "capture", "capture", "notes");
    await data("capture", "capture", "capture", "strict");
    const modesOf = async () => {
      const { points } = await data("capture", "vault-locks", "vault", "locks");
      return points.map(({ service, kept, mode, unlocked }) => [service, kept, mode, unlocked]);
    };
    expect(await modesOf()).toEqual(
      expect.arrayContaining([
        ["strict", true, "compliance", 0],
        ["notes", true, "governance", 0],
      ]),
    );
    const { client } = userOf("capture");
    /** By key of a pack: the modes of its versions, the newest first. */
    const packs = async () => {
      const { Versions = [] } = await owner.listObjectVersions({ Bucket: bucket, Prefix: "vault/data/" });
      const modes = new Map<string, (string | undefined)[]>();
      for (const { Key = "", VersionId } of Versions) {
        const { ObjectLockMode } = await client.headObject({ Bucket: bucket, Key, VersionId });
        modes.set(Key, [...(modes.get(Key) ?? []), ObjectLockMode]);
      }
      return modes;
    };
    const before = await packs();
    const again = [...before.values()].filter((modes) => modes.length > 1);
    expect(again.length).toBeGreaterThan(0);
    expect(new Set(again.map(String))).toEqual(new Set(["COMPLIANCE,GOVERNANCE"]));
    // Each was written anew once, and is strict enough from then on.
    await data("capture", "capture", "capture", "strict");
    const after = await packs();
    for (const [key, modes] of before) expect([key, after.get(key)]).toEqual([key, modes]);
    expect(await data("capture", "verify", "verify", "--read-data")).toMatchObject({ hurt: [] });
  });
});
