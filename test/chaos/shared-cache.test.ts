/** Two processes that capture and read with one cache folder, which is deleted under them again and again: no error, no warning, no wrong byte. */
import { readdir, rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { expect, it } from "vitest";
import { systemClock } from "../../src/platform/system-clock.ts";
import { createTestFolder } from "../../src/testing/driver-context.ts";
import { startSshServer } from "../../src/testing/ssh-server.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";

const never = new AbortController().signal;
const script = new URL("support/cache-user.ts", import.meta.url).pathname;
const password = "correct horse";
const rounds = Number(process.env["CACHE_ROUNDS"] ?? 3);

it("a cache that two processes share is deleted in the midst of their work, and nobody notices", async () => {
  const folder = await createTestFolder("refloat-shared-cache");
  const server = await startSshServer();
  try {
    const vault = server.location("vault");
    const settings = { sshConfig: server.configFile };
    await (await createRepository(vault, password, { clock: systemClock, settings })).close();
    const cache = `${folder.path}/cache`;
    const args = [script, vault, password, server.configFile, cache];
    const users = ["one", "other"].map((seed) => execa(process.execPath, [...args, seed, String(rounds)]));
    const work = { isOver: false };
    const ended = Promise.all(users).finally(() => (work.isOver = true));
    ended.catch(() => undefined);
    let deleted = 0;
    while (!work.isOver) {
      const found = await readdir(cache, { recursive: true }).catch(() => []);
      // Copies come while it is deleted.
      await rm(cache, { recursive: true, force: true, maxRetries: 5, retryDelay: 1 }).catch(() => undefined);
      if (found.length > 0) deleted += 1;
      await setTimeout(5);
    }
    for (const { stdout } of await ended) expect([...new Set(stdout.split("\n"))]).toEqual(["read"]);
    expect(deleted).toBeGreaterThan(rounds);

    const repository = await openRepository(vault, password, { clock: systemClock, settings });
    expect(await repository.snapshots()).toHaveLength(2 * rounds);
    expect((await repository.verify({ depth: "read-data" }, never)).findings).toEqual([]);
    await repository.close();
  } finally {
    await server.stop();
    await folder.remove();
  }
});
