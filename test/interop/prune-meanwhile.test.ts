/** What happens between the plan of a prune and the yes of a person, or beside a copy: nothing goes that has become needed. */
import { mkdir, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { Workbench } from "../../src/core/ports/workbench.ts";
import { beginVaultPrune } from "../../src/operations/vault-prune.ts";
import { copyVault } from "../../src/operations/vault-copy.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { asOpenVault, copyTo, createCopyBench, otherPassword, takePoint } from "./support/copy-bench.ts";
import { password } from "./support/restic.ts";

const never = new AbortController().signal;

let folder: TestFolder;
let tree: string;
let source: Repository;

beforeEach(async () => {
  folder = await createTestFolder("refloat-prune-meanwhile");
  tree = `${folder.path}/tree`;
  await mkdir(tree);
  await writeFile(`${tree}/a`, "content");
  source = await createRepository(`${folder.path}/vault`, password, { clock: systemClock });
});

afterEach(async () => {
  await source.close();
  await folder.remove();
});

const pruneOf = async (repository: Repository, keep: { readonly last: number } | undefined) => {
  const vault = asOpenVault(repository);
  const { bench } = createCopyBench(repository);
  const service = { name: "shop", components: {}, ...(keep === undefined ? {} : { keep }) };
  const all = {
    ...bench,
    vault: async () => vault,
    declaration: async () => ({ services: { shop: service } }),
    journal: async () => ({ listRuns: async () => [] }),
    host: { timeZone: "UTC", hostname: "h" },
  } as unknown as Workbench;
  const request = { services: [], trustClock: true, graceMs: 0 };
  return { vault, prune: await beginVaultPrune(all, request, never, () => undefined) };
};

const copy = async () => {
  const { bench, close } = createCopyBench(source);
  try {
    return await copyVault(
      bench,
      copyTo(`${folder.path}/copy`),
      never,
      () => undefined,
      () => undefined,
    );
  } finally {
    await close();
  }
};

const inCopy = async <Result>(act: (repository: Repository) => Promise<Result>): Promise<Result> => {
  const repository = await openRepository(`${folder.path}/copy`, otherPassword, { clock: systemClock });
  try {
    return await act(repository);
  } finally {
    await repository.close();
  }
};

it("a hold that comes while a prune waits for the answer keeps its point, and nothing goes that was not shown", async () => {
  for (const hour of [10, 11, 12]) await takePoint(source, tree, `2026-11-22T${hour}:00:00.000Z`);
  const { vault, prune } = await pruneOf(source, { last: 1 });
  try {
    const [held, other] = prune.plan.expiring.map(({ point }) => point);
    if (held === undefined || other === undefined) throw new Error("two points were to expire");
    await vault.holds.hold(held, "incident 3", "ada");
    const late = await takePoint(source, tree, "2026-11-22T13:00:00.000Z");
    expect((await prune.carryOut(never, () => undefined)).expired).toEqual([other.id]);
    const left = (await vault.points.list()).map(({ id }) => id);
    expect(left).toEqual(expect.arrayContaining([held.id, late]));
    expect((await vault.departures.list()).has(held.id)).toBe(false);
    // The one that was newest was not shown as one that goes.
    expect(left).toHaveLength(3);
  } finally {
    await prune.close();
  }
});

it("members that a copy has lost are brought again, and a prune takes none of a copy that is under way", async () => {
  // Older than the members that a prune takes for left behind.
  const point = await takePoint(source, tree, "2026-01-02T10:00:00.000Z");
  await (await createRepository(`${folder.path}/copy`, otherPassword, { clock: systemClock }, source)).close();
  expect((await copy()).points).toMatchObject([{ state: "copied" }]);
  const members = (await source.snapshots()).map(({ id }) => id).filter((id) => (id as string) !== (point as string));

  // As it is between the members and the point's own snapshot.
  await inCopy(async (repository) => {
    const own = (await repository.snapshots()).find(({ id }) => (id as string) === (point as string));
    expect(await repository.removeSnapshots(own === undefined ? [] : [own.id])).toEqual([]);
  });
  await inCopy(async (copier) => {
    const copying = await copier.beginCopy(await source.copies(), { dryRun: false });
    await inCopy(async (pruner) => {
      const { prune } = await pruneOf(pruner, undefined);
      expect(prune.plan.removals.members).toEqual([]);
      await prune.carryOut(never, () => undefined);
      await prune.close();
    });
    copying.close();
  });
  await inCopy(async (repository) => {
    expect((await repository.snapshots()).map(({ id }) => id)).toEqual(expect.arrayContaining(members));
    const { prune } = await pruneOf(repository, undefined);
    expect(prune.plan.removals.members).toEqual(members);
    await prune.close();
  });

  expect((await copy()).points).toMatchObject([{ state: "copied" }]);
  await inCopy(async (repository) => repository.removeSnapshots(members));
  await inCopy(async (repository) => {
    expect((await asOpenVault(repository).points.list())[0]?.missing.length).toBeGreaterThan(0);
  });
  expect((await copy()).points).toMatchObject([{ state: "copied" }]);
  await inCopy(async (repository) => {
    expect((await asOpenVault(repository).points.list())[0]?.missing).toEqual([]);
    expect((await repository.verify({ depth: "structure" }, never)).findings).toEqual([]);
  });
  expect((await copy()).points).toMatchObject([{ state: "there" }]);
});
