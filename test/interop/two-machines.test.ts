/**
 * A capture goes on at one machine while another one, whose clock is wrong or whose name is the same, prunes: nothing that the capture may
 * count on goes. In a folder, over SFTP and in a bucket, each of which tells by its own clock when a lock was written.
 */
import { readdir, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { S3 } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Clock } from "../../src/core/ports/environment.ts";
import { silentLog } from "../../src/platform/log.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type RadosgwServer, startRadosgw } from "../../src/testing/radosgw-server.ts";
import { makeBucket, s3ClientOf, s3SettingsOf } from "../../src/testing/s3-bucket.ts";
import { type SshServer, startSshServer } from "../../src/testing/ssh-server.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { readConfig } from "../../src/vault/repository/format/config-file.ts";
import type { LockOwner } from "../../src/vault/repository/locks/lock-age.ts";
import { writeLock } from "../../src/vault/repository/locks/lock-file.ts";
import { RepositoryLock } from "../../src/vault/repository/locks/repository-lock.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { openMasterKey } from "../../src/vault/repository/seal/key-file.ts";
import { Sealer } from "../../src/vault/repository/seal/seal.ts";
import { openStore } from "../../src/vault/repository/stores/open-store.ts";
import type { StoreSettings } from "../../src/vault/repository/stores/store-settings.ts";
import { noise } from "./support/nasty-tree.ts";
import { password, requireRestic, restic } from "./support/restic.ts";

requireRestic();
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const never = new AbortController().signal;
const dayMs = 24 * 60 * 60 * 1000;
const clockOf = (aheadMs: number): Clock => ({ ...systemClock, now: () => new Date(Date.now() + aheadMs) });
/** No process of this machine has it. */
const gonePid = 2 ** 22 - 1;
const elsewhere: LockOwner = { hostname: hostname(), username: "root", pid: gonePid, machine: "b".repeat(16) };

let folder: TestFolder;
let ssh: SshServer;
let bucket: RadosgwServer;
let client: S3;

beforeAll(async () => {
  [ssh, bucket] = await Promise.all([startSshServer(), startRadosgw()]);
  client = s3ClientOf(bucket);
});

afterAll(async () => {
  client.destroy();
  await Promise.all([ssh.stop(), bucket.stop()]);
});

beforeEach(async () => {
  folder = await createTestFolder("refloat-two-machines");
});

afterEach(async () => {
  await folder.remove();
});

type Place = { readonly location: string; readonly settings: StoreSettings };
let buckets = 0;
const places: Readonly<Record<string, () => Promise<Place>>> = {
  "a folder": async () => ({ location: `${folder.path}/vault`, settings: {} }),
  SFTP: async () => ({ location: ssh.location(`vault-${(buckets += 1)}`), settings: { sshConfig: ssh.configFile } }),
  "a bucket": async () => {
    const name = `machines-${(buckets += 1)}`;
    await makeBucket(client, name, { locks: false });
    return { location: `s3:${bucket.url}/${name}/vault`, settings: { s3: s3SettingsOf(bucket.owner) } };
  },
};

/** A vault with two snapshots, and what a machine has that knows it. */
const prepare = async ({ location, settings }: Place) => {
  const repository = await createRepository(location, password, { clock: systemClock, settings });
  const put = async (name: string) => {
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/a"] });
    await writer.bytes("/a", noise(300_000, name));
    return (await writer.commit()).id;
  };
  const gone = await put("goes");
  await put("stays");
  await repository.close();
  const store = openStore(location, { blocking: false, settings });
  const sealer = new Sealer(await openMasterKey(store, password));
  const { version } = await readConfig(store, sealer);
  const lockOn = (clock: Clock, owner: LockOwner) =>
    new RepositoryLock({ store, sealer, version, clock, log: silentLog, owner });
  const prune = async (clock: Clock) => {
    const pruned = await openRepository(location, password, { clock, settings });
    try {
      const present = (await pruned.snapshots()).some(({ id }) => id === gone);
      const pruning = await pruned.beginPrune({ without: present ? [gone] : [], graceMs: 0 }, never);
      try {
        if (present) await pruned.removeSnapshots([gone]);
        return await pruning.run(never);
      } finally {
        await pruning.close();
      }
    } finally {
      await pruned.close();
    }
  };
  const locks = async () => {
    const names: string[] = [];
    for await (const { name } of store.list("locks")) names.push(name);
    return names;
  };
  return { store, sealer, version, lockOn, prune, locks };
};

describe("two machines at a vault", () => {
  it.each([
    ["a folder", "the pruning machine's clock is a day ahead", 0, dayMs],
    ["a folder", "the pruning machine's clock is a day behind", 0, -dayMs],
    ["a folder", "the capturing machine's clock is a day behind", -dayMs, 0],
    ["a folder", "the capturing machine's clock is a day ahead", dayMs, 0],
    ["a folder", "both are right and have the same name", 0, 0],
    ["SFTP", "the pruning machine's clock is a day ahead", 0, dayMs],
    ["SFTP", "the capturing machine's clock is a day behind", -dayMs, 0],
    ["a bucket", "the pruning machine's clock is a day ahead", 0, dayMs],
    ["a bucket", "the capturing machine's clock is a day behind", -dayMs, 0],
  ])("in %s a capture keeps what it may count on when %s", async (name, _, capturingMs, pruningMs) => {
    const place = await places[name]?.();
    if (place === undefined) throw new Error("no such place");
    const vault = await prepare(place);
    const lock = vault.lockOn(clockOf(capturingMs), elsewhere);
    const capture = await lock.hold();
    try {
      // Once it finds what is unused, once it would take that away.
      for (const turn of [1, 2]) {
        const report = await vault.prune(clockOf(pruningMs + turn * 60_000));
        expect(report).toMatchObject({ removedPacks: 0, waitsFor: [`root@${hostname()}, process ${gonePid}`] });
      }
      await capture.requireFresh();
      // Its lock is there, and nothing of the prunes.
      expect(await vault.locks()).toHaveLength(1);
    } finally {
      capture.release();
      await lock.close();
    }
    const last = await vault.prune(clockOf(pruningMs + 3 * 60_000));
    expect(last.waitsFor).toEqual([]);
    expect(last.removedPacks).toBeGreaterThan(0);
    expect(await vault.locks()).toEqual([]);
    await vault.store.close();
  });
});

describe("the lock of a machine that is dead", () => {
  const plant = async ({ agoMs, writtenAgoMs }: { readonly agoMs: number; readonly writtenAgoMs: number }) => {
    const vault = await prepare({ location: `${folder.path}/vault`, settings: {} });
    const timeMs = Date.now() - agoMs;
    const refloat = { session: "s", role: "capture", machine: elsewhere.machine, startTicks: 7 } as const;
    const { hostname: host, username, pid } = elsewhere;
    const lock = { timeMs, exclusive: false, hostname: host, username, pid, refloat };
    const file = join(folder.path, "vault", "locks", await writeLock(vault.store, vault.sealer, vault.version, lock));
    const written = new Date(Date.now() - writtenAgoMs);
    await utimes(file, written, written);
    return vault;
  };

  it("counts for nothing, and goes with a prune, once both clocks say that nobody refreshed it", async () => {
    const vault = await plant({ agoMs: 0.125 * dayMs, writtenAgoMs: 0.125 * dayMs });
    const report = await vault.prune(systemClock);
    expect(report.waitsFor).toEqual([]);
    expect(report.removedPacks).toBeGreaterThan(0);
    expect(await vault.locks()).toEqual([]);
    await vault.store.close();
  });

  it.each([
    ["its file is new", { agoMs: dayMs, writtenAgoMs: 0 }],
    ["it says that it is new", { agoMs: 0, writtenAgoMs: dayMs }],
  ])("stays in doubt while %s", async (_, times) => {
    const vault = await plant(times);
    for (const turn of [1, 2]) {
      const report = await vault.prune(clockOf(turn * 60_000));
      expect(report).toMatchObject({ removedPacks: 0, waitsFor: [`root@${hostname()}, process ${gonePid}`] });
    }
    expect(await vault.locks()).toHaveLength(1);
    await vault.store.close();
  });

  it("stock restic reads a lock that names its machine, and keeps away", async () => {
    const vault = await prepare({ location: `${folder.path}/vault`, settings: {} });
    const lock = vault.lockOn(systemClock, elsewhere);
    const held = await lock.hold();
    const [id = ""] = await readdir(join(folder.path, "vault", "locks"));
    const read = JSON.parse(await restic(`${folder.path}/vault`, "cat", "lock", id, "--no-lock")) as unknown;
    expect(read).toMatchObject({ hostname: hostname(), pid: gonePid, exclusive: false });
    held.release();
    await lock.close();
    await vault.store.close();
  });
});
