/** Verification of a vault with points, over a real vault and a real memory of this machine. */
import { cp, readdir, rm } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { shopPoint } from "../../test/fixtures/shop.ts";
import { forgettingAuditLog } from "../core/audit/forgetting-audit-log.ts";
import type { Clock } from "../core/ports/environment.ts";
import type { Workbench } from "../core/ports/workbench.ts";
import { rememberSeen } from "../core/points/seen-points.ts";
import { driverRegistry } from "../driver-registry.ts";
import type { PointId } from "../model/identifiers.ts";
import { silentLog } from "../platform/log.ts";
import { systemClock } from "../platform/system-clock.ts";
import { createVaultMemory } from "../platform/vault-memory.ts";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { createLogs } from "../vault/points/logs.ts";
import { createPointDepartures } from "../vault/points/departures.ts";
import { createPointStore } from "../vault/points/point-store.ts";
import { createRepository } from "../vault/repository/create-repository.ts";
import { openRepository } from "../vault/repository/open-repository.ts";
import { type VerifyRequest, verifyVault } from "./verify.ts";

let folder: TestFolder;
let vault: string;
let bench: Workbench;
let close: () => Promise<void>;

/** As a new process on the same machine would have it. */
const openBench = async (made = false, clock = systemClock): Promise<void> => {
  const open = made ? createRepository : openRepository;
  const repository = await open(vault, "password", { clock });
  close = repository.close;
  const opened = {
    repository,
    points: createPointStore(repository),
    departures: createPointDepartures(repository),
    logs: createLogs({ repository, clock, lockFor: async () => null }),
  };
  bench = {
    registry: driverRegistry,
    clock: systemClock,
    log: silentLog,
    vault: async () => opened,
    vaultMemory: async () => createVaultMemory(`${folder.path}/state`, repository.id, silentLog),
    audit: forgettingAuditLog,
  } as unknown as Workbench;
};

beforeEach(async () => {
  folder = await createTestFolder("refloat-verify");
  vault = `${folder.path}/vault`;
  await openBench(true);
});

afterEach(async () => {
  await close();
  await folder.remove();
});

const takePoint = async (at: string): Promise<PointId> => {
  const { repository, points } = await bench.vault();
  const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(at), tags: [], paths: ["/shop"] });
  await writer.bytes("/db/3012.dat", randomBytes(60_000));
  await writer.bytes("/uploads/invoice.pdf", randomBytes(60_000));
  const { id: snapshot } = await writer.commit();
  const made = shopPoint({ id: "0", at }).manifest;
  const components = Object.fromEntries(
    Object.entries(made.components).map(([name, part]) => [
      name,
      name === "db"
        ? { ...part, snapshot, facts: { ...part.facts, detail: { labels: { "3012": "orders" } } } }
        : { ...part, snapshot },
    ]),
  );
  const id = await points.commit({ ...made, components });
  await rememberSeen(bench, await points.list());
  return id;
};

const hour = (n: number): string => `2026-11-22T${n}:00:00.000Z`;
const verify = async (request: Partial<VerifyRequest> = {}) =>
  verifyVault(
    bench,
    { depth: "structure", limit: {}, acceptGone: false, ...request },
    new AbortController().signal,
    () => undefined,
  );
const messages = ({ findings }: Awaited<ReturnType<typeof verify>>): readonly string[] =>
  findings.map(({ message }) => message);

describe("a verification", () => {
  it("by samples reads everything in turn, tells how far it is, and then marks the points as verified", async () => {
    const points = [await takePoint(hour(10)), await takePoint(hour(11))];
    const packs = (await readdir(`${vault}/data`, { recursive: true })).filter((name) => name.length > 64).length;
    let before = 0;
    let runs = 0;
    for (let proven = false; !proven; runs += 1) {
      const { coverage, bytesRead, findings } = await verify({ depth: "sample", limit: { bytes: 1 } });
      expect(findings).toEqual([]);
      expect(coverage.packsRead).toBe(before + 1);
      expect(bytesRead).toBeGreaterThan(0);
      before = coverage.packsRead;
      proven = coverage.provenSince !== null;
      const { verified } = await (await bench.vaultMemory()).notes();
      expect(Object.keys(verified).sort()).toEqual(proven ? points.toSorted() : []);
    }
    expect(runs).toBe(packs);
    // What is new is read before anything is read again; what was proven stays so.
    await takePoint(hour(12));
    expect((await verify({ depth: "sample", limit: { bytes: 1 } })).coverage.packsRead).toBe(packs + 1);
    expect((await (await bench.vaultMemory()).notes()).verification).toMatchObject({ depth: "sample", errors: 0 });
  });

  it("ends when its time is up, goes on there the next time, and tells how long everything would take", async () => {
    for (const n of [10, 11, 12, 13]) await takePoint(hour(n));
    await close();
    await openBench(false, tickingClock());
    const taken: number[] = [];
    for (let proven = false; !proven;) {
      const { coverage, reading, bytesRead, findings } = await verify({ depth: "sample", limit: { durationMs: 5000 } });
      expect(findings).toEqual([]);
      expect(reading).toMatchObject({ packs: coverage.packs, bytes: coverage.bytes, bytesRead });
      const { packsRead = 0, durationMs = 0, fullPassMs } = reading ?? {};
      taken.push(packsRead);
      expect(fullPassMs).toBe(durationMs * (coverage.bytes / bytesRead));
      // No pack twice before each was read.
      expect(coverage.packsRead).toBe(Math.min(coverage.packs, sum(taken)));
      proven = coverage.provenSince !== null;
    }
    expect(taken.length).toBeGreaterThan(2);
    expect(Math.min(...taken)).toBeGreaterThan(0);
    // Each look at the clock takes a second, and each pack that is begun at least one look.
    expect(Math.max(...taken)).toBeLessThan(5);
    const { reading } = await verify({ depth: "sample", limit: { durationMs: 0 } });
    expect(reading?.packsRead).toBe(1);
    expect((await verify()).reading).toBeNull();
  });

  it("names components, tables and files that damage hurts, and verifies no point that needs them", async () => {
    const [sound, hurt] = [await takePoint(hour(10)), await takePoint(hour(11))];
    const { points, repository } = await bench.vault();
    const captured = (await points.read(hurt)).manifest.components["db"];
    await close();
    expect(await verifiedAfterReading()).toEqual([sound, hurt].toSorted());
    const needed = await packsOf(captured?.snapshot ?? "");
    for (const pack of needed) await rm(`${vault}/data/${pack.slice(0, 2)}/${pack}`);
    await close();
    await openBench();
    const report = await verify({ depth: "read-data" });
    expect(report.coverage.provenSince).not.toBeNull();
    expect(report.hurt).toEqual([
      {
        point: hurt,
        service: "shop",
        components: Object.keys((await points.read(hurt)).manifest.components),
        parts: expect.arrayContaining([
          { component: "db", files: ["/db/3012.dat", "/uploads/invoice.pdf"], tables: ["orders"] },
        ]),
      },
    ]);
    expect(Object.keys((await (await bench.vaultMemory()).notes()).verified)).toEqual([sound]);
    expect(repository.id).toBe((await bench.vault()).repository.id);
  });

  it("misses a point that only this machine has seen, until a person says that it was meant to go", async () => {
    const [kept, taken] = [await takePoint(hour(10)), await takePoint(hour(11))];
    await close();
    // The whole vault as it was before: nothing in it is wrong.
    await cp(vault, `${folder.path}/kept`, { recursive: true });
    await rm(`${vault}/snapshots/${taken}`);
    await openBench();
    const report = await verify();
    expect(messages(report)).toEqual([
      `the point ${taken.slice(0, 8)} of shop, taken ${hour(11)}, was seen by this machine and is gone: it was removed, or the ` +
        "vault was put back to an older state",
    ]);
    expect(report.gone).toEqual([{ point: taken, service: "shop", accepted: false }]);
    expect(report.roots).toEqual({ proven: 1, none: 0, foreign: 0 });
    expect((await verify({ acceptGone: true })).findings).toEqual([]);
    expect((await verify()).gone).toEqual([]);
    expect((await (await bench.vault()).points.list()).map(({ id }) => id)).toEqual([kept]);
  });
});

/** Each look at it is a second later than the one before. */
const tickingClock = (): Clock => {
  let nowMs = 0;
  return { ...systemClock, monotonicMs: () => (nowMs += 1000) };
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** Reads all, as a new process, and tells which points are marked. */
const verifiedAfterReading = async (): Promise<readonly string[]> => {
  await openBench();
  await verify({ depth: "read-data" });
  return Object.keys((await (await bench.vaultMemory()).notes()).verified).sort();
};

/** Packs of data that only this snapshot needs: found by hiding one after the other. */
const packsOf = async (snapshot: string): Promise<readonly string[]> => {
  const names = (await readdir(`${vault}/data`, { recursive: true })).filter((name) => name.length > 64);
  const needed: string[] = [];
  for (const name of names) {
    await cp(`${vault}/data/${name}`, `${folder.path}/hidden`);
    await rm(`${vault}/data/${name}`);
    const { findings } = await (
      await bench.vault()
    ).repository.verify({ depth: "structure" }, new AbortController().signal);
    const affects = findings.flatMap((finding) => finding.affects);
    if (affects.length > 0 && affects.every((one) => one.snapshot === snapshot && one.path.includes(".")))
      needed.push(name.slice(-64));
    await cp(`${folder.path}/hidden`, `${vault}/data/${name}`);
  }
  return needed;
};
