/** What lies beside the points and does not stay for ever: copies of runs, many records of points that have left. In a real vault. */
import { readdir } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Clock } from "../../src/core/ports/environment.ts";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { Workbench } from "../../src/core/ports/workbench.ts";
import { type PointId, pointIdSchema } from "../../src/model/identifiers.ts";
import { beginVaultPrune } from "../../src/operations/vault-prune.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createPointDepartures } from "../../src/vault/points/departures.ts";
import { createRunCopies } from "../../src/vault/points/run-copies.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { asOpenVault, createCopyBench } from "./support/copy-bench.ts";
import { password, requireRestic, restic } from "./support/restic.ts";

requireRestic();

const never = new AbortController().signal;
const dayMs = 86_400_000;

let folder: TestFolder;
let repository: Repository;

beforeEach(async () => {
  folder = await createTestFolder("refloat-prune-beside");
  repository = await createRepository(`${folder.path}/vault`, password, { clock: systemClock });
});

afterEach(async () => {
  await repository.close();
  await folder.remove();
});

const daysAgo = (days: number): Clock => ({ ...systemClock, now: () => new Date(Date.now() - days * dayMs) });

const saveCopy = async (uid: string, state: string, days: number, epoch: number) =>
  createRunCopies(repository, daysAgo(days)).save(
    { service: "shop", uid, epoch, state },
    Buffer.from(`${uid} ${state} ${days}`),
  );

const begin = async () => {
  const all = {
    ...createCopyBench(repository).bench,
    vault: async () => asOpenVault(repository),
    declaration: async () => ({ services: { shop: { name: "shop", components: {} } } }),
    journal: async () => ({ listRuns: async () => [] }),
    host: { timeZone: "UTC", hostname: "h" },
  } as unknown as Workbench;
  return beginVaultPrune(all, { services: [], trustClock: false, graceMs: 0 }, never, () => undefined);
};

it("removes old copies of runs that nobody can take up, after it has shown them, and no others", async () => {
  const superseded = await saveCopy("aaaa", "running", 200, 1);
  const waiting = await saveCopy("aaaa", "waiting", 150, 2);
  const first = await saveCopy("bbbb", "running", 120, 1);
  const committed = await saveCopy("bbbb", "committed", 100, 1);
  const recent = await saveCopy("cccc", "committed", 10, 1);
  const prune = await begin();
  try {
    const planned = prune.plan.runCopies.map(({ copy, why, lockedUntil }) => `${copy.id} ${why} ${lockedUntil}`);
    expect(planned.sort()).toEqual(
      [`${superseded} superseded null`, `${first} superseded null`, `${committed} ended null`].sort(),
    );
    expect((await repository.snapshots()).length).toBe(5);
    // What became old while a person looked was not shown.
    const late = await saveCopy("dddd", "failed", 300, 1);
    expect((await prune.carryOut(never, () => undefined)).refused).toEqual([]);
    expect((await repository.snapshots()).map(({ id }) => id as string).sort()).toEqual([waiting, recent, late].sort());
  } finally {
    await prune.close();
  }
  const copies = createRunCopies(repository);
  expect(Buffer.from(await copies.read("aaaa")).toString()).toBe("aaaa waiting 150");
  await repository.close();
  expect(await restic(`${folder.path}/vault`, "check", "--read-data")).toContain("no errors were found");
});

it("joins records of points that have left, and forgets none, nor what was taken back", async () => {
  const idOf = (n: number): PointId => pointIdSchema.parse(String(n).padStart(64, "0"));
  let minutes = 0;
  const clock: Clock = { ...systemClock, now: () => new Date(Date.UTC(2026, 0, 1, 0, (minutes += 1))) };
  const departures = createPointDepartures(repository, clock);
  const pointOf = (n: number) => ({ point: idOf(n), service: "shop", reason: `because of ${n}` });
  for (let n = 0; n < 31; n += 1) await departures.record([pointOf(n), pointOf(100 + n)]);
  await departures.takeBack([pointOf(7)]);
  const before = await departures.list();
  expect(before.size).toBe(61);
  const prune = await begin();
  try {
    await prune.carryOut(never, () => undefined);
  } finally {
    await prune.close();
  }
  expect(await readdir(`${folder.path}/vault/snapshots`)).toHaveLength(1);
  expect(await departures.list()).toEqual(before);
  // An older word does not come back after a later one.
  await departures.record([pointOf(7)]);
  expect((await departures.list()).size).toBe(62);
  expect(await departures.compact()).toBe(0);
});
