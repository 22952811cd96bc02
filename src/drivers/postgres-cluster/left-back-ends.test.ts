/** Which processes are taken for what a dead server has left in a data folder, and which are not. The real server in real name spaces. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { descendantsOf, isRunning, listProcesses, readPlaces, readProcess } from "../../platform/process-table.ts";
import { clusterContext, dataOf } from "../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query } from "../../testing/query.ts";
import type { ClusterContext } from "./cluster-options.ts";
import { endLeftBackEnds, findPostmaster } from "./postmaster.ts";

const isRoot = process.getuid?.() === 0;

let server: PostgresServer;
let folder: TestFolder;
let context: ClusterContext;
let child: ChildProcess | undefined;

/** A clock on which waiting takes no time, and more of it than was asked for: what does not end is told at once. */
const hurried = () => {
  let elapsedMs = 0;
  return {
    now: () => new Date(elapsedMs),
    monotonicMs: () => elapsedMs,
    sleep: async (ms: number) => void (elapsedMs += 100 * ms),
  };
};

const serves = async (): Promise<boolean> => {
  const answer = await query(server.url("postgres"), "select 1 as one").catch(() => null);
  return answer !== null;
};

/** Starts the stopped server anew, its data seen as `place` in name spaces of its own. */
const startInside = async (place: string, ...spaces: readonly string[]): Promise<void> => {
  await server.crash();
  await mkdir(place, { recursive: true });
  const script = `mount --bind "$1" "$2" && exec setpriv --reuid=postgres --regid=postgres --init-groups "$3" -D "$2" -p "$4"`;
  const words = ["sh", dataOf(server), place, join(server.binaries, "postgres"), String(server.port)];
  child = spawn("unshare", ["--mount", ...spaces, "sh", "-c", script, ...words], { stdio: "ignore" });
  await expect.poll(serves, { timeout: 60_000, interval: 20 }).toBe(true);
};

const endInside = async (): Promise<void> => {
  const pid = child?.pid;
  if (child === undefined || pid === undefined || child.exitCode !== null) return;
  const exited = once(child, "exit");
  const below = descendantsOf(pid, listProcesses()).map((row) => row.pid);
  const postmaster = [pid, ...below].find((one) => readPlaces(one).executable?.endsWith("/postgres") === true);
  process.kill(postmaster ?? pid, "SIGINT");
  await exited;
};

beforeAll(async () => {
  folder = await createTestFolder("refloat-left");
  // The server is another user's.
  await chmod(folder.path, 0o755);
  server = await startPostgresServer();
  context = { ...(await clusterContext(server, folder.path)), clock: hurried() };
}, 300_000);
afterEach(endInside);
afterAll(async () => {
  await server.stop();
  await folder.remove();
});

test("a server that runs is not ended: whoever supervises it would start it again", async () => {
  const before = await findPostmaster(dataOf(server));
  await expect(endLeftBackEnds(context, dataOf(server))).rejects.toMatchObject({
    code: "fence.failed",
    message: expect.stringContaining(`serves ${dataOf(server)} again`) as string,
  });
  expect(await findPostmaster(dataOf(server))).toEqual(before);
  expect(isRunning(readProcess(before?.pid ?? 0))).toBe(true);
});

test("one of another mount name space is not taken for ours by its path, and is ours by its folder", async ({
  skip,
}) => {
  skip(!isRoot, "only root may mount in a name space of its own");
  const place = join(folder.path, "main");
  await startInside(place);
  // Seen from here, nothing lies in the folder of that path.
  await endLeftBackEnds(context, place);
  expect(await serves()).toBe(true);
  expect(await findPostmaster(place)).toBeNull();
  expect((await findPostmaster(dataOf(server)))?.pid).toBe(child?.pid);
});

test("one in a container that shares the folder is left to the container, and named", async ({ skip }) => {
  skip(!isRoot, "only root may make name spaces without a user of its own");
  await startInside(join(folder.path, "inner"), "--pid", "--fork", "--mount-proc");
  expect(await findPostmaster(dataOf(server))).toBeNull();
  await expect(endLeftBackEnds(context, dataOf(server))).rejects.toMatchObject({
    code: "fence.failed",
    message: expect.stringMatching(/^process .*postgres.* in a container works in /) as string,
    hint: expect.stringContaining("stop the container") as string,
  });
  expect(await serves()).toBe(true);
});
