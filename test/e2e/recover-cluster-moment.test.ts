/** A cluster whose log is received goes back to a second between two points, by the command line, while the receiver goes on. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareCluster, laterOnPostgres, whileReceiving } from "./support/received-log.ts";

let folder: string;
let server: PostgresServer;
let refloat: RefloatProgram;

const orders = async (): Promise<number> => {
  const [row] = await query<{ n: number }>(server.url("postgres"), "select count(*)::int as n from orders");
  return row?.n ?? -1;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-moment-"));
  await chmod(folder, 0o755);
  server = await startPostgresServer({ settings: { max_slot_wal_keep_size: "10GB" } });
  await query(server.url("postgres"), "create table orders as select n from generate_series(1, 100) n");
  await declareCluster(folder, server, ["checks:", "  - sql: select count(*) > 0 from orders"]);
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
}, 300_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it("goes back to just before the damage, by its point and its log", { timeout: 400_000 }, async () => {
  await whileReceiving(refloat, async (receivedUntil) => {
    await refloat.succeed(["capture", "shop"]);
    await query(server.url("postgres"), "insert into orders select n from generate_series(101, 140) n");
    const wanted = await laterOnPostgres(server);
    await query(server.url("postgres"), "delete from orders where n > 5");
    await query(server.url("postgres"), "create database later");
    await receivedUntil(await laterOnPostgres(server));
    const { stdout: plan } = await refloat.succeed(["plan", "shop", "--at", wanted]);
    expect(plan).not.toContain("100 rows");
    const done = await refloat.succeed(["recover", "shop", "--at", wanted, "--yes"]);
    expect(done.stdout).toContain("SHOP IS BACK");
    expect(await orders()).toBe(140);
    expect(await query(server.url("postgres"), "select from pg_database where datname = 'later'")).toEqual([]);
    await refloat.succeed(["undo", "1", "--yes"]);
    expect(await orders()).toBe(5);
  });
});
