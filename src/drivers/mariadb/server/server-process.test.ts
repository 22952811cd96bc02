/** A server is ended at whatever moment of its start it is told to. */
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ownerOf } from "../../../platform/folder-server/folder-owner.ts";
import { startApart } from "../../../platform/folder-server/start-apart.ts";
import { waitUntil } from "../../../platform/wait-until.ts";
import { createTestContext } from "../../../testing/driver-context.ts";
import { dataOf } from "../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../testing/mariadb-server.ts";
import { endServer, isServed } from "./server-process.ts";

let server: MariadbServer;
let context: ReturnType<typeof createTestContext>;

beforeEach(async () => {
  server = await startMariadbServer();
  await server.crash();
  context = createTestContext({ options: {}, folder: server.directory });
});
afterEach(async () => {
  await endServer(context, dataOf(server), "SIGKILL");
  await server.stop();
});

test("a server that has not yet come up ends by the signal that asks it to", { timeout: 300_000 }, async () => {
  const folder = dataOf(server);
  const owner = await ownerOf(folder, context.signal);
  const words = [
    "mariadbd",
    "--no-defaults",
    `--datadir=${folder}`,
    `--socket=${join(server.directory, "other")}`,
    "--skip-networking",
    "--event-scheduler=OFF",
    `--tmpdir=${join(server.directory, "tmp")}`,
    `--pid-file=${join(server.directory, "pid")}`,
    ...(owner.uid === 0 ? ["--user=root"] : []),
  ];
  for (const laterMs of [0, 20, 40, 80]) {
    await startApart(context, owner, { folder, log: join(server.directory, "other.log"), words });
    expect(await waitUntil(context, 60_000, () => isServed(folder))).toBe(true);
    await context.clock.sleep(laterMs, context.signal);
    await endServer(context, folder, "SIGTERM");
    expect(await isServed(folder)).toBe(false);
  }
});
