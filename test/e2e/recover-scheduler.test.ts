/** A database with jobs of pg_cron is recovered: the extension can be made in one database alone, and no job runs in the name of a copy. */
import { chmod } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { declareIn } from "./support/declare.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

let folder: TestFolder;
let server: PostgresServer;
let program: RefloatInside;

const shop = <Row = Record<string, unknown>>(text: string): Promise<Row[]> => query<Row>(server.url("shop"), text);

beforeAll(async () => {
  folder = await createTestFolder("refloat-scheduler");
  await chmod(folder.path, 0o755);
  server = await startPostgresServer({
    settings: { shared_preload_libraries: "pg_cron", "cron.database_name": "shop" },
  });
  await query(server.url("postgres"), "create database shop");
  await shop("create extension pg_cron; create extension citext");
  await shop("create table orders (id int primary key); insert into orders select generate_series(1, 10)");
  await shop("grant usage on schema cron to public");
  await shop("select cron.schedule('nightly', '0 3 * * *', 'delete from orders')");
  await declareIn(
    folder.path,
    `services: { shop: { components: { db: { type: postgres, url: "${server.url("shop")}" } } } }\n`,
  );
  program = refloatInside(folder.path);
  await program.succeed(["vault", "init"]);
});

afterAll(async () => {
  await program?.close();
  await server?.stop();
  await folder?.remove();
});

it("is recovered without them, which the point and the report say, and has them again by what they say", async () => {
  const captured = await program.succeed(["capture", "shop", "--json"]);
  expect(JSON.stringify(captured.lines.at(-1))).toContain("pg_cron does not come back by a recovery");
  await shop("delete from orders where id > 3");
  await program.succeed(["recover", "shop", "--yes"]);
  expect(await shop("select count(*)::int as n from orders")).toEqual([{ n: 10 }]);
  expect(await shop("select extname from pg_extension where extname in ('pg_cron', 'citext')")).toEqual([
    { extname: "citext" },
  ]);
  const report = (await program.succeed(["runs", "1"])).stdout.replaceAll(/\s+/g, " ");
  expect(report).toContain("create extension pg_cron there and schedule 1 job again");
  const points = await program.succeed(["points", "shop", "--json"]);
  const point = /"id":"([0-9a-f]{8})/.exec(JSON.stringify(points.lines.at(-1)))?.[1] ?? "";
  const { stdout } = await program.succeed(["extract", `${point}:db:cron.job`, "--csv", "--stdout"]);
  expect(stdout).toContain("0 3 * * *,delete from orders");
  await shop("create extension pg_cron; select cron.schedule('nightly', '0 3 * * *', 'delete from orders')");
  // The other side had its jobs all the time, and serves with them again.
  await program.succeed(["undo", "1", "--yes", "--accept-loss"]);
  expect(await shop("select jobname from cron.job")).toEqual([{ jobname: "nightly" }]);
  expect(await shop("select count(*)::int as n from orders")).toEqual([{ n: 3 }]);
});
