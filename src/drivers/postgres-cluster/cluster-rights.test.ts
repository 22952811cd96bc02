/** A capture by a role that may do no more than it must: what is missing is said, and with it the server sends all of its files. */
import { expect, test, vi } from "vitest";
import {
  captureClusterInto,
  clusterContext,
  clusterDriver,
  contentOf,
  createVault,
  withServerOf,
} from "../../testing/cluster-bench.ts";
import { describeOnReleases } from "../../testing/describe-on-releases.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";

vi.setConfig({ testTimeout: 300_000 });

describeOnReleases("a role with the least rights", (binaries) => {
  test("that may not replicate is told so; when it may, what its server sends is the cluster", async () => {
    const server = await startPostgresServer({ binaries });
    const folder = await createTestFolder("refloat-cluster");
    const context = await clusterContext(server, folder.path, { more: { url: server.url("postgres", "weak") } });
    const vault = await createVault(folder.path);
    const instance = {
      name: await clusterDriver.instances.name(context, 42),
      run: 42,
      runUid: "0b8f2f3e-1111-4222-8333-444455556666",
    };
    try {
      await query(
        server.url("postgres"),
        "create role weak login; create table orders as select n from generate_series(1, 1000) n",
      );
      await expect(captureClusterInto(context, vault)).rejects.toMatchObject({
        code: "source.denied",
        hint: 'as an administrator: ALTER ROLE "weak" REPLICATION;',
      });
      const { findings, grants } = await clusterDriver.preflight(context);
      expect(findings.filter(({ ok }) => !ok).map(({ subject, found }) => `${subject}: ${found}`)).toEqual([
        "role weak: may not replicate",
      ]);
      expect(grants[0]).toBe('ALTER ROLE "weak" REPLICATION;');

      await query(server.url("postgres"), "alter role weak replication");
      const captured = await captureClusterInto(context, vault);
      expect(captured.warnings.join()).toContain("GRANT pg_read_all_settings");
      const before = await withClient(server.url("postgres"), contentOf);
      await clusterDriver.instances.restore(context, instance, await vault.openSnapshot(captured.snapshot), captured);
      expect(await withServerOf(context, instance.name, "postgres", contentOf)).toBe(before);
    } finally {
      await clusterDriver.instances.drop(context, instance);
      await server.stop();
      await vault.close();
      await folder.remove();
    }
  });
});
