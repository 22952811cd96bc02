/** Restores of clusters on a disk that is full while files are written. */
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { expect, test, vi } from "vitest";
import {
  captureClusterInto,
  clusterContext,
  clusterDriver,
  contentOf,
  createVault,
  dataOf,
  withServerOf,
} from "../../testing/cluster-bench.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";

vi.setConfig({ testTimeout: 300_000 });

const isRoot = process.getuid?.() === 0;

test("a restore to a full disk says so, is dropped, and is made again when there is room", async ({ skip }) => {
  skip(!isRoot, "only root may mount a small tmpfs to fill");
  const folder = await createTestFolder("refloat-cluster");
  await chmod(folder.path, 0o755);
  const disk = join(folder.path, "disk");
  await mkdir(disk);
  const resize = (size: string) => execa("mount", ["-o", `remount,size=${size}`, disk]);
  await execa("mount", ["-t", "tmpfs", "-o", "size=1g,mode=0755", "tmpfs", disk]);
  try {
    // The live server must not give room back in the middle by removing old log.
    const server = await startPostgresServer({
      directory: join(disk, "server"),
      settings: { min_wal_size: "256MB" },
    });
    const vault = await createVault(folder.path);
    const context = await clusterContext(server, folder.path);
    const instance = {
      name: await clusterDriver.instances.name(context, 42),
      run: 42,
      runUid: "0b8f2f3e-1111-4222-8333-444455556666",
    };
    try {
      await query(server.url("postgres"), "create table orders as select n from generate_series(1, 1000) n");
      const captured = await captureClusterInto(context, vault);
      const restore = async () =>
        clusterDriver.instances.restore(context, instance, await vault.openSnapshot(captured.snapshot), captured);
      const used = Number((await execa("df", ["--output=used", "-k", disk])).stdout.split("\n")[1]);
      const data = Math.ceil(captured.facts.sizeBytes / 1_024);
      // Half of the files have room; then nearly all of them. Whether the log that the server makes has room depends on what it recycles.
      for (const room of [data / 2, data * 0.95]) {
        await resize(`${Math.ceil(used + room)}k`);
        await expect(restore()).rejects.toMatchObject({
          code: "target.failed",
          message: expect.stringMatching(/ENOSPC|No space left on device/),
        });
        expect(await clusterDriver.instances.inspect(context, instance)).toBe("partial");
        await clusterDriver.instances.drop(context, instance);
        expect(await clusterDriver.instances.inspect(context, instance)).toBe("absent");
      }
      await resize("1g");
      await restore();
      const live = await withServerOf(context, dataOf(server), "postgres", contentOf);
      expect(await withServerOf(context, instance.name, "postgres", contentOf)).toBe(live);
    } finally {
      await clusterDriver.instances.drop(context, instance);
      await vault.close();
      await server.stop();
    }
  } finally {
    await execa("umount", [disk]);
    await folder.remove();
  }
});
