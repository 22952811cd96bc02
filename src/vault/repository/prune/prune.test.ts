import { cp, readdir, rename, rm } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../../core/ports/environment.ts";
import type { Repository } from "../../../core/ports/vault.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { systemClock } from "../../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { noise } from "../../../../test/interop/support/nasty-tree.ts";
import { createRepository } from "../create-repository.ts";
import { openRepository } from "../open-repository.ts";
import { assembleRepository } from "../assemble-repository.ts";
import { openMasterKey } from "../seal/key-file.ts";
import { openStore } from "../stores/open-store.ts";
import type { Store } from "../stores/store.ts";
import { choosePacks } from "./choose-packs.ts";

const never = new AbortController().signal;
const password = "password";

describe("choosePacks", () => {
  const pack = (id: string, bytes: number, usedBytes: number) => ({
    id,
    present: true,
    bytes,
    blobs: 10,
    usedBytes,
    usedBlobs: Math.round((usedBytes / bytes) * 10),
  });

  it("copies out of the emptiest packs until little enough lies around, and takes what is empty", () => {
    const packs = [pack("a", 1000, 1000), pack("b", 1000, 900), pack("c", 1000, 200), pack("d", 1000, 0)];
    const choice = choosePacks(packs, () => false);
    expect(choice.unused.map(({ id }) => id)).toEqual(["d"]);
    expect(choice.repack.map(({ id }) => id)).toEqual(["c"]);
    expect(choice).toMatchObject({ usedBytes: 2100, toleratedBytes: 100 });
  });

  it("does not find again what was found", () => {
    const packs = [pack("a", 1000, 1000), pack("d", 1000, 0), pack("e", 1000, 100)];
    expect(choosePacks(packs, (id) => id === "d")).toMatchObject({ unused: [], repack: [{ id: "e" }] });
    expect(choosePacks(packs, () => true)).toMatchObject({ unused: [], repack: [], usedBytes: 1100 });
  });
});

describe("a prune", () => {
  let folder: TestFolder;
  let vault: string;
  const clock: Clock = systemClock;
  const contents = { both: noise(400_000, "both"), gone: noise(300_000, "gone"), kept: noise(200_000, "kept") };

  beforeEach(async () => {
    folder = await createTestFolder("refloat-prune-unit");
    vault = `${folder.path}/vault`;
  });

  afterEach(async () => {
    await folder.remove();
  });

  const put = async (repository: Repository, names: readonly (keyof typeof contents)[]) => {
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"] });
    for (const name of names) await writer.bytes(`/${name}`, contents[name]);
    return (await writer.commit()).id;
  };

  /** Two snapshots in a new vault, of which the first is to go. */
  const prepare = async () => {
    const repository = await createRepository(vault, password, { clock });
    const gone = await put(repository, ["both", "gone"]);
    const stays = await put(repository, ["both", "kept"]);
    await repository.close();
    return { gone, stays };
  };

  /** Through a store whose writes and removals stop for good after `most` of them, as for a process that is killed. */
  const openUntil = async (most: number, refusal?: (kind: string) => RefloatError | undefined) => {
    const store = openStore(vault, { blocking: false });
    let changes = 0;
    const changing =
      <Args extends readonly unknown[], Result>(act: (...args: Args) => Promise<Result>) =>
      async (...args: Args): Promise<Result> => {
        changes += 1;
        if (changes > most) throw new RefloatError("bug", "killed");
        return act(...args);
      };
    const counted: Store = {
      location: store.location,
      list: (kind) => store.list(kind),
      stat: async (...args) => store.stat(...args),
      read: async (...args) => store.read(...args),
      readRange: async (...args) => store.readRange(...args),
      begin: (kind) => store.begin(kind),
      sweep: async () => store.sweep(),
      close: async () => store.close(),
      write: changing(async (...args: Parameters<Store["write"]>) => store.write(...args)),
      remove: changing(async (...args: Parameters<Store["remove"]>) => {
        const refused = refusal?.(args[0]);
        if (refused !== undefined) throw refused;
        return store.remove(...args);
      }),
    };
    const repository = await assembleRepository(counted, await openMasterKey(store, password), { clock });
    return { repository, changes: () => changes };
  };

  const pruneAll = async (repository: Repository, without: readonly Awaited<ReturnType<typeof put>>[]) => {
    const present = new Set((await repository.snapshots()).map(({ id }) => id));
    const going = without.filter((id) => present.has(id));
    const pruning = await repository.beginPrune({ without: going, graceMs: 0 }, never);
    try {
      await repository.removeSnapshots(going);
      return await pruning.run(never);
    } finally {
      await pruning.close();
    }
  };

  const expectReadable = async (repository: Repository, id: string): Promise<void> => {
    const reader = await repository.openSnapshot(id);
    expect(Buffer.from(await reader.read("/both"))).toEqual(contents.both);
    expect(Buffer.from(await reader.read("/kept"))).toEqual(contents.kept);
  };

  const expectWhole = async (id: string): Promise<void> => {
    const repository = await openRepository(vault, password, { clock });
    const { findings } = await repository.verify({ depth: "read-data" }, never);
    expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
    await expectReadable(repository, id);
    await repository.close();
  };

  it(
    "that is killed at any write or removal harms nothing, and the next one ends it",
    { timeout: 1_200_000 },
    async () => {
      const { gone, stays } = await prepare();
      await rename(vault, `${vault}.pristine`);
      let most = 0;
      for (let ended = false; !ended; most += 1) {
        await rm(vault, { recursive: true, force: true });
        await cp(`${vault}.pristine`, vault, { recursive: true });
        const { repository, changes } = await openUntil(most);
        const killed = await pruneAll(repository, [gone]).then(
          () => false,
          () => true,
        );
        await repository.close();
        await expectWhole(stays);
        // Locks of a process that is gone: ours lives, and would be waited for.
        for (const name of await readdir(`${vault}/locks`)) await rm(`${vault}/locks/${name}`);
        const next = await openRepository(vault, password, { clock });
        expect(await pruneAll(next, [gone])).toMatchObject({ refused: [], waitingBytes: 0 });
        await next.close();
        await expectWhole(stays);
        const left = (await readdir(`${vault}/data`, { recursive: true })).filter((name) => name.length > 60);
        expect(left.length).toBeLessThanOrEqual(4);
        ended = !killed && changes() <= most;
      }
      expect(most).toBeGreaterThan(10);
    },
  );

  it("takes nothing for lost that is committed while it counts, as the receiver of a log does every two seconds", async () => {
    const { gone } = await prepare();
    const writing = await openRepository(vault, password, { clock });
    const store = openStore(vault, { blocking: false });
    let commits = 0;
    const busy: Store = {
      location: store.location,
      stat: async (...args) => store.stat(...args),
      read: async (...args) => store.read(...args),
      readRange: async (...args) => store.readRange(...args),
      begin: (kind) => store.begin(kind),
      sweep: async () => store.sweep(),
      close: async () => store.close(),
      write: async (...args) => store.write(...args),
      remove: async (...args) => store.remove(...args),
      list: async function* list(kind) {
        if (kind === "snapshots" && commits < 3) {
          commits += 1;
          const writer = await writing.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"] });
          await writer.bytes("/piece", noise(5_000, `piece ${commits}`));
          await writer.commit();
        }
        yield* store.list(kind);
      },
    };
    const repository = await assembleRepository(busy, await openMasterKey(store, password), { clock });
    const pruning = await repository.beginPrune({ without: [gone], graceMs: 0 }, never);
    try {
      await pruning.run(never);
    } finally {
      await pruning.close();
    }
    expect(commits).toBe(3);
    await repository.close();
    await writing.close();
  });

  it("that may not delete says so and leaves all readable", async () => {
    const { gone, stays } = await prepare();
    const denied = () => new RefloatError("vault.store-failed", "the vault failed to remove: EACCES");
    const { repository } = await openUntil(Number.POSITIVE_INFINITY, (kind) =>
      kind === "locks" ? undefined : denied(),
    );
    expect(await repository.removeSnapshots([gone])).toEqual([
      { id: gone, reason: "the vault failed to remove: EACCES" },
    ]);
    await rm(`${vault}/snapshots/${gone}`);
    const report = await pruneAll(repository, []);
    expect(report).toMatchObject({ removedPacks: 0, freedBytes: 0 });
    expect(report.refused).toContainEqual(expect.objectContaining({ kind: "index" }));
    await repository.close();
    await expectWhole(stays);
  });

  it("keeps what the store holds on to, and takes the rest", async () => {
    const { gone, stays } = await prepare();
    const locked = new RefloatError("vault.store-failed", "the object is locked");
    let refusals = 1;
    const { repository } = await openUntil(Number.POSITIVE_INFINITY, (kind) => {
      if (kind !== "data" || refusals === 0) return undefined;
      refusals -= 1;
      return locked;
    });
    const report = await pruneAll(repository, [gone]);
    expect(report.refused).toEqual([expect.objectContaining({ kind: "data", reason: "the object is locked" })]);
    expect(report.removedPacks).toBeGreaterThan(0);
    // Once the lock has ended, it is found again.
    expect(await pruneAll(repository, [])).toMatchObject({ removedPacks: 1, refused: [] });
    await repository.close();
    await expectWhole(stays);
  });
});
