/** A service that was recovered to an older point first, and then to a newer one: what its old side has from the older point did not come after the newer one. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

let folder: TestFolder;
let postgres: PostgresServer;
let mariadb: MariadbServer;
let program: RefloatInside;

/** On both servers, as both understand it. */
const sql = async (text: string): Promise<void> => {
  await query(postgres.url("shop"), text);
  await mariadb.sql(text, "shop");
};

const take = async (): Promise<string> =>
  resultEnvelopeSchema("capture").parse((await program.succeed(["capture", "shop", "--json"])).lines.at(-1)).data.id;

beforeAll(async () => {
  folder = await createTestFolder("refloat-reconcile-twice");
  postgres = await startPostgresServer();
  mariadb = await startMariadbServer();
  await query(postgres.url("postgres"), "create database shop");
  await mariadb.sql(
    "CREATE DATABASE shop; CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT ALL ON *.* TO keeper@'127.0.0.1';",
  );
  for (const name of ["password", "db-password"]) await writeFile(join(folder.path, name), "a word", { mode: 0o600 });
  await writeFile(
    join(folder.path, "refloat.yaml"),
    `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: {
  pg: { type: postgres, url: "${postgres.url("shop")}" },
  my: { type: mariadb, url: "${mariadb.url("shop", "keeper")}", password: "\${file:${folder.path}/db-password}" } } } }
`,
  );
  program = refloatInside(folder.path);
  await program.succeed(["vault", "init"]);
  await sql("create table orders (id int primary key, what varchar(20));");
  await sql("insert into orders values (1, 'paid'), (2, 'cancelled'), (3, 'open');");
});

afterAll(async () => {
  await program?.close();
  await postgres?.stop();
  await mariadb?.stop();
  await folder?.remove();
});

it("gives back what was written to it since, and not what had been deleted before the newer point", async () => {
  const older = await take();
  await sql("delete from orders where id = 2; update orders set what = 'paid' where id = 3;");
  const newer = await take();
  await program.succeed(["recover", "shop", "--at", older, "--yes"]);
  await sql("insert into orders values (50, 'new');");
  await program.succeed(["recover", "shop", "--at", newer, "--yes"]);
  const { lines } = await program.succeed(["reconcile", "2", "--json", "--yes"]);
  const { batches, left } = resultEnvelopeSchema("reconcile").parse(lines.at(-1)).data;
  expect(left).toEqual([]);
  expect(
    batches.map(({ component, tables }) => [component, tables.map(({ name, puts }) => [name, puts.gone])]),
  ).toEqual([
    ["pg", [["orders", 1]]],
    ["my", [["orders", 1]]],
  ]);
  expect(await query(postgres.url("shop"), "select id, what from orders order by id")).toEqual([
    { id: 1, what: "paid" },
    { id: 3, what: "paid" },
    { id: 50, what: "new" },
  ]);
  expect(await mariadb.sql("SELECT id, what FROM orders ORDER BY id;", "shop")).toBe("1\tpaid\n3\tpaid\n50\tnew\n");
});
