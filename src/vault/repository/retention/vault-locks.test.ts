import { chmod, readFile, readdir, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../../core/ports/environment.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { systemClock } from "../../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { noise } from "../../../../test/interop/support/nasty-tree.ts";
import { createRepository } from "../create-repository.ts";
import { type IndexedPack, readIndex, writeIndex } from "../format/index-file.ts";
import { assembleRepository } from "../assemble-repository.ts";
import { addKey, openKey, openMasterKey } from "../seal/key-file.ts";
import { Sealer } from "../seal/seal.ts";
import { openStore } from "../stores/open-store.ts";
import type { FileLock, Store, StoreKind } from "../stores/store.ts";

const never = new AbortController().signal;
const password = "password";
const hourMs = 3_600_000;

describe("a vault whose points are locked", () => {
  let folder: TestFolder;
  let vault: string;
  let nowMs: number;
  let locks: Map<string, FileLock>;
  /** Called whenever keys are listed: after the indexes were loaded, and before anything is locked. */
  let replaced: string | undefined;
  let openedBy: string | undefined;
  let beforeLocking: (store: Store) => Promise<readonly string[]>;
  const clock: Clock = { ...systemClock, now: () => new Date(nowMs) };

  beforeEach(async () => {
    folder = await createTestFolder("refloat-vault-locks");
    vault = `${folder.path}/vault`;
    nowMs = Date.parse("2026-03-01T00:00:00Z");
    locks = new Map();
    replaced = undefined;
    openedBy = undefined;
    beforeLocking = async () => [];
    await (await createRepository(vault, password, { clock })).close();
  });

  afterEach(async () => {
    await folder.remove();
  });

  /** Locks as a bucket keeps them, by a clock that can be moved. */
  const openLocking = async (): Promise<Repository> => {
    const store = openStore(vault, { blocking: false });
    const lock = async (kind: StoreKind, name: string, wanted: FileLock): Promise<FileLock> => {
      await store.stat(kind, name);
      const before = locks.get(`${kind}/${name}`);
      const next = before !== undefined && before.until > wanted.until ? before : wanted;
      locks.set(`${kind}/${name}`, next);
      return next;
    };
    const locking: Store = {
      location: store.location,
      list: async function* (kind) {
        const extra = kind === "keys" ? await beforeLocking(store) : [];
        for (const name of extra) yield { name, sizeBytes: 1 };
        yield* store.list(kind);
      },
      stat: async (...args) => store.stat(...args),
      read: async (...args) => store.read(...args),
      readRange: async (...args) => store.readRange(...args),
      write: async (...args) => store.write(...args),
      begin: (kind) => store.begin(kind),
      sweep: async () => store.sweep(),
      close: async () => store.close(),
      remove: async (kind, name) => {
        if ((locks.get(`${kind}/${name}`)?.until.getTime() ?? 0) > nowMs)
          throw new RefloatError("vault.denied", `${kind}/${name} is locked`);
        await store.remove(kind, name);
      },
      retention: {
        support: async () => ({ locks: true, reason: null, keptBy: "server" }),
        lock,
        lockOf: async (kind, name) => {
          await store.stat(kind, name);
          return locks.get(`${kind}/${name}`) ?? null;
        },
        lockOfContent: async (kind, name, atLeastBytes) => {
          if (name === replaced || (await store.stat(kind, name)).sizeBytes < atLeastBytes)
            throw new RefloatError("vault.damaged", `${kind}/${name} was replaced by something else`);
          return locks.get(`${kind}/${name}`) ?? null;
        },
        writeLocked: async (kind, name, content, wanted) => {
          await store.write(kind, name, content);
          await lock(kind, name, wanted);
        },
      },
    };
    return assembleRepository(locking, await openMasterKey(store, password), { clock }, openedBy);
  };

  const withVault = async <Result>(act: (repository: Repository) => Promise<Result>): Promise<Result> => {
    const repository = await openLocking();
    try {
      return await act(repository);
    } finally {
      await repository.close();
    }
  };

  const capture = async (repository: Repository, round: number) => {
    const writer = await repository.beginSnapshot({
      hostname: "h",
      time: clock.now(),
      tags: [],
      paths: ["/a"],
      lock: { until: new Date(nowMs + hourMs), mode: "governance", members: [] },
    });
    await writer.bytes("/kept", noise(400_000, "kept"));
    // In packs of its own: what is locked is not copied out of the pack that it lies in.
    if (round > 0) await writer.bytes("/changes", noise(300_000, `round ${round}`));
    return (await writer.commit()).id;
  };

  const filesOf = async (kind: string): Promise<number> =>
    (await readdir(`${vault}/${kind}`, { recursive: true })).filter((name) => name.length > 60).length;

  const prune = async (repository: Repository, going: readonly Awaited<ReturnType<typeof capture>>[]) => {
    const pruning = await repository.beginPrune({ without: going, graceMs: 0 }, never);
    try {
      expect(await repository.removeSnapshots(going)).toEqual([]);
      return await pruning.run(never);
    } finally {
      await pruning.close();
    }
  };

  it("gives back what expires while locked captures go on, and stays locked", async () => {
    const ids: Awaited<ReturnType<typeof capture>>[] = [];
    const removed: number[] = [];
    const indexes: number[] = [];
    let waited = 0;
    for (let round = 0; round < 8; round += 1) {
      await withVault(async (repository) => {
        ids.push(await capture(repository, round));
        // The lock of the one before the last is over by then.
        nowMs += 0.7 * hourMs;
        const report = await prune(repository, ids.splice(0, Math.max(0, ids.length - 2)));
        removed.push(report.removedPacks);
        waited += report.waitingBytes;
        expect(report.refused.every(({ until }) => until !== null)).toBe(true);
        const [newest] = await repository.locksOf([{ id: "newest", snapshots: ids.slice(-1) }], never);
        expect(newest).toMatchObject({ unlocked: 0, missing: 0 });
      });
      indexes.push(await filesOf("index"));
    }
    expect(waited).toBeGreaterThan(0);
    expect(removed.slice(4).reduce((sum, packs) => sum + packs, 0)).toBeGreaterThan(3);
    expect(Math.max(...indexes.slice(4))).toBeLessThan(12);
    nowMs += 2 * hourMs;
    await withVault(async (repository) => {
      for (let round = 0; round < 2; round += 1) await prune(repository, []);
      expect(await prune(repository, [])).toMatchObject({ refused: [], waitingBytes: 0 });
      const { findings } = await repository.verify({ depth: "read-data" }, never);
      expect(findings).toEqual([]);
    });
    expect(await filesOf("data")).toBeLessThanOrEqual(6);
  });

  it("leaves no more indexes with each prune that may remove nothing", async () => {
    const counts: number[] = [];
    const first = await withVault(async (repository) => capture(repository, 0));
    await withVault(async (repository) => capture(repository, 1));
    locks.delete(`snapshots/${first}`);
    for (let round = 0; round < 3; round += 1) {
      await withVault(async (repository) => prune(repository, round === 0 ? [first] : []));
      counts.push(await filesOf("index"));
    }
    expect(counts[2]).toBe(counts[1]);
  });

  it("is not safe while something else is locked in the place of a file, or is too short for what is in it", async () => {
    const id = await withVault(async (repository) => capture(repository, 0));
    const ask = async () => withVault(async (repository) => repository.locksOf([{ id: "it", snapshots: [id] }], never));
    expect(await ask()).toMatchObject([{ missing: 0, unlocked: 0, until: expect.any(String) }]);
    for (const name of [...locks.keys()].filter((file) => !file.startsWith("config"))) {
      replaced = name.split("/")[1];
      expect(await ask()).toMatchObject([{ missing: 1, unlocked: 0, until: null, mode: null, weakest: name }]);
    }
    replaced = undefined;
    // Trees are read to know what the point rests on: only the pack of its contents can be too short unnoticed.
    for (const pack of [...locks.keys()].filter((name) => name.startsWith("data/"))) {
      const file = `${vault}/data/${pack.slice(5, 7)}/${pack.slice(5)}`;
      const content = await readFile(file);
      await chmod(file, 0o600);
      await writeFile(file, content.subarray(0, content.length / 2));
      expect((await ask())[0]).toMatchObject({ until: null, mode: null });
      expect((await ask())[0]?.missing).toBeGreaterThan(0);
      await writeFile(file, content);
    }
    expect(await ask()).toMatchObject([{ missing: 0, unlocked: 0 }]);
  });

  it("is as safe as the key that opens it, whatever keys were added since", async () => {
    const store = openStore(vault, { blocking: false });
    const { name, masterKey } = await openKey(store, password);
    const id = await withVault(async (repository) => capture(repository, 0));
    const added = await addKey(store, masterKey, "another", { hostname: "h", username: "u" }, clock.now());
    const ask = async () => withVault(async (repository) => repository.locksOf([{ id: "it", snapshots: [id] }], never));
    openedBy = name;
    expect(await ask()).toMatchObject([{ unlocked: 0, missing: 0, mode: "governance" }]);
    // Whoever has only this password loses the vault with this key.
    openedBy = added;
    expect(await ask()).toMatchObject([{ unlocked: 1, weakest: `keys/${added}`, until: null }]);
    // Locked with the next point, as all keys are.
    await withVault(async (repository) => capture(repository, 1));
    expect(await ask()).toMatchObject([{ unlocked: 0, missing: 0, mode: "governance" }]);
  });

  it("is locked, and asked for its locks, although indexes and keys go away meanwhile", async () => {
    const sealer = new Sealer(await openMasterKey(openStore(vault, { blocking: false }), password));
    /** As a prune does that writes indexes anew. */
    const exchange = async (store: Store): Promise<readonly string[]> => {
      beforeLocking = async () => [];
      const names: string[] = [];
      for await (const { name } of store.list("index")) names.push(name);
      for (const name of names) {
        const packs: IndexedPack[] = [];
        await readIndex(store, sealer, name, (pack) => packs.push(pack));
        await writeIndex(store, sealer, 2, packs);
        locks.delete(`index/${name}`);
        await store.remove("index", name);
      }
      return ["ab".repeat(32)];
    };
    await withVault(async (repository) => {
      await capture(repository, 0);
      beforeLocking = exchange;
      const id = await capture(repository, 0);
      const ask = async () => repository.locksOf([{ id: "it", snapshots: [id] }], never);
      const [report] = await ask();
      expect(report).toMatchObject({ unlocked: 0, missing: 0 });
      beforeLocking = exchange;
      expect(await ask()).toMatchObject([{ missing: 0 }]);
    });
  });
});
