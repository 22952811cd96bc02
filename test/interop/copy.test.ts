/** A second vault under another key: the same points in it, by their ids, whole or not there at all; and stock restic finds it clean. */
import { chmod, cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { PointId } from "../../src/model/identifiers.ts";
import { copyVault } from "../../src/operations/vault-copy.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { startSshServer } from "../../src/testing/ssh-server.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import type { StoreSettings } from "../../src/vault/repository/stores/store-settings.ts";
import { asOpenVault, copyTo, createCopyBench, otherPassword, takePoint } from "./support/copy-bench.ts";
import { describeTree, expectSameTree } from "./support/described-tree.ts";
import { noise } from "./support/nasty-tree.ts";
import { password, requireRestic } from "./support/restic.ts";

const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;

let folder: TestFolder;
let tree: string;
let from: string;
let to: string;
let source: Repository;

requireRestic();

beforeEach(async () => {
  folder = await createTestFolder("refloat-copy");
  tree = `${folder.path}/tree`;
  from = `${folder.path}/vault`;
  to = `${folder.path}/copy`;
  await mkdir(`${tree}/deep/er`, { recursive: true });
  await writeFile(`${tree}/large`, noise(3_000_000, "large"));
  for (let i = 0; i < 40; i += 1) await writeFile(`${tree}/deep/er/${i}`, noise(1 + i * 50, `small ${i}`));
  source = await createRepository(from, password, { clock: systemClock });
});

afterEach(async () => {
  await source.close();
  await folder.remove();
});

const copy = async (request: Parameters<typeof copyVault>[1], settings?: StoreSettings) => {
  const { bench, close } = createCopyBench(source, settings);
  try {
    return await copyVault(
      bench,
      request,
      never,
      () => undefined,
      () => undefined,
    );
  } finally {
    await close();
  }
};

const inCopy = async <Result>(act: (vault: ReturnType<typeof asOpenVault>) => Promise<Result>): Promise<Result> => {
  const repository = await openRepository(to, otherPassword, { clock: systemClock });
  try {
    return await act(asOpenVault(repository));
  } finally {
    await repository.close();
  }
};

const restic = async (...args: readonly string[]): Promise<string> =>
  (await execa("restic", ["--no-cache", "-r", to, ...args], { env: { RESTIC_PASSWORD: otherPassword, TZ: "UTC" } }))
    .stdout;

const hour = (n: number): string => `2026-11-22T${String(n)}:00:00.000Z`;

const twoPoints = async (): Promise<readonly PointId[]> => {
  const first = await takePoint(source, tree, hour(10));
  await writeFile(`${tree}/new`, noise(200_000, "new"));
  return [first, await takePoint(source, tree, hour(11))];
};

const packsOf = async (): Promise<readonly string[]> =>
  (await readdir(`${to}/data`, { recursive: true })).filter((name) => name.length > 60).sort();

const chainOf = async ({ points }: ReturnType<typeof asOpenVault>) => {
  const { points: rooted, gone } = await points.chain();
  const roots = rooted.map(({ point, verdict }) => [point, verdict.status === "proven" ? verdict.root.root : verdict]);
  return { roots: Object.fromEntries(roots) as Readonly<Record<string, unknown>>, gone };
};

describe("a copy of a vault", () => {
  it("has the same points under their ids, proven in their chain, and stock restic restores them", async () => {
    const ids = await twoPoints();
    const here = asOpenVault(source);
    const [newest] = await here.points.list();
    if (newest === undefined) throw new Error("no point was made");
    await here.holds.hold(newest, "for the auditors", "ada");

    const forecast = await copy(copyTo(to, { create: true, dryRun: true }));
    expect(forecast.points.map(({ state }) => state)).toEqual(["missing", "missing"]);
    expect(await packsOf()).toEqual([]);
    const copied = await copy(copyTo(to));
    expect(copied.points.map(({ point, state }) => [point, state])).toEqual(ids.map((id) => [id, "copied"]));
    expect(copied.points.map(({ blobs }) => blobs)).toEqual(forecast.points.map(({ blobs }) => blobs));
    expect(copied.holds).toBe(1);

    await inCopy(async (vault) => {
      const [last, first] = await vault.points.list();
      expect([first?.id, last?.id]).toEqual(ids);
      expect(last).toEqual({ ...newest, madeIn: source.id });
      expect(await chainOf(vault)).toEqual(await chainOf(here));
      expect(await vault.holds.list()).toMatchObject([{ point: newest.id, reason: "for the auditors", by: "ada" }]);
      expect((await vault.repository.verify({ depth: "read-data" }, never)).findings).toEqual([]);
      const member = newest.manifest.components["db"]?.snapshot ?? "";
      const restored = `${folder.path}/restored`;
      await (await vault.repository.openSnapshot(member)).extract(tree, restored, never);
      expectSameTree(await describeTree(restored), await describeTree(tree), 500n);
      // The trees are the same to the byte.
      expect((await vault.repository.openSnapshot(member)).info.tree).toBe(
        (await source.openSnapshot(member)).info.tree,
      );
    });
    expect(await restic("check", "--read-data")).toContain("no errors were found");
    await restic("restore", "latest", "--tag", "component=docs", "--target", `${folder.path}/by-restic`);
    expectSameTree(await describeTree(`${folder.path}/by-restic${tree}`), await describeTree(tree), 0n);

    const before = await packsOf();
    const again = await copy(copyTo(to));
    expect(again).toMatchObject({ points: [{ state: "there" }, { state: "there" }], holds: 0 });
    expect(await packsOf()).toEqual(before);
    await writeFile(`${tree}/newer`, noise(100_000, "newer"));
    await takePoint(source, tree, hour(12));
    const third = (await copy(copyTo(to))).points.at(-1);
    expect(third?.state).toBe("copied");
    expect(third?.newBytes).toBeLessThan(130_000);
  });

  it("goes on and comes back: to a third vault, and to where it was made", async () => {
    const [first, second] = await twoPoints();
    await copy(copyTo(to, { create: true }));
    const original = source;
    source = await openRepository(to, otherPassword, { clock: systemClock });
    const third = `${folder.path}/third`;
    await copy(copyTo(third, { create: true }));
    to = third;
    await inCopy(async (vault) => {
      expect((await vault.points.list()).map(({ id, madeIn }) => [id, madeIn])).toEqual([
        [second, original.id],
        [first, original.id],
      ]);
      expect(await chainOf(vault)).toEqual(await chainOf(asOpenVault(original)));
    });
    // The original loses a point, and gets it back by its id.
    await rm(`${from}/snapshots/${second}`);
    await original.close();
    await copy({ ...copyTo(from), to: { url: from, password: async () => password, create: false } });
    await source.close();
    source = await openRepository(from, password, { clock: systemClock });
    const back = asOpenVault(source);
    expect((await back.points.list()).map(({ id }) => id)).toEqual([second, first]);
    expect(Object.values((await chainOf(back)).roots)).toEqual([expect.any(String), expect.any(String)]);
  });

  it("misses no point that was never brought to it, and every one that was taken from it", async () => {
    const [first = "", second = ""] = await twoPoints();
    await copy({ ...copyTo(to, { create: true }), points: [second.slice(0, 8)] });
    await inCopy(async (vault) => expect((await vault.points.chain()).gone).toEqual([]));
    await takePoint(source, tree, hour(12));
    await copy(copyTo(to));
    await inCopy(async (vault) => {
      const info = await vault.repository.snapshots();
      expect(info.map(({ id }) => id)).toContain(first);
      await vault.repository.removeSnapshots(info.filter(({ id }) => id === second).map(({ id }) => id));
    });
    await inCopy(async (vault) =>
      expect((await vault.points.chain()).gone.map(({ point }) => point)).toEqual([second]),
    );
  });

  it("leaves out a point that is damaged, says so, and takes the others", async () => {
    await takePoint(source, tree, hour(10));
    await source.close();
    const packs = (await readdir(`${from}/data`, { recursive: true })).filter((name) => name.length > 60);
    for (const name of packs) {
      const path = join(from, "data", name);
      const bytes = await readFile(path);
      if (bytes.length < 1_000_000) continue;
      bytes[500_000] = (bytes[500_000] ?? 0) ^ 1;
      await chmod(path, 0o600);
      await writeFile(path, bytes);
    }
    source = await openRepository(from, password, { clock: systemClock });
    await rm(`${tree}/large`);
    await takePoint(source, tree, hour(11));
    const { points } = await copy(copyTo(to, { create: true }));
    expect(points.map(({ state }) => state)).toEqual(["damaged", "copied"]);
    expect(points[0]?.reason).toMatch(/^the blob [0-9a-f]{8} is lost or damaged in the vault at /);
    await inCopy(async (vault) => {
      expect((await vault.points.list()).map(({ id }) => id)).toEqual([points[1]?.point]);
      expect((await vault.repository.verify({ depth: "read-data" }, never)).findings).toEqual([]);
    });
  });

  it("is refused by the vault itself, and by one with points of the same name that were made elsewhere", async () => {
    await takePoint(source, tree, hour(10));
    await source.close();
    await cp(from, `${folder.path}/byte-copy`, { recursive: true });
    source = await openRepository(from, password, { clock: systemClock });
    const same = { ...copyTo(`${folder.path}/byte-copy`), to: { url: `${folder.path}/byte-copy`, password: null } };
    const { bench, close } = createCopyBench(source);
    const attempt = async (request: Parameters<typeof copyVault>[1]) =>
      copyVault(
        bench,
        request,
        never,
        () => undefined,
        () => undefined,
      );
    await expect(attempt(same)).rejects.toMatchObject({ code: "vault.unfit", state: "nothing was changed" });
    const other = await createRepository(to, otherPassword, { clock: systemClock });
    await takePoint(other, tree, hour(13));
    await other.close();
    await expect(attempt(copyTo(to))).rejects.toMatchObject({
      code: "vault.unfit",
      message: expect.stringContaining("has points of another shop") as string,
    });
    await expect(attempt({ ...copyTo(to), to: { url: to, password: null } })).rejects.toMatchObject({
      code: "vault.wrong-password",
    });
    await expect(attempt(copyTo(`${folder.path}/nowhere`))).rejects.toMatchObject({ code: "vault.not-found" });
    await close();
  });

  it("of a locked point is locked as long, where its store can lock", async ({ skip }) => {
    const now = new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
    const id = await takePoint(source, tree, now, { for: "1h" });
    const [point] = (await copy(copyTo(to, { create: true }))).points;
    const until = point?.lockUntil ?? "";
    expect(Date.parse(until)).toBeGreaterThan(Date.parse(now) + 3_600_000);
    try {
      await inCopy(async ({ repository, points }) => {
        const { locks } = await repository.lockSupport();
        skip(!locks, "only root may lock a folder, and only on a file system with the immutable flag");
        const [found] = await points.list();
        const snapshots = [...new Set(Object.values(found?.manifest.components ?? {}).map(({ snapshot }) => snapshot))];
        const [report] = await repository.locksOf([{ id, snapshots }], never);
        expect(report).toMatchObject({ unlocked: 0, missing: 0 });
        expect(Date.parse(report?.until ?? "")).toBeGreaterThanOrEqual(Date.parse(until));
        expect([...(await repository.lockEnds(snapshots)).keys()]).toEqual(snapshots);
        const [refused] = await repository.removeSnapshots(snapshots);
        expect(refused?.reason).toContain("locked until");
      });
    } finally {
      await execa("chattr", ["-R", "-i", folder.path], { reject: false });
    }
  });

  it("says that the disk is full, keeps no half point, and finishes when there is room", async ({ skip }) => {
    skip(!isRoot, "only root may mount a small tmpfs to fill");
    const disk = `${folder.path}/disk`;
    await mkdir(disk);
    await execa("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]);
    try {
      await twoPoints();
      to = `${disk}/copy`;
      await expect(copy(copyTo(to, { create: true }))).rejects.toMatchObject({ code: "vault.no-space" });
      await execa("mount", ["-o", "remount,size=40m", disk]);
      await inCopy(async (vault) => expect(await vault.points.list()).toEqual([]));
      expect((await copy(copyTo(to))).points.map(({ state }) => state)).toEqual(["copied", "copied"]);
      expect(await restic("check", "--read-data")).toContain("no errors were found");
    } finally {
      await execa("umount", [disk]);
    }
  });

  it("goes to an SSH server as well", async () => {
    const ids = await twoPoints();
    const server = await startSshServer();
    try {
      const settings = { sshConfig: server.configFile };
      const url = server.location("copy");
      expect((await copy(copyTo(url, { create: true }), settings)).points.map(({ state }) => state)).toEqual([
        "copied",
        "copied",
      ]);
      const repository = await openRepository(url, otherPassword, { clock: systemClock, settings });
      expect((await asOpenVault(repository).points.list()).map(({ id }) => id).toReversed()).toEqual(ids);
      expect((await repository.verify({ depth: "read-data" }, never)).findings).toEqual([]);
      await repository.close();
    } finally {
      await server.stop();
    }
  });
});
