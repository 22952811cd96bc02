import { readdir, rm, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { shopPoint } from "../../../test/fixtures/shop.ts";
import type { Repository } from "../../core/ports/vault.ts";
import type { PointStore } from "../../core/ports/vault-points.ts";
import { type SnapshotId, snapshotIdSchema } from "../../model/identifiers.ts";
import type { PointManifest } from "../../model/manifest.ts";
import { systemClock } from "../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { createRepository } from "../repository/create-repository.ts";
import { createPointStore } from "./point-store.ts";
import { createRunCopies } from "./run-copies.ts";

let folder: TestFolder;
let vault: string;
let repository: Repository;

beforeEach(async () => {
  folder = await createTestFolder("refloat-points");
  vault = `${folder.path}/vault`;
  repository = await createRepository(vault, "password", { clock: systemClock });
});

afterEach(async () => {
  await repository.close();
  await folder.remove();
});

const snapshotOf = async (content: string, tags: readonly string[] = []): Promise<SnapshotId> => {
  const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags, paths: ["/db"] });
  await writer.bytes("/refloat/point.json", Buffer.from(content));
  return (await writer.commit()).id;
};

const removeSnapshot = async (id: string): Promise<void> => rm(`${vault}/snapshots/${id}`);

describe("recovery points", () => {
  let points: PointStore;
  let data: SnapshotId;

  beforeEach(async () => {
    points = createPointStore(repository);
    data = await snapshotOf("data");
  });

  /** A point of the shop whose components all lie in one snapshot. */
  const manifest = (at: string, snapshot: SnapshotId = data, service = "shop"): PointManifest => {
    const made = shopPoint({ id: "0", at }).manifest;
    const components = Object.fromEntries(
      Object.entries(made.components).map(([name, component]) => [name, { ...component, snapshot }]),
    );
    return { ...made, service, components };
  };

  it("are listed newest first, by service, as they were committed", async () => {
    const older = await points.commit(manifest("2026-11-22T13:00:00.000Z"));
    const newer = await points.commit(manifest("2026-11-22T14:00:00.000Z"));
    const other = await points.commit(manifest("2026-11-22T15:00:00.000Z", data, "notes"));
    expect((await points.list()).map(({ id }) => id)).toEqual([other, newer, older]);
    expect(await createPointStore(repository).list("shop")).toEqual([
      { id: newer, manifest: manifest("2026-11-22T14:00:00.000Z"), missing: [] },
      { id: older, manifest: manifest("2026-11-22T13:00:00.000Z"), missing: [] },
    ]);
    expect(await points.list("none")).toEqual([]);
    expect(await points.unreadable()).toEqual([]);
  });

  it("lie in snapshots that stock restic finds by tag", async () => {
    const id = await points.commit(manifest("2026-11-22T13:00:00.000Z"));
    const info = (await repository.snapshots()).find((snapshot) => snapshot.id === String(id));
    expect(info).toMatchObject({ tags: ["refloat-point", "service=shop"], hostname: "shop-1" });
    const content = Buffer.from(await (await repository.openSnapshot(id)).read("/refloat/point.json")).toString();
    // Canonical: members sorted, so that equal manifests are equal bytes.
    expect(
      content.startsWith('{"beganAt":"2026-11-22T13:00:00.000Z","captureOrder":["db","uploads","app","proxy"]'),
    ).toBe(true);
  });

  it("are read by any prefix that fits one only", async () => {
    const id = await points.commit(manifest("2026-11-22T13:00:00.000Z"));
    expect((await points.read(id.slice(0, 8))).id).toBe(id);
    await expect(points.read("")).rejects.toMatchObject({ code: "point.unknown" });
    // A snapshot that is no point is none.
    await expect(points.read(data)).rejects.toMatchObject({ code: "point.unknown", nextCommand: "refloat points" });
    for (let n = 0; n < 17; n += 1) await points.commit(manifest(`2026-11-22T14:00:${String(n + 10)}.000Z`));
    const shared = (await points.list())
      .map((point) => point.id.slice(0, 1))
      .find((first, at, all) => all.indexOf(first) < at);
    await expect(points.read(shared ?? "")).rejects.toMatchObject({ code: "point.ambiguous" });
  });

  it("are not made when a member's snapshot is not there", async () => {
    const gone = snapshotIdSchema.parse("ab".repeat(32));
    await expect(points.commit(manifest("2026-11-22T13:00:00.000Z", gone))).rejects.toMatchObject({
      code: "point.damaged",
      message: "no point was made: the snapshot of db, uploads, app, proxy is not in the vault",
    });
    expect(await points.list()).toEqual([]);
  });

  it("show what they have lost, and are none once their manifest is gone", async () => {
    const id = await points.commit(manifest("2026-11-22T13:00:00.000Z"));
    await removeSnapshot(data);
    expect((await points.read(id)).missing).toEqual(["app", "db", "proxy", "uploads"]);
    await removeSnapshot(id);
    expect(await points.list()).toEqual([]);
  });

  it("that cannot be read hide no others, and are named", async () => {
    const good = await points.commit(manifest("2026-11-22T13:00:00.000Z"));
    const newerForm = await snapshotOf('{"schemaVersion":2}', ["refloat-point", "service=shop"]);
    const rotten = await points.commit(manifest("2026-11-22T14:00:00.000Z"));
    await rm(`${vault}/snapshots/${rotten}`);
    await writeFile(`${vault}/snapshots/${rotten}`, "rotten");
    const fresh = createPointStore(repository);
    expect((await fresh.list()).map(({ id }) => id)).toEqual([good]);
    expect(await fresh.unreadable()).toEqual([
      {
        id: rotten,
        reason: `the vault's snapshots file ${rotten} is not what was written: its name and its content differ`,
      },
      { id: newerForm, reason: `the manifest of point ${newerForm.slice(0, 8)} is not of a form known here` },
    ]);
    await expect(fresh.read(newerForm)).rejects.toMatchObject({ code: "point.damaged" });
  });

  it("leave nothing half when they are refused", async () => {
    const before = await readdir(`${vault}/snapshots`);
    await expect(points.commit({ ...manifest("2026-11-22T13:00:00.000Z"), schemaVersion: 2 as 1 })).rejects.toThrow(
      "Invalid input",
    );
    expect(await readdir(`${vault}/snapshots`)).toEqual(before);
  });
});

describe("copies of runs", () => {
  const [first, second] = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];

  it("are kept by run, the newest of each", async () => {
    let at = Date.parse("2026-11-22T13:00:00.000Z");
    const clock = { ...systemClock, now: () => new Date((at += 60_000)) };
    const copies = createRunCopies(repository, clock);
    const run = { service: "shop", uid: first, epoch: 1, state: "running" };
    const begun = await copies.save(run, Buffer.from("one, at its begin"));
    await copies.save({ ...run, service: "notes", uid: second }, Buffer.from("two"));
    const ended = await copies.save({ ...run, state: "succeeded" }, Buffer.from("one, at its end"));
    expect(await copies.list()).toMatchObject([
      { uid: first, service: "shop", savedAt: "2026-11-22T13:03:00Z" },
      { uid: second, service: "notes", savedAt: "2026-11-22T13:02:00Z" },
    ]);
    expect(await copies.list("notes")).toHaveLength(1);
    expect(Buffer.from(await copies.read(first)).toString()).toBe("one, at its end");
    expect(await copies.of(first)).toMatchObject([
      { id: ended, state: "succeeded" },
      { id: begun, state: "running" },
    ]);
    // Another machine, whose clock is behind, has taken the run up.
    at -= 3_600_000;
    const takenUp = await createRunCopies(repository, clock).save({ ...run, epoch: 2 }, Buffer.from("one, elsewhere"));
    expect((await copies.of(first)).map(({ id }) => id)).toEqual([takenUp, ended, begun]);
    expect(Buffer.from(await copies.read(first)).toString()).toBe("one, elsewhere");
    await expect(copies.read("none")).rejects.toMatchObject({ code: "run.unknown" });
    expect(await createPointStore(repository).list()).toEqual([]);
  });
});
