/** The contract of component drivers, on a real etcd server. */
import { join } from "node:path";
import { vi } from "vitest";
import { describeComponentDriver } from "../../testing/component-driver-contract.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { captureEtcdInto, etcdContext, etcdDriver, readEtcdContent } from "../../testing/etcd-bench.ts";
import { startEtcdServer } from "../../testing/etcd-server.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describeComponentDriver("an etcd server", async () => {
  const folder = await createTestFolder("refloat-etcd-contract");
  const server = await startEtcdServer();
  for (const key of ["/shop/price", "/shop/name"]) await server.ctl("put", key, `value of ${key}`);
  const context = await etcdContext(server, folder.path);
  let captures = 0;
  return {
    driver: etcdDriver,
    context,
    capture: () => captureEtcdInto(context, join(folder.path, `vault-${(captures += 1)}`)),
    open: async () => createDirectoryReader(join(folder.path, `vault-${captures}`)),
    write: async () => void (await server.ctl("put", "/shop/price", "0 after a bad upgrade")),
    content: (location) => readEtcdContent(server, location),
    close: async () => {
      await server.stop();
      await folder.remove();
    },
  };
});
