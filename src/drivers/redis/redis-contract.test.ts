/** The contract of component drivers, on a real server that keeps an append-only file. */
import { join } from "node:path";
import { vi } from "vitest";
import { describeComponentDriver } from "../../testing/component-driver-contract.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { createTestFolder } from "../../testing/driver-context.ts";
import { captureRedisInto, fillRedis, readRedisContent, redisContext, redisDriver } from "../../testing/redis-bench.ts";
import { startRedisServer } from "../../testing/redis-server.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

describeComponentDriver("a Redis server", async () => {
  const folder = await createTestFolder("refloat-redis-contract");
  const server = await startRedisServer({ lines: ["appendonly yes"] });
  await fillRedis(server);
  const context = await redisContext(server, folder.path);
  let captures = 0;
  return {
    driver: redisDriver,
    context,
    capture: () => captureRedisInto(context, join(folder.path, `vault-${(captures += 1)}`)),
    open: async () => createDirectoryReader(join(folder.path, `vault-${captures}`)),
    write: async () => void (await server.cli("MSET", "product:0", "price 0 of a bad upgrade", "new", "key")),
    content: (location) => readRedisContent(server, location),
    close: async () => {
      await server.stop();
      await folder.remove();
    },
  };
});
