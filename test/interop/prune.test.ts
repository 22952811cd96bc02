/** Prune against stock restic: what is left is whole, each takes the other's work for what it is, and locks are respected both ways. */
import { readdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../src/core/ports/environment.ts";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { PruneReport } from "../../src/core/ports/vault-pruning.ts";
import type { SnapshotId } from "../../src/model/identifiers.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { noise } from "./support/nasty-tree.ts";
import { password, requireRestic, restic, resticRefusal } from "./support/restic.ts";

const never = new AbortController().signal;
const dayMs = 86_400_000;

requireRestic();

describe("prune", () => {
  let folder: TestFolder;
  let vault: string;
  let repository: Repository;
  let aheadMs: number;
  const clock: Clock = { ...systemClock, now: () => new Date(Date.now() + aheadMs) };

  beforeEach(async () => {
    aheadMs = 0;
    folder = await createTestFolder("refloat-prune");
    vault = `${folder.path}/vault`;
    repository = await createRepository(vault, password, { clock });
  });

  afterEach(async () => {
    await repository.close();
    await folder.remove();
  });

  const begin = async (from = repository) =>
    from.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"] });

  const put = async (files: Readonly<Record<string, Buffer>>, from = repository): Promise<SnapshotId> => {
    const writer = await begin(from);
    for (const [name, content] of Object.entries(files)) await writer.bytes(`/${name}`, content);
    return (await writer.commit()).id;
  };

  const get = async (id: SnapshotId, name: string): Promise<Buffer> => {
    const fresh = await openRepository(vault, password, { clock });
    try {
      return Buffer.from(await (await fresh.openSnapshot(id)).read(`/${name}`));
    } finally {
      await fresh.close();
    }
  };

  const prune = async (without: readonly SnapshotId[] = [], graceMs = 0): Promise<PruneReport> => {
    const pruning = await repository.beginPrune({ without, graceMs }, never);
    try {
      expect(await repository.removeSnapshots(without)).toEqual([]);
      return await pruning.run(never);
    } finally {
      await pruning.close();
    }
  };

  const packs = async (): Promise<readonly string[]> => {
    const found = await readdir(`${vault}/data`, { recursive: true });
    return found
      .filter((name) => name.length > 60)
      .map((name) => name.slice(3))
      .sort();
  };

  const expectSound = async (): Promise<void> => {
    const output = await restic(vault, "check", "--read-data");
    expect(output).toContain("no errors were found");
    expect(await readdir(`${vault}/locks`)).toEqual([]);
  };

  it("gives back what no snapshot uses and leaves the rest as it is", async () => {
    const kept = { both: noise(3_000_000, "both"), kept: noise(1_000_000, "kept") };
    const gone = await put({ both: kept.both, gone: noise(2_000_000, "gone") });
    const stays = await put(kept);
    const before = await packs();
    const pruning = await repository.beginPrune({ without: [gone], graceMs: 0 }, never);
    // Both used and unused data lie in the first pack: what is used is copied out.
    expect(pruning.forecast.repackBytes).toBeGreaterThan(3_000_000);
    expect(pruning.forecast.repackFreesBytes).toBeGreaterThan(1_900_000);
    await pruning.close();
    expect(await packs()).toEqual(before);
    const report = await prune([gone]);
    expect(report).toMatchObject({ waitingBytes: 0, waitsFor: [], waitsUntil: null, refused: [] });
    expect(report.freedBytes).toBeGreaterThan(4_900_000);
    expect(report.copiedBytes).toBeGreaterThan(3_000_000);
    await repository.close();
    await expectSound();
    expect(await get(stays, "both")).toEqual(kept.both);
    expect(await get(stays, "kept")).toEqual(kept.kept);
    const dump = await restic(vault, "stats", "--mode", "raw-data", "--json");
    expect((JSON.parse(dump) as { total_size: number }).total_size).toBeLessThan(4_100_000);
  });

  it("waits for the grace period, and restic finds all sound meanwhile", async () => {
    const gone = await put({ gone: noise(1_000_000, "gone") });
    await put({ kept: noise(1_000_000, "kept") });
    const before = await packs();
    const first = await prune([gone], dayMs);
    expect(first).toMatchObject({ removedPacks: 0, freedBytes: 0, waitsFor: [] });
    expect(first.waitingBytes).toBeGreaterThan(1_000_000);
    expect(Date.parse(first.waitsUntil ?? "")).toBeGreaterThan(Date.now() + dayMs / 2);
    expect(await packs()).toEqual(before);
    await repository.close();
    await expectSound();
    repository = await openRepository(vault, password, { clock });
    aheadMs = dayMs + 60_000;
    expect(await prune([], dayMs)).toMatchObject({ removedPacks: 2, waitingBytes: 0, foundPacks: 0 });
    await repository.close();
    await expectSound();
    expect(await packs()).toHaveLength(2);
  });

  it("never takes what a capture counts on that began before, and stores again what one needs that began later", async () => {
    const content = noise(1_000_000, "shared");
    const gone = await put({ shared: content });
    const early = await openRepository(vault, password, { clock });
    const writer = await begin(early);
    await writer.bytes("/shared", content);
    const report = await prune([gone]);
    // The process of the early capture is this one.
    expect(report.waitsFor).toEqual([expect.stringContaining(`@${hostname()}, process ${process.pid}`)]);
    expect(report).toMatchObject({ removedPacks: 0 });
    const late = await openRepository(vault, password, { clock });
    const lateWriter = await begin(late);
    const { newBytes } = await lateWriter.bytes("/shared", content);
    expect(newBytes).toBeGreaterThan(1_000_000);
    const earlyId = (await writer.commit()).id;
    await early.close();
    // The late one goes on while what it does not count on is taken away; what the early one has committed stays.
    const second = await prune();
    expect(second.recoveredPacks).toBeGreaterThan(0);
    const lateId = (await lateWriter.commit()).id;
    await late.close();
    await repository.close();
    await expectSound();
    expect(await get(earlyId, "shared")).toEqual(content);
    expect(await get(lateId, "shared")).toEqual(content);
  });

  it("makes a process forget what its failed capture has stored, once its lock is gone", async () => {
    const content = noise(18_000_000, "lost");
    const other = await openRepository(vault, password, { clock });
    const failed = await begin(other);
    await failed.bytes("/lost", content);
    // The first pack is full and on its way to the disk; one that is not there yet would be dropped.
    while ((await packs()).length === 0) await setTimeout(20);
    await failed.abort();
    expect(await packs()).toHaveLength(1);
    // It is given up some seconds after the last use.
    while ((await readdir(`${vault}/locks`)).length > 0) await setTimeout(200);
    expect(await prune()).toMatchObject({ foundPacks: 1, removedPacks: 1 });
    expect(await packs()).toEqual([]);
    const id = await put({ lost: content }, other);
    await other.close();
    await repository.close();
    await expectSound();
    expect(await get(id, "lost")).toEqual(content);
  });

  it("refuses while restic has the vault for itself, and keeps restic's backup away only for a moment", async () => {
    const gone = await put({ gone: noise(500_000, "gone") });
    const pruning = await repository.beginPrune({ without: [gone], graceMs: 0 }, never);
    await writeFile(`${folder.path}/data`, noise(300_000, "restic"));
    await restic(vault, "backup", `${folder.path}/data`);
    expect(await resticRefusal(vault, "prune")).toContain("repository is already locked");
    await expect(repository.beginPrune({ without: [], graceMs: 0 }, never)).rejects.toMatchObject({
      code: "vault.locked",
    });
    await repository.removeSnapshots([gone]);
    expect(await pruning.run(never)).toMatchObject({ removedPacks: 2 });
    await pruning.close();
    await repository.close();
    await expectSound();
    expect((await restic(vault, "snapshots", "--json")).length).toBeGreaterThan(100);
  });

  it("and restic's own prune take each other's work for what it is", async () => {
    const content = noise(1_000_000, "kept");
    const gone = await put({ gone: noise(1_000_000, "gone") });
    const stays = await put({ kept: content });
    await prune([gone], dayMs);
    await repository.close();
    await restic(vault, "prune", "--max-unused=0");
    await expectSound();
    expect(await packs()).toHaveLength(2);
    repository = await openRepository(vault, password, { clock });
    aheadMs = 2 * dayMs;
    expect(await prune([], dayMs)).toMatchObject({ foundPacks: 0, removedPacks: 0, waitingBytes: 0 });
    await put({ more: content });
    await restic(vault, "forget", "--prune", stays).catch(() => undefined);
    await repository.close();
    await expectSound();
  });

  it("refuses to take anything away while something that is needed cannot be read", async () => {
    await put({ a: noise(1_000_000, "a") });
    const gone = await put({ b: noise(1_000_000, "b") });
    await writeFile(`${vault}/snapshots/${"ab".repeat(32)}`, "rotten");
    await expect(prune([gone])).rejects.toMatchObject({
      code: "vault.damaged",
      state: "no data was removed from the vault",
      nextCommand: "refloat verify",
    });
    await rm(`${vault}/snapshots/${"ab".repeat(32)}`);
    expect(await packs()).toHaveLength(4);
  });
});
