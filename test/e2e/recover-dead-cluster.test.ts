/** The live server of a whole cluster has died before the recovery begins: it is recovered all the same, and the report says what nobody can tell. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { descendantsOf, listProcesses } from "../../src/platform/process-table.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { findPostmaster } from "../../src/drivers/postgres-cluster/postmaster.ts";
import { declareIn } from "./support/declare.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let server: PostgresServer;
let refloat: RefloatProgram;

const data = () => join(server.directory, "data");
const orders = async (): Promise<number> => {
  const [row] = await query<{ n: number }>(server.url("shop"), "select count(*)::int as n from orders");
  return row?.n ?? -1;
};

/** The postmaster and all that it has started, as the kernel kills them when there is no memory left. */
const kill = async (): Promise<void> => {
  const postmaster = await findPostmaster(data());
  if (postmaster === null) throw new Error("no server runs that could be killed");
  const below = descendantsOf(postmaster.pid, listProcesses());
  for (const pid of [postmaster.pid, ...below.map((row) => row.pid)]) process.kill(pid, "SIGKILL");
  await expect.poll(() => findPostmaster(data()), { timeout: 20_000, interval: 20 }).toBe(null);
};

const recover = async (...args: readonly string[]): Promise<{ readonly run: string; readonly report: string }> => {
  const ended = await refloat.succeed(["recover", "shop", "--yes", "--json", ...args]);
  const run = /"run":(\d+)/.exec(JSON.stringify(ended.lines.at(-1)))?.[1] ?? "";
  const { stdout } = await refloat.succeed(["runs", run]);
  console.log(stdout);
  return { run, report: stdout.replaceAll(/\s+/g, " ") };
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-dead-cluster-"));
  await chmod(folder, 0o755);
  server = await startPostgresServer();
  await query(server.url("postgres"), "create database shop");
  await query(
    server.url("shop"),
    "create table orders (id serial primary key); insert into orders select from generate_series(1, 100)",
  );
  const port = await findFreePort(4);
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
        type: postgres-cluster
        data: ${data()}
        url: ${server.url("shop")}
        ports: ${port}-${port + 3}
        programs: ${server.binaries}
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "shop"]);
}, 240_000);

beforeEach(async () => {
  await query(server.url("shop"), "insert into orders select from generate_series(1, 7)");
});

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("is recovered from a server that was killed", { timeout: 240_000 }, async () => {
  await kill();
  const plan = await refloat.succeed(["plan", "shop"]);
  console.log(plan.stdout);
  const { run, report } = await recover();
  expect(await orders()).toBe(100);
  const undo = await refloat.run(["undo", run, "--yes"]);
  console.log(undo);
  expect(await orders()).toBe(107);
});

it("is recovered where the control file of the dead server is destroyed", { timeout: 240_000 }, async () => {
  await kill();
  await writeFile(join(data(), "global", "pg_control"), "");
  console.log((await refloat.succeed(["plan", "shop"])).stdout);
  const { run, report } = await recover();
  expect(await orders()).toBe(100);
  const undo = await refloat.run(["undo", run, "--yes"]);
  console.log(undo);
  expect(await orders()).toBe(100);
});

it("is recovered where the data folder is gone", { timeout: 240_000 }, async () => {
  await kill();
  await rm(data(), { recursive: true });
  console.log((await refloat.succeed(["plan", "shop"])).stdout);
  const { run, report } = await recover();
  expect(await orders()).toBe(100);
  const undo = await refloat.run(["undo", run, "--yes"]);
  console.log(undo);
});

it("is recovered where the server dies after the plan was shown", { timeout: 240_000 }, async () => {
  const planned = await refloat.succeed(["plan", "shop"]);
  console.log(planned.stdout);
  await kill();
  await recover();
  expect(await orders()).toBe(100);
});
