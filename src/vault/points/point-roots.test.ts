/** What the roots of points prove against whoever holds the storage: each case takes something away, puts something back, or replaces it. */
import { copyFile, cp, readdir, rm } from "node:fs/promises";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { shopPoint } from "../../../test/fixtures/shop.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { PointStore } from "../../core/ports/vault-points.ts";
import type { PointId, SnapshotId } from "../../model/identifiers.ts";
import type { PointManifest } from "../../model/manifest.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { createRepository } from "../repository/create-repository.ts";
import { openRepository } from "../repository/open-repository.ts";
import { createPointDepartures } from "./departures.ts";
import { createPointStore } from "./point-store.ts";

const environment = { clock: systemClock };
let folder: TestFolder;
let vault: string;
let repository: Repository;
let points: PointStore;

beforeEach(async () => {
  folder = await createTestFolder("refloat-roots");
  vault = `${folder.path}/vault`;
  repository = await createRepository(vault, "password", environment);
  points = createPointStore(repository);
});

afterEach(async () => {
  await repository.close();
  await folder.remove();
});

const capture = async (content: string): Promise<SnapshotId> => {
  const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/db"] });
  await writer.bytes("/db/dump", Buffer.from(content));
  return (await writer.commit()).id;
};

const manifestOf = (at: string, snapshot: SnapshotId, service = "shop"): PointManifest => {
  const made = shopPoint({ id: "0", at }).manifest;
  const members = Object.entries(made.components).map(([name, part]) => [name, { ...part, snapshot }] as const);
  return { ...made, service, finishedAt: at, components: Object.fromEntries(members) };
};

const hour = (n: number): string => `2026-11-22T${String(n)}:00:00.000Z`;
const commit = async (n: number, service = "shop"): Promise<PointId> =>
  points.commit(manifestOf(hour(n), await capture(`data of ${n}`), service));
const take = async (id: string): Promise<void> => rm(`${vault}/snapshots/${id}`);
/** As another process would see it. */
const chain = async () => createPointStore(repository).chain();
const statuses = async () => (await chain()).points.map(({ verdict }) => verdict.status).sort();

describe("the roots of points", () => {
  it("are proven, and name the points before them, of every service", async () => {
    const [first, other] = [await commit(10), await commit(11, "notes")];
    const last = await commit(12);
    const { points: rooted, gone } = await chain();
    expect(gone).toEqual([]);
    const after = Object.fromEntries(
      rooted.map(({ point, verdict }) => [
        point,
        verdict.status === "proven" && verdict.root.after.map((one) => one.point),
      ]),
    );
    // The newest of another service names the first, so that the last need not.
    expect(after).toEqual({ [first]: [], [other]: [first], [last]: [other] });
  });

  it("of captures that overlapped are both named by the next", async () => {
    const [left, right] = [await capture("left"), await capture("right")];
    const both = await Promise.all([
      points.commit(manifestOf(hour(10), left)),
      createPointStore(repository).commit(manifestOf(hour(11), right, "notes")),
    ]);
    const next = await commit(12);
    const { points: rooted } = await chain();
    const verdict = rooted.find(({ point }) => point === next)?.verdict;
    const named = verdict?.status === "proven" ? verdict.root.after.map(({ point }) => point) : [];
    const heads = both.filter(
      (id) =>
        !rooted.some(
          (one) =>
            one.point !== next &&
            one.verdict.status === "proven" &&
            one.verdict.root.after.some(({ point }) => point === id),
        ),
    );
    expect(named.sort()).toEqual(heads.sort());
  });

  it("miss a point that was taken away, while one of those after it is there", async () => {
    const [first, second, third] = [await commit(10), await commit(11), await commit(12)];
    await take(second);
    expect((await chain()).gone).toEqual([{ point: second, service: "shop", namedBy: third }]);
    // The newest one is missed by nobody in the vault: that is what a client's memory is for.
    await take(third);
    expect((await chain()).gone).toEqual([]);
    expect((await points.list()).map(({ id }) => id)).toEqual([first]);
  });

  it("do not miss a point whose departure was recorded", async () => {
    const [first, second] = [await commit(10), await commit(11)];
    await commit(12);
    const departures = createPointDepartures(repository, { ...systemClock, now: () => new Date(hour(13)) });
    await departures.record([{ point: first, service: "shop", reason: "expired" }]);
    await take(first);
    await take(second);
    expect((await chain()).gone.map(({ point }) => point)).toEqual([second]);
    expect([...(await departures.list()).values()]).toEqual([
      { point: first, service: "shop", reason: "expired", recordedAt: hour(13) },
    ]);
  });

  it("miss a point that was about to leave, has stayed, and went later", async () => {
    const [first] = [await commit(10), await commit(11)];
    const departures = createPointDepartures(repository, { ...systemClock, now: () => new Date(hour(13)) });
    const leaving = [{ point: first, service: "shop", reason: "expired" }];
    await departures.record(leaving);
    await departures.takeBack(leaving);
    expect([...(await departures.list()).keys()]).toEqual([]);
    await take(first);
    expect((await chain()).gone.map(({ point }) => point)).toEqual([first]);
  });

  it("take a point that rots for damaged, not for gone", async () => {
    const [first] = [await commit(10), await commit(11)];
    await take(first);
    const other = (await readdir(`${vault}/snapshots`)).find((name) => name !== first) ?? "";
    await copyFile(`${vault}/snapshots/${other}`, `${vault}/snapshots/${first}`);
    expect((await chain()).gone).toEqual([]);
    expect((await points.unreadable()).map(({ id }) => id)).toContain(first);
  });

  it("are nobody's to smuggle in: what another key sealed is no point, and hides none", async () => {
    const own = await commit(10);
    const elsewhere = await createRepository(`${folder.path}/other`, "password", environment);
    try {
      const writer = await elsewhere.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/db"] });
      await writer.bytes("/db/dump", Buffer.from("forged"));
      const { id } = await writer.commit();
      await createPointStore(elsewhere).commit(manifestOf(hour(13), id));
    } finally {
      await elsewhere.close();
    }
    for (const kind of ["snapshots", "index", "data"])
      await cp(`${folder.path}/other/${kind}`, `${vault}/${kind}`, { recursive: true });
    await repository.close();
    repository = await openRepository(vault, "password", environment);
    const seen = createPointStore(repository);
    expect((await seen.list()).map(({ id }) => id)).toEqual([own]);
    expect(await seen.unreadable()).toHaveLength(2);
    expect(await statuses()).toEqual(["proven"]);
  });

  it("that another hand with the key wrote otherwise are broken", async () => {
    const snapshot = await capture("data");
    const manifest = manifestOf(hour(10), snapshot);
    await points.commit(manifest);
    const point = (await repository.snapshots()).find(({ tags }) => tags.includes("refloat-point"));
    const reader = await repository.openSnapshot(point?.id ?? "");
    const root = JSON.parse(Buffer.from(await reader.read("/refloat/root.json")).toString("utf8")) as object;
    const forged = [
      { ...root, after: [{ point: snapshot, service: "shop", root: null }] },
      { ...root, seal: "00".repeat(32) },
      { ...root, vault: "elsewhere" },
      { schemaVersion: 2 },
    ];
    for (const one of forged) {
      const writer = await repository.beginSnapshot({
        hostname: "h",
        time: new Date(),
        tags: ["refloat-point", "service=shop"],
        paths: ["/refloat/point.json"],
      });
      await writer.bytes("/refloat/point.json", await reader.read("/refloat/point.json"));
      await writer.bytes("/refloat/root.json", Buffer.from(JSON.stringify(one)));
      await writer.commit();
    }
    expect(await statuses()).toEqual(["broken", "broken", "broken", "broken", "proven"]);
  });

  it("are not needed: points of the first version are read, named by the next, and missed when they go", async () => {
    const archive = new URL("../../../test/fixtures/vaults/points-without-root.tar.gz", import.meta.url).pathname;
    await repository.close();
    await rm(vault, { recursive: true });
    await execa("tar", ["-xzf", archive, "-C", folder.path]);
    repository = await openRepository(vault, "an old password", environment);
    points = createPointStore(repository);
    const old = await points.list("shop");
    expect(old.map(({ manifest, missing }) => [manifest.consistentAt, missing])).toEqual([
      [hour(14), []],
      [hour(13), []],
    ]);
    expect(await statuses()).toEqual(["none", "none"]);
    const [newest] = old;
    const reader = await repository.openSnapshot(newest?.manifest.components["db"]?.snapshot ?? "");
    expect(Buffer.from(await reader.read("/db/toc.dat")).toString()).toBe(`the database at ${hour(14)}`);
    const next = await commit(15);
    expect(await statuses()).toEqual(["none", "none", "proven"]);
    await take(newest?.id ?? "");
    expect((await chain()).gone).toEqual([{ point: newest?.id, service: "shop", namedBy: next }]);
  });
});
