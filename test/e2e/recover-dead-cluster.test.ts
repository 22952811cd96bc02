/** The live server of a whole cluster has died before the recovery begins: it is recovered all the same, and the report says what nobody can tell. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { descendantsOf, listProcesses, signalProcess } from "../../src/platform/process-table.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { findPostmaster } from "../../src/drivers/postgres-cluster/postmaster.ts";
import { declareIn } from "./support/declare.ts";
import { type Ended, type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

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
  const all = listProcesses();
  const first = all.filter(({ pid }) => pid === postmaster.pid);
  // Some end by themselves as soon as the first one is gone.
  for (const one of [...first, ...descendantsOf(postmaster.pid, all)]) signalProcess(one, "SIGKILL");
  await expect.poll(() => findPostmaster(data()), { timeout: 60_000, interval: 20 }).toBe(null);
};

const wordsOf = ({ stdout, stderr }: Ended): string => `${stdout} ${stderr}`.replaceAll(/\s+/g, " ");

const recover = async (...args: readonly string[]): Promise<{ readonly run: string; readonly report: string }> => {
  const ended = await refloat.succeed(["recover", "shop", "--yes", "--json", ...args]);
  const run = /"run":(\d+)/.exec(JSON.stringify(ended.lines.at(-1)))?.[1] ?? "";
  const { stdout } = await refloat.succeed(["runs", run]);
  return { run, report: stdout.replaceAll(/\s+/g, " ") };
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-dead-cluster-"));
  await chmod(folder, 0o755);
  // What was committed before the kill is to be found by an undo.
  server = await startPostgresServer({ durable: true });
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
}, 300_000);

beforeEach(async () => {
  await query(server.url("shop"), "insert into orders select from generate_series(1, 7)");
});

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("is recovered from a server that was killed", { timeout: 300_000 }, async () => {
  await kill();
  const status = await refloat.succeed(["status"]);
  expect(status.stdout).toMatch(/\nshop +DOWN /);
  expect(wordsOf(status)).toMatch(/db is down: .*connection refused/);
  expect(status.stdout).toContain("next: refloat points shop");
  const plan = wordsOf(await refloat.succeed(["plan", "shop"]));
  // Not by a database of it: the folder is what changes hands.
  expect(plan).toMatch(/data > data\.old\d+, data\.r\d+ > data/);
  expect(plan).toContain("what db took after the point cannot be told for sure");
  expect(plan).toContain("connection refused; by its files it wrote to its log last at 20");
  const { run, report } = await recover();
  expect(await orders()).toBe(100);
  expect(report).toContain("by its files it wrote to its log last at 20");
  expect(report).toContain("how much log was written is not known, since it was not shut down");
  const undo = wordsOf(await refloat.succeed(["undo", run, "--yes"]));
  expect(undo).toContain("the old side of db: its server was not shut down (in production)");
  expect(await orders()).toBe(107);
});

it.each([
  ["empty", Buffer.alloc(0)],
  ["of other bytes", Buffer.alloc(8192, "damage")],
])("is recovered where the control file of the dead server is %s", { timeout: 300_000 }, async (_, bytes) => {
  await kill();
  await writeFile(join(data(), "global", "pg_control"), bytes);
  const damaged = `the control file of ${data()} is damaged`;
  expect(wordsOf(await refloat.succeed(["plan", "shop"]))).toContain(damaged);
  const { run, report } = await recover();
  expect(await orders()).toBe(100);
  expect(report).toContain("what was written its files do not tell: the control file of");
  expect(report).toContain("db cannot serve again: the control file of");
  expect(report).not.toContain("free of loss");
  expect(report).toContain(`next: refloat commit ${run}`);
  const undo = await refloat.run(["undo", run, "--yes"]);
  expect(undo.exit).not.toBe(0);
  expect(wordsOf(undo)).toContain(
    `run ${run} cannot be undone: ${data()}.old${run}, the old side of db, cannot serve: the control file of`,
  );
  expect(wordsOf(undo)).toContain("nothing changed; the new side serves");
  expect(await orders()).toBe(100);
});

it("is recovered where the server dies after the plan was shown", { timeout: 300_000 }, async () => {
  const planned = await refloat.succeed(["plan", "shop", "--json"]);
  const digest = /"digest":"(\w+)"/.exec(JSON.stringify(planned.lines.at(-1)))?.[1] ?? "";
  await kill();
  await refloat.succeed(["recover", "--plan", digest, "--yes"]);
  expect(await orders()).toBe(100);
});

it("is put back where the new side has died: what that took is told as lost, and the new side is kept", async () => {
  const before = await orders();
  const { run } = await recover();
  expect(await orders()).toBe(100);
  await query(server.url("shop"), "insert into orders select from generate_series(1, 3)");
  await kill();
  const refused = await refloat.run(["undo", run, "--yes"]);
  expect(refused.exit).toBe(3);
  expect(wordsOf(refused)).toMatch(/the new side of db does not answer \(.*connection refused.*\): start it/);
  expect(refused.stderr).toContain(`next: refloat undo ${run} --accept-loss`);
  const undone = wordsOf(await refloat.succeed(["undo", run, "--accept-loss", "--yes"]));
  expect(undone).toContain("no point of it is taken, and what it has taken since the cutover stays in");
  expect(undone).not.toContain("a point is taken first");
  expect(await orders()).toBe(before);
}, 300_000);

it(
  "is recovered where the data folder is gone, after which nothing can be put back",
  { timeout: 300_000 },
  async () => {
    await kill();
    await rm(data(), { recursive: true });
    expect(wordsOf(await refloat.succeed(["plan", "shop"]))).toContain("nothing of it can be saved or kept");
    const { run } = await recover();
    expect(await orders()).toBe(100);
    const undo = wordsOf(await refloat.succeed(["undo", run, "--yes"]));
    expect(undo).toContain("nothing stood behind db before run");
  },
);
