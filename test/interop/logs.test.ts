/** Logs beside points in a real vault: what a prune keeps and lets go, what a copy carries, what a verification names; and stock restic finds it whole. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { positionAfter } from "../../src/core/logs/log-position.ts";
import type { LogStore } from "../../src/core/ports/vault-logs.ts";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { Workbench } from "../../src/core/ports/workbench.ts";
import type { PointId } from "../../src/model/identifiers.ts";
import { copyVault } from "../../src/operations/vault-copy.ts";
import { beginVaultPrune } from "../../src/operations/vault-prune.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createIncidents } from "../../src/vault/points/incidents.ts";
import { createLogs } from "../../src/vault/points/logs.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { shop } from "../fixtures/shop.ts";
import { asOpenVault, copyTo, createCopyBench, otherPassword, takePoint } from "./support/copy-bench.ts";
import { noise } from "./support/nasty-tree.ts";
import { password, requireRestic, restic } from "./support/restic.ts";

requireRestic();

const never = new AbortController().signal;
const line = "7000/1";

let folder: TestFolder;
let repository: Repository;
let logs: LogStore;

beforeEach(async () => {
  folder = await createTestFolder("refloat-logs");
  await mkdir(`${folder.path}/tree`);
  await writeFile(`${folder.path}/tree/a`, "a");
  repository = await createRepository(`${folder.path}/vault`, password, { clock: systemClock });
  logs = createLogs({ repository, clock: systemClock, lockFor: async () => null });
});

afterEach(async () => {
  await repository.close();
  await folder.remove();
});

const hour = (n: number): string => new Date(Date.parse("2026-11-22T00:00:00.000Z") + n * 3_600_000).toISOString();
const place = (n: number): string => positionAfter(BigInt(n) * 1000n);

/** The log of one hour, a thousand bytes. */
const append = (n: number, store = logs): Promise<void> =>
  store.append(
    {
      service: "shop",
      component: "db",
      driver: "postgres-cluster",
      line,
      from: place(n),
      to: place(n + 1),
      fromAt: hour(n),
      toAt: hour(n + 1),
      moments: [
        { position: place(n), at: hour(n) },
        { position: place(n + 1), at: hour(n + 1) },
      ],
    },
    noise(1000, `hour ${n}`),
  );

/** As a driver would say: a point of an hour begins in the middle of that hour's log. */
const registry = {
  components: new Map([
    [
      "postgres",
      {
        logs: {
          startOf: ({ window }: { window: { beginAt: string } }) => ({
            line,
            from: positionAfter(BigInt((Date.parse(window.beginAt) - Date.parse(hour(0))) / 3600) + 500n),
          }),
        },
      },
    ],
  ]),
};

const bench = (more: object = {}): Workbench =>
  ({
    ...createCopyBench(repository).bench,
    registry,
    vault: async () => asOpenVault(repository),
    declaration: async () => ({ services: { shop: { ...shop, keep: { last: 1 }, ...more } } }),
    journal: async () => ({ listRuns: async () => [] }),
    host: { timeZone: "UTC", hostname: "h" },
  }) as unknown as Workbench;

const takeAt = (n: number): Promise<PointId> => takePoint(repository, `${folder.path}/tree`, hour(n));

const prune = async (more: object = {}, trustClock = true) => {
  const open = await beginVaultPrune(bench(more), { services: [], trustClock, graceMs: 0 }, never, () => undefined);
  try {
    return { plan: open.plan, result: await open.carryOut(never, () => undefined) };
  } finally {
    await open.close();
  }
};

const left = async (): Promise<readonly string[]> => (await logs.pieces()).map(({ fromAt }) => fromAt);

it("a prune lets go what comes before every point that stays, and says why the rest stays", async () => {
  for (let n = 0; n < 6; n += 1) await append(n);
  await takeAt(1);
  const last = await takeAt(4);
  await createIncidents({ repository, clock: systemClock, lockFor: async () => null }).open({
    service: "shop",
    since: hour(3),
    reason: null,
    by: "ada",
  });
  expect((await prune()).plan.logs.map(({ reason }) => reason?.kind)).toEqual(Array(6).fill("incident"));
  const incidents = createIncidents({ repository, clock: systemClock, lockFor: async () => null });
  for (const incident of await incidents.list()) await incidents.close(incident, "ada");
  const { plan, result } = await prune();
  expect(result).toMatchObject({ refused: [], expired: [expect.any(String)] });
  expect(plan.logs.filter(({ verdict }) => verdict === "keep").map(({ reason }) => reason)).toEqual(
    [1, 2].map(() => ({ kind: "point", point: last, at: hour(4) })),
  );
  expect(await left()).toEqual([hour(4), hour(5)]);
  await repository.close();
  expect(await restic(`${folder.path}/vault`, "check", "--read-data")).toContain("no errors were found");
});

it("pitr: holds the point that its window begins with, and lets go the log from before it", async () => {
  for (let n = 0; n < 6; n += 1) await append(n);
  await takeAt(1);
  const base = await takeAt(3);
  await takeAt(5);
  const db = shop.components["db"];
  const components = { ...shop.components, db: { ...db, options: { ...db?.options, pitr: "1h" } } };
  const { plan } = await prune({ components });
  const stays = plan.services[0]?.points.filter(({ verdict }) => verdict === "keep") ?? [];
  // All of it is long ago: the newest point is the one that the last hour begins with.
  expect(stays).toHaveLength(1);
  expect(stays[0]?.reasons).toContainEqual({ kind: "window", component: "db" });
  expect(stays[0]?.point.id).not.toBe(base);
  expect(await left()).toEqual([hour(5)]);
});

it("a copy carries logs once, whatever they were joined to meanwhile, and they are read there", async () => {
  await takeAt(0);
  for (let n = 0; n < 40; n += 1) await append(n);
  const { bench: copying, close } = createCopyBench(repository);
  const copy = async (create = false) => {
    const request = copyTo(`${folder.path}/copy`, { create });
    try {
      return (
        await copyVault(
          copying,
          request,
          never,
          () => undefined,
          () => undefined,
        )
      ).logs;
    } finally {
      await close();
    }
  };
  expect(await copy(true)).toBe(40);
  expect(await logs.compact({ service: "shop", component: "db" }, never)).toBe(40);
  expect(await copy()).toBe(0);
  await append(40);
  expect(await copy()).toBe(1);
  const other = await openRepository(`${folder.path}/copy`, otherPassword, { clock: systemClock });
  try {
    const there = asOpenVault(other).logs;
    expect(await there.spans()).toEqual(await logs.spans());
    const read: Uint8Array[] = [];
    const reader = await there.reader({ service: "shop", component: "db" });
    for await (const chunk of reader.read(line, place(0), place(41))) read.push(chunk);
    const written = Array.from({ length: 41 }, (_none, n) => noise(1000, `hour ${n}`));
    expect(Buffer.concat(read).equals(Buffer.concat(written))).toBe(true);
  } finally {
    await other.close();
  }
});

it("stock restic lists and gives back a piece, and without it a read is refused", async () => {
  await append(0);
  await append(1);
  const [piece] = await logs.pieces();
  const vault = `${folder.path}/vault`;
  expect(JSON.parse(await restic(vault, "snapshots", "--json", "--tag", "refloat-log"))).toHaveLength(2);
  const path = "/refloat/log/db/7000-1/0000000000000000-00000000000003e8";
  expect(await restic(vault, "ls", piece?.id ?? "")).toContain(path);
  await rm(`${vault}/snapshots/${piece?.id}`);
  expect(await readdir(`${vault}/snapshots`)).toHaveLength(1);
  const reader = await createLogs({ repository, clock: systemClock, lockFor: async () => null }).reader({
    service: "shop",
    component: "db",
  });
  await expect(reader.read(line, place(0), place(2))[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "log.gap",
  });
});
