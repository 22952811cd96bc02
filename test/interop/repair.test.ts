/** Repair of a vault: what is lost comes back from wherever a sound copy is, nothing gets worse, and stock restic finds it clean. */
import { chmod, cp, mkdir, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { BlobCopies } from "../../src/core/ports/vault-copying.ts";
import type { RepairReport } from "../../src/core/ports/vault-verification.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { noise } from "./support/nasty-tree.ts";
import { password } from "./support/restic.ts";

const never = new AbortController().signal;
const environment = { clock: systemClock };
const contents: ReadonlyMap<string, Buffer> = new Map([
  // More than the longest chunk: at least two of it lie in one pack, whoever cuts it.
  ["large", noise(9_000_000, "large")],
  ["sub/small", noise(900, "small")],
  ["sub/other", noise(40_000, "other")],
]);

let folder: TestFolder;
let pristine: string;
let vault: string;
let live: string;

beforeAll(async () => {
  folder = await createTestFolder("refloat-repair");
  pristine = `${folder.path}/pristine`;
  vault = `${folder.path}/vault`;
  live = `${folder.path}/live`;
  for (const [name, content] of contents) {
    await mkdir(join(live, name, ".."), { recursive: true });
    await writeFile(join(live, name), content);
  }
  const repository = await createRepository(pristine, password, environment);
  try {
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [live] });
    await writer.tree(live, { exclude: [], oneFileSystem: false }, never);
    await writer.commit();
  } finally {
    await repository.close();
  }
});

afterAll(async () => folder.remove());

beforeEach(async () => {
  await rm(vault, { recursive: true, force: true });
  await cp(pristine, vault, { recursive: true });
});

const filesOf = async (kind: string): Promise<readonly string[]> =>
  (await readdir(join(vault, kind), { recursive: true }))
    .filter((name) => name.length >= 64)
    .map((name) => join(vault, kind, name));

const flip = async (path: string, at: number): Promise<void> => {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  await chmod(path, 0o600);
  await writeFile(path, bytes);
};

const withVault = async <Result>(path: string, act: (repository: Repository) => Promise<Result>): Promise<Result> => {
  const repository = await openRepository(path, password, environment);
  try {
    return await act(repository);
  } finally {
    await repository.close();
  }
};

const keepEvidence = async (name: string, content: Uint8Array): Promise<string> => {
  await mkdir(`${folder.path}/evidence`, { recursive: true });
  await writeFile(`${folder.path}/evidence/${name}`, content);
  return `${folder.path}/evidence/${name}`;
};

/** Rounds of looking and mending, as the command makes them. */
const repair = async (sources: readonly BlobCopies[] = []): Promise<readonly RepairReport[]> =>
  withVault(vault, async (repository) => {
    const rounds: RepairReport[] = [];
    for (let round = 0; round < 4; round += 1) {
      const report = await repository.verify({ depth: "read-data" }, never);
      if (report.findings.every(({ severity }) => severity !== "error")) return rounds;
      rounds.push(await repository.repair(report, { apply: true, sources, keepEvidence }, never));
    }
    return rounds;
  });

const readAll = async (): Promise<void> =>
  withVault(vault, async (repository) => {
    const [snapshot] = await repository.snapshots();
    const reader = await repository.openSnapshot(snapshot?.id ?? "");
    for (const [name, content] of contents)
      expect(Buffer.from(await reader.read(`${live}/${name}`)).equals(content)).toBe(true);
  });

/** By stock restic, every byte. */
const expectClean = async (): Promise<void> => {
  await execa("restic", ["--no-cache", "-r", vault, "check", "--read-data"], { env: { RESTIC_PASSWORD: password } });
  await readAll();
};

/** The largest pack: that of the data. */
const dataPack = async (): Promise<string> => {
  const sizes = await Promise.all(
    (await filesOf("data")).map(async (path) => ({ path, size: (await readFile(path)).length })),
  );
  return sizes.sort((a, b) => b.size - a.size)[0]?.path ?? "";
};

describe("a repair", () => {
  it("shows what it would do and changes nothing before it is told to", async () => {
    await flip(await dataPack(), 1000);
    const before = await filesOf("data");
    await withVault(vault, async (repository) => {
      const report = await repository.verify({ depth: "read-data" }, never);
      const plan = await repository.repair(report, { apply: false, sources: [], keepEvidence }, never);
      expect(plan).toMatchObject({ applied: false, packsReplaced: 1, indexesRebuilt: 1, evidence: [] });
      expect(plan.blobs).toMatchObject({ lost: 1, copied: 0, fetched: {} });
      expect(plan.blobs.salvaged).toBeGreaterThan(0);
    });
    expect(await filesOf("data")).toEqual(before);
  });

  it("makes indexes again from the packs' own headers, whether they rotted or went", async () => {
    const [index = ""] = await filesOf("index");
    await flip(index, 40);
    expect(await repair()).toMatchObject([{ indexesRebuilt: 1, packsReplaced: 0, blobs: { lost: 0 } }]);
    await expectClean();
    for (const path of await filesOf("index")) await rm(path);
    expect(await repair()).toMatchObject([{ indexesRebuilt: 0, packsReplaced: 0, blobs: { lost: 0 } }]);
    await expectClean();
  });

  it("fetches what is lost from another vault, trees first and then what they show", async () => {
    for (const path of await filesOf("data")) await rm(path);
    const rounds = await withVault(pristine, async (copy) => repair([await copy.copies()]));
    const fetched = rounds.flatMap(({ blobs }) => Object.values(blobs.fetched)).reduce((sum, count) => sum + count, 0);
    expect(fetched).toBeGreaterThan(3);
    await expectClean();
  });

  it("takes chunks from live files that are as they were, and none from those that are not", async () => {
    const pack = await dataPack();
    await chmod(pack, 0o600);
    await truncate(pack, 5000);
    const kept = await readFile(pack);
    const files = [...contents.keys()].map((name) => join(live, name));
    await withVault(vault, async (repository) => {
      const changed = join(folder.path, "changed");
      await writeFile(changed, noise(9_000_000, "another"));
      const none = await repository.liveFiles([changed, join(folder.path, "missing"), live], never);
      const report = await repository.verify({ depth: "structure" }, never);
      const plan = await repository.repair(report, { apply: false, sources: [none], keepEvidence }, never);
      expect(plan.blobs.fetched).toEqual({});
      expect(plan.blobs.lost).toBeGreaterThan(0);
    });
    const [round] = await withVault(pristine, async (repository) => repair([await repository.liveFiles(files, never)]));
    expect(round?.blobs.lost).toBe(0);
    expect(round?.blobs.fetched["live files"]).toBeGreaterThan(0);
    // What was taken out is kept, byte for byte.
    expect(round?.evidence).toEqual([`${folder.path}/evidence/data-${pack.slice(-64)}`]);
    expect(await readFile(round?.evidence[0] ?? "")).toEqual(kept);
    await expectClean();
  });

  it.skipIf(process.getuid?.() !== 0)("leaves a locked point as safe as it was", async () => {
    const until = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
    const id = await withVault(vault, async (repository) => {
      const lock = { until, mode: "governance", members: [] } as const;
      const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [live], lock });
      await writer.tree(live, { exclude: [], oneFileSystem: false }, never);
      return (await writer.commit()).id;
    });
    try {
      const pack = await dataPack();
      await execa("chattr", ["-i", pack]);
      await flip(pack, 1000);
      const sources = [await withVault(pristine, async (copy) => copy.liveFiles([join(live, "large")], never))];
      await repair(sources);
      const [report] = await withVault(vault, (repository) => repository.locksOf([{ id, snapshots: [id] }], never));
      expect(report).toMatchObject({ unlocked: 0, missing: 0, until: until.toISOString() });
      await readAll();
    } finally {
      await execa("chattr", ["-R", "-f", "-i", vault], { reject: false });
    }
  });

  it("that is broken off at any of its writes leaves nothing worse, and is finished by the next", async () => {
    await flip(await dataPack(), 1000);
    const copies = await withVault(pristine, async (copy) => {
      const source = await copy.copies();
      const kept = new Map<string, Uint8Array | undefined>();
      return withVault(vault, async (repository) => {
        const report = await repository.verify({ depth: "read-data" }, never);
        const read: BlobCopies["read"] = async (id, type) => {
          const blob = await source.read(id, type);
          kept.set(`${type} ${id}`, blob);
          return blob;
        };
        await repository.repair(report, { apply: false, sources: [{ name: "copy", read }], keepEvidence }, never);
        return { name: "copy", read: async (id, type) => kept.get(`${type} ${id}`) } satisfies BlobCopies;
      });
    });
    for (const breaksAt of ["source", "evidence"]) {
      const fail = async (): Promise<never> => {
        throw new Error("killed");
      };
      const broken = withVault(vault, async (repository) => {
        const report = await repository.verify({ depth: "read-data" }, never);
        await repository.repair(
          report,
          {
            apply: true,
            sources: [breaksAt === "source" ? { name: "copy", read: fail } : copies],
            keepEvidence: breaksAt === "evidence" ? fail : keepEvidence,
          },
          never,
        );
      });
      await expect(broken).rejects.toThrow("killed");
      // What was sound before is: the small files, and the trees.
      await withVault(vault, async (repository) => {
        const [snapshot] = await repository.snapshots();
        const reader = await repository.openSnapshot(snapshot?.id ?? "");
        expect(
          Buffer.from(await reader.read(`${live}/sub/other`)).equals(contents.get("sub/other") ?? noise(1, "")),
        ).toBe(true);
      });
    }
    // The indexes that were written before the end name sound copies already.
    await readAll();
    await repair([copies]);
    await expectClean();
  });
});
