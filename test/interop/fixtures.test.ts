/** Repositories that restic 0.18 wrote, versions 1 and 2: kept for ever, and read as they were meant. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { execa } from "execa";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { TreeEntry } from "../../src/core/ports/vault-snapshots.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { describeTree } from "./support/described-tree.ts";

type ExpectedEntry = {
  readonly pathHex: string;
  readonly path: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly type: string;
  readonly size?: number;
  readonly sha256?: string;
  readonly mtimeNs?: string;
  readonly links?: number;
  readonly target?: string;
};

const never = new AbortController().signal;
const fixtures = new URL("fixtures/", import.meta.url);
const expected = JSON.parse(await readFile(new URL("expected.json", fixtures), "utf8")) as {
  readonly snapshotTag: string;
  readonly path: string;
  readonly entries: readonly ExpectedEntry[];
};

/** Unpacks the repository of that version into a folder of its own. */
const unpack = async (folder: TestFolder, version: number): Promise<string> => {
  const archive = new URL(`restic-0.18-v${version}.tar`, fixtures).pathname;
  await execa("tar", ["-xf", archive, "-C", folder.path]);
  return `${folder.path}/restic-0.18-v${version}`;
};

const nanoseconds = (iso: string): bigint =>
  BigInt(Date.parse(`${iso.slice(0, 19)}Z`)) * 1_000_000n + BigInt(iso.slice(20, -1).padEnd(9, "0"));

describe.each([1, 2])("a repository of restic 0.18, version %d", (version) => {
  let folder: TestFolder;
  let location: string;
  let repository: Repository;

  beforeEach(async () => {
    folder = await createTestFolder("refloat-fixture");
    location = await unpack(folder, version);
    repository = await openRepository(location, "fixture", { clock: systemClock });
  });

  afterEach(async () => {
    await repository.close();
    await folder.remove();
  });

  const openExpected = async () => {
    const found = (await repository.snapshots()).find(({ tags }) => tags.includes(expected.snapshotTag));
    return repository.openSnapshot(found?.id ?? "");
  };

  it("shows both snapshots", async () => {
    const snapshots = await repository.snapshots();
    expect(snapshots.map(({ tags }) => tags.join()).sort()).toEqual(["first", "second"]);
    expect(snapshots.every(({ paths }) => paths.includes(expected.path))).toBe(true);
  });

  it("lists every entry with its type, mode, owner, size, time and target", async () => {
    const reader = await openExpected();
    const listed = new Map<string, TreeEntry>();
    const prefix = Buffer.byteLength(`${expected.path}/`);
    for await (const entry of reader.list(expected.path, { recursive: true })) {
      listed.set(Buffer.from(entry.rawPath).subarray(prefix).toString("hex"), entry);
    }
    expect([...listed.keys()].sort()).toEqual(expected.entries.map(({ pathHex }) => pathHex).sort());
    for (const wanted of expected.entries) {
      const entry = listed.get(wanted.pathHex);
      expect(entry).toMatchObject({
        path: `${expected.path}/${wanted.path}`,
        type: wanted.type,
        mode: Number(wanted.mode),
        uid: wanted.uid,
        gid: wanted.gid,
        sizeBytes: wanted.size ?? 0,
      });
      expect(entry?.linkTarget).toBe(wanted.target);
      // Folders' times are not in the list of what is expected.
      const modifiedNs = nanoseconds(entry?.modifiedAt ?? "");
      expect(modifiedNs).toBe(BigInt(wanted.mtimeNs ?? modifiedNs));
    }
  });

  it("gives the content of every file, whole and in ranges", async () => {
    const reader = await openExpected();
    for (const { path, sha256, size = 0 } of expected.entries.filter(({ type }) => type === "file")) {
      const parts: Uint8Array[] = [];
      for await (const part of reader.stream(`${expected.path}/${path}`)) parts.push(part);
      const content = Buffer.concat(parts);
      expect(createHash("sha256").update(content).digest("hex")).toBe(sha256);
      for (const [offset, length] of [
        [0, 1],
        [Math.floor(size / 2), 70_000],
        [Math.max(size - 1, 0), 5],
        [size + 3, 9],
      ] as const) {
        const range: Uint8Array[] = [];
        for await (const part of reader.stream(`${expected.path}/${path}`, { offset, length })) range.push(part);
        expect(Buffer.concat(range).equals(content.subarray(offset, offset + length))).toBe(true);
      }
    }
  });

  it("is restored to the same tree", async () => {
    const reader = await openExpected();
    await reader.extract(expected.path, `${folder.path}/restored`, never);
    const restored = await describeTree(`${folder.path}/restored`);
    for (const { pathHex, type, mode, uid, gid, size, sha256, mtimeNs, links, target } of expected.entries) {
      const entry = restored[pathHex];
      expect(entry).toMatchObject({ type, owner: `${uid}:${gid}`, sizeBytes: size ?? 0, sha256: sha256 ?? null });
      expect(Number.parseInt(entry?.mode ?? "", 8)).toBe(Number(mode));
      expect(entry?.target).toBe(target === undefined ? null : Buffer.from(target).toString("hex"));
      expect(entry?.names).toHaveLength((links ?? 1) > 1 ? (links ?? 1) : 0);
      const offNs = Number((entry?.mtimeNs ?? 0n) - BigInt(mtimeNs ?? entry?.mtimeNs ?? 0n));
      expect(Math.abs(offNs)).toBeLessThan(500);
    }
    expect(Object.keys(restored)).toHaveLength(expected.entries.length + 1);
  });

  it("verifies clean", async () => {
    const report = await repository.verify({ depth: "read-data" }, never);
    expect(report).toMatchObject({ findings: [], snapshots: 2 });
  });

  it("opens with each of its passwords and no other", async () => {
    await expect(openRepository(location, "wrong", { clock: systemClock })).rejects.toMatchObject({
      code: "vault.wrong-password",
      message: `the password opens no key of the vault at ${location}`,
    });
  });
});

describe("writing to the fixtures", () => {
  let folder: TestFolder;

  beforeEach(async () => {
    folder = await createTestFolder("refloat-fixture");
  });

  afterEach(async () => {
    await folder.remove();
  });

  const request = { hostname: "h", time: new Date(), tags: [], paths: ["/a"] };

  it("refuses version 1", async () => {
    const repository = await openRepository(await unpack(folder, 1), "fixture", { clock: systemClock });
    await expect(repository.beginSnapshot(request)).rejects.toMatchObject({ code: "vault.unsupported" });
    await repository.close();
  });

  it("takes a snapshot into version 2, opened with its second password", async () => {
    const repository = await openRepository(await unpack(folder, 2), "second", { clock: systemClock });
    const writer = await repository.beginSnapshot(request);
    await writer.bytes("/a", Buffer.from("content"));
    const { id } = await writer.commit();
    expect(Buffer.from(await (await repository.openSnapshot(id)).read("/a")).toString()).toBe("content");
    await repository.close();
  });
});
