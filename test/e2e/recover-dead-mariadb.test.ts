/** The live MariaDB server has died before the recovery begins: it is recovered all the same, and the report says what nobody can tell. */
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { endServer } from "../../src/drivers/mariadb/server/server-process.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { dataOf } from "../../src/testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { declareIn } from "./support/declare.ts";
import { type Ended, type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let server: MariadbServer;
let refloat: RefloatProgram;

const waiting = { clock: systemClock, signal: new AbortController().signal };
const wordsOf = ({ stdout, stderr }: Ended): string => `${stdout} ${stderr}`.replaceAll(/\s+/g, " ");
const orders = async (): Promise<number> => Number((await server.sql("SELECT COUNT(*) FROM shop.orders;")).trim());

const recover = async (): Promise<{ readonly run: string; readonly report: string }> => {
  const ended = await refloat.succeed(["recover", "shop", "--yes", "--json"]);
  const run = /"run":(\d+)/.exec(JSON.stringify(ended.lines.at(-1)))?.[1] ?? "";
  return { run, report: wordsOf(await refloat.succeed(["runs", run])) };
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-dead-mariadb-"));
  server = await startMariadbServer({
    settings: { "log-bin": "binlog", "sync-binlog": 1, "innodb-flush-log-at-trx-commit": 1 },
  });
  await server.sql(
    "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY); INSERT INTO shop.orders VALUES (1), (2);",
  );
  const port = await findFreePort(4);
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
        type: mariadb-server
        data: ${dataOf(server)}
        url: ${server.url("")}
        ports: ${port}-${port + 3}
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "shop"]);
}, 300_000);

afterAll(async () => {
  for (const name of await readdir(server.directory)) await endServer(waiting, join(server.directory, name), "SIGKILL");
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it("is recovered from a server that was killed, and put back by an undo", { timeout: 300_000 }, async () => {
  await server.sql("INSERT INTO shop.orders VALUES (3), (4), (5);");
  await endServer(waiting, dataOf(server), "SIGKILL");
  const plan = wordsOf(await refloat.succeed(["plan", "shop"]));
  expect(plan).toContain("what db took after the point cannot be told for sure");
  expect(plan).toContain("something was written, by the binary log");
  const { run, report } = await recover();
  expect(report).toContain("something was written, by the binary log; how many rows cannot be told");
  expect(await orders()).toBe(2);
  await refloat.succeed(["undo", run, "--yes"]);
  expect(await orders()).toBe(5);
});

it(
  "is offered to be started again first, where it was killed and its data are there",
  { timeout: 240_000 },
  async () => {
    await endServer(waiting, dataOf(server), "SIGKILL");
    const file = join(folder, "refloat.yaml");
    const before = await readFile(file, "utf8");
    const line = `sh ${join(folder, "start.sh")}`;
    await writeFile(file, before.replace(/( +)type: mariadb-server\n/, `$&$1start: ${line}\n`));
    const again = `its server does not run, and its data are there: start it again first (${line}); nothing that it had committed is lost`;
    expect(wordsOf(await refloat.succeed(["plan", "shop"]))).toContain(`db: ${again}`);
    const status = wordsOf(await refloat.succeed(["status"]));
    expect(status).toContain(again);
    expect(status).toContain(`next: ${line} or: refloat points shop`);
    const assessed = (await refloat.succeed(["assess", "shop", "--json"])).lines.at(-1);
    expect(assessed).toMatchObject({
      data: { cures: [{ kind: "start", command: line, component: "db", loses: [] }, { kind: "recover" }] },
    });
    const mend = await refloat.run(["mend", "shop", "--only", "db:shop/orders"]);
    expect(mend.exit).toBe(4);
    expect(wordsOf(mend)).toContain(`hint: ${again} next: ${line}`);
    await writeFile(file, before);
    await server.start();
    expect(wordsOf(await refloat.succeed(["plan", "shop"]))).not.toContain("does not run");
  },
);

it("is recovered where its files are damaged", { timeout: 300_000 }, async () => {
  await server.sql("INSERT INTO shop.orders VALUES (6);");
  await endServer(waiting, dataOf(server), "SIGKILL");
  for (const name of ["ibdata1", "ib_logfile0", "aria_log_control"]) await rm(join(dataOf(server), name));
  const { run } = await recover();
  expect(await orders()).toBe(2);
  const undo = await refloat.run(["undo", run, "--yes"]);
  expect(undo.exit).not.toBe(0);
  expect(wordsOf(undo)).toContain("the old side of db, cannot serve: its ibdata1 is not there");
  expect(await orders()).toBe(2);
});

it("is recovered where the data folder is gone", { timeout: 300_000 }, async () => {
  await endServer(waiting, dataOf(server), "SIGKILL");
  await rm(dataOf(server), { recursive: true });
  await recover();
  expect(await orders()).toBe(2);
});
