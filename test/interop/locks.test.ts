/** Repository locks: restic sees ours, we see restic's, stale ones block nobody. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../src/core/ports/environment.ts";
import type { Repository } from "../../src/core/ports/vault.ts";
import { silentLog } from "../../src/platform/log.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { readConfig } from "../../src/vault/repository/format/config-file.ts";
import { readLock, writeLock } from "../../src/vault/repository/locks/lock-file.ts";
import { RepositoryLock } from "../../src/vault/repository/locks/repository-lock.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { openMasterKey } from "../../src/vault/repository/seal/key-file.ts";
import { Sealer } from "../../src/vault/repository/seal/seal.ts";
import { openStore } from "../../src/vault/repository/stores/open-store.ts";
import { password, requireRestic, restic, resticRefusal } from "./support/restic.ts";

const request = { hostname: "h", time: new Date(), tags: [], paths: ["/a"] };

requireRestic();

describe("locks", () => {
  let folder: TestFolder;
  let vault: string;
  let repository: Repository;

  beforeEach(async () => {
    folder = await createTestFolder("refloat-locks");
    vault = `${folder.path}/vault`;
    repository = await createRepository(vault, password, { clock: systemClock });
  });

  afterEach(async () => {
    await repository.close();
    await folder.remove();
  });

  const lockNames = async (): Promise<readonly string[]> => readdir(`${vault}/locks`);

  const internals = async () => {
    const store = openStore(vault, { blocking: false });
    const sealer = new Sealer(await openMasterKey(store, password));
    return { store, sealer, config: await readConfig(store, sealer) };
  };

  it("are one for each role, whoever came first: a sweep gives way to who reads, and not to a capture", async () => {
    const { store, sealer, config } = await internals();
    const owner = { hostname: hostname(), username: "root", pid: process.pid };
    const log = silentLog;
    const lock = new RepositoryLock({ store, sealer, version: config.version, clock: systemClock, log, owner });
    const capturing = await lock.hold();
    const reading = lock.holdForReading();
    await reading.requireFresh();
    const locks = (await lockNames()).map(async (name) => readLock(store, sealer, { name }));
    const roles = (await Promise.all(locks)).map(({ refloat }) => refloat?.role);
    expect(roles).toHaveLength(2);
    expect(new Set(roles)).toEqual(new Set(["capture", "read"]));
    capturing.release();
    reading.release();
    await lock.close();
    expect(await lockNames()).toEqual([]);
  });

  /** Leaves a lock as another program would. */
  const plantLock = async (lock: {
    exclusive: boolean;
    pid: number;
    hostname: string;
    ageMs: number;
  }): Promise<string> => {
    const { store, sealer, config } = await internals();
    const { ageMs, ...rest } = lock;
    const timeMs = Date.now() - ageMs;
    const name = await writeLock(store, sealer, config.version, { ...rest, username: "root", timeMs });
    // Whoever wrote it then, wrote it then by the disk's clock too.
    await utimes(`${vault}/locks/${name}`, timeMs / 1000, timeMs / 1000);
    return name;
  };

  it("keeps restic's prune and check away while a capture goes on, but not its backup", async () => {
    const writer = await repository.beginSnapshot(request);
    await writer.bytes("/a", Buffer.from("content"));
    expect(await lockNames()).toHaveLength(1);
    expect(await resticRefusal(vault, "prune")).toContain(
      `repository is already locked by PID ${process.pid} on ${hostname()}`,
    );
    expect(await resticRefusal(vault, "check")).toContain("repository is already locked");
    await writeFile(`${folder.path}/data`, "content");
    await restic(vault, "backup", `${folder.path}/data`);
    await writer.commit();
    await repository.close();
    expect(await lockNames()).toEqual([]);
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
  });

  it("survives restic asking whether we live, and keeps its lock", async () => {
    const writer = await repository.beginSnapshot(request);
    // restic sends SIGHUP to the process that the lock names: that would end a program that does not expect it.
    await restic(vault, "unlock");
    expect(await lockNames()).toHaveLength(1);
    await writer.bytes("/a", Buffer.from("content"));
    await writer.commit();
  });

  it.each(["restic's unlock", "the next capture"])(
    "%s removes the lock of a process of ours that was killed",
    async (who) => {
      const entry = new URL("../../src/vault/repository/open-repository.ts", import.meta.url).href;
      const script = `
      const { openRepository } = await import(${JSON.stringify(entry)});
      const repository = await openRepository(${JSON.stringify(vault)}, ${JSON.stringify(password)}, { clock: { now: () => new Date(), monotonicMs: () => performance.now() } });
      await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"] });
      process.kill(process.pid, "SIGKILL");
    `;
      const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
      await once(child, "exit");
      expect(await lockNames()).toHaveLength(1);
      if (who === "restic's unlock") await restic(vault, "unlock");
      else {
        await (await repository.beginSnapshot(request)).abort();
        await repository.close();
      }
      expect(await lockNames()).toEqual([]);
    },
  );

  it.each([
    ["another", { pid: 4711, hostname: "elsewhere" }],
    ["a machine of the same name, whose process is none of ours,", { pid: 2 ** 22 - 1, hostname: hostname() }],
  ])("refuses to capture while %s has the vault for itself, and says who", async (_, who) => {
    await plantLock({ exclusive: true, ageMs: 60_000, ...who });
    await expect(repository.beginSnapshot(request)).rejects.toMatchObject({
      code: "vault.locked",
      message: `the vault at ${vault} is in exclusive use by root@${who.hostname}, process ${who.pid}`,
      retryable: true,
    });
    // Our own lock does not stay behind.
    expect(await lockNames()).toHaveLength(1);
  });

  it("reads all the same: a recovery does not wait for a prune, and every byte is verified", async () => {
    const writer = await repository.beginSnapshot(request);
    await writer.bytes("/a", Buffer.from("content"));
    const { id } = await writer.commit();
    await repository.close();
    await plantLock({ exclusive: true, pid: 4711, hostname: "elsewhere", ageMs: 0 });
    repository = await openRepository(vault, password, { clock: systemClock });
    const reader = await repository.openSnapshot(id);
    await reader.extract("/a", `${folder.path}/restored`, new AbortController().signal);
    expect(Buffer.from(await reader.read("/a")).toString()).toBe("content");
  });

  it.each([
    ["is older than half an hour", { exclusive: true, pid: 4711, hostname: "elsewhere", ageMs: 31 * 60_000 }],
    ["is shared", { exclusive: false, pid: 4711, hostname: "elsewhere", ageMs: 0 }],
  ])("does not wait for a lock that %s", async (_, lock) => {
    await plantLock(lock);
    const writer = await repository.beginSnapshot(request);
    await writer.bytes("/a", Buffer.from("content"));
    await writer.commit();
    expect(await repository.snapshots()).toHaveLength(1);
  });

  it("is refreshed by a new file before the old one goes", async () => {
    const { store, sealer, config } = await internals();
    let nowMs = Date.parse("2026-03-01T10:00:00Z");
    let monotonicMs = 0;
    const clock: Clock = { ...systemClock, now: () => new Date(nowMs), monotonicMs: () => monotonicMs };
    const { AcquiredLock } = await import("../../src/vault/repository/locks/acquired-lock.ts");
    const owner = { hostname: "h", username: "u", pid: 1 };
    const lock = await AcquiredLock.write(
      { store, sealer, version: config.version, clock, log: silentLog, owner },
      "capture",
    );
    const first = lock.name;
    nowMs += 29 * 60_000;
    lock.requireFresh();
    await lock.refresh();
    expect(lock.name).not.toBe(first);
    expect(await lockNames()).toEqual([lock.name]);
    expect((await readLock(store, sealer, lock)).timeMs).toBe(nowMs);
    nowMs += 31 * 60_000;
    expect(() => lock.requireFresh()).toThrow(expect.objectContaining({ code: "vault.locked" }));
    // Set back by a day: the wall clock says that it was just written.
    await lock.refresh();
    nowMs -= 86_400_000;
    lock.requireFresh();
    monotonicMs += 31 * 60_000;
    expect(() => lock.requireFresh()).toThrow(expect.objectContaining({ code: "vault.locked" }));
    await lock.remove();
    expect(await lockNames()).toEqual([]);
  });

  it("commits nothing under a lock that went stale, as after a machine has slept", async () => {
    await repository.close();
    let sleptMs = 0;
    const clock: Clock = { ...systemClock, now: () => new Date(Date.now() + sleptMs) };
    repository = await openRepository(vault, password, { clock });
    const writer = await repository.beginSnapshot(request);
    await writer.bytes("/a", Buffer.from("content"));
    sleptMs = 31 * 60_000;
    await expect(writer.commit()).rejects.toMatchObject({ code: "vault.locked", state: "nothing was committed" });
    await writer.abort();
    expect(await repository.snapshots()).toEqual([]);
  });

  it("is held once for all that goes on, and released a while after the last", async () => {
    const { store, sealer, config } = await internals();
    const owner = { hostname: "h", username: "u", pid: process.pid };
    const lock = new RepositoryLock({
      store,
      sealer,
      version: config.version,
      clock: systemClock,
      log: silentLog,
      owner,
    });
    const [a, b] = [await lock.hold(), await lock.hold()];
    lock.holdForReading().release();
    a.release();
    a.release();
    expect(await lockNames()).toHaveLength(1);
    b.release();
    await lock.close();
    expect(await lockNames()).toEqual([]);
  });
});
