/** docs/restore-without-refloat.md, run as it stands there, on a point of a nasty database, with the stock programs only. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { fillNastyDatabase } from "../../src/testing/nasty-database.ts";
import { readContent } from "../../src/testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query, withClient } from "../../src/testing/query.ts";
import { refloatIn } from "../e2e/support/refloat-program.ts";
import { requireRestic } from "./support/restic.ts";

requireRestic();

const documentPath = new URL("../../docs/restore-without-refloat.md", import.meta.url);

let folder: TestFolder;
let source: PostgresServer;
let elsewhere: PostgresServer;

beforeAll(async () => {
  folder = await createTestFolder("refloat-without");
  source = await startPostgresServer();
  elsewhere = await startPostgresServer();
  await query(source.url("postgres"), "create database shop");
  await withClient(source.url("shop"), (client) => fillNastyDatabase(client, "shop", 5_000));
  await mkdir(join(folder.path, "secrets"));
  await writeFile(join(folder.path, "secrets/password"), "correct horse\n");
  await writeFile(
    join(folder.path, "refloat.yaml"),
    `vault:
  url: ${folder.path}/vault
  password: \${file:${folder.path}/secrets/password}
services:
  shop:
    components:
      db:
        type: postgres
        url: ${source.url("shop")}
`,
  );
  const refloat = refloatIn(folder.path);
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "shop"]);
});

afterAll(async () => {
  await source.stop();
  await elsewhere.stop();
  await folder.remove();
});

/** The shell blocks of the document, in order; the first one sets the variables, which are ours here. */
const readBlocks = async (): Promise<readonly string[]> => {
  const text = await readFile(documentPath, "utf8");
  const [variables, ...blocks] = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
  expect(variables).toMatch(/^export RESTIC_REPOSITORY=/);
  expect(blocks.length).toBeGreaterThanOrEqual(5);
  return blocks;
};

it("gives the same database on another server", async () => {
  const script = `set -eu\n${(await readBlocks()).join("\n")}`;
  await execa("sh", ["-c", script], {
    env: {
      PATH: `${elsewhere.binaries}:${process.env["PATH"] ?? ""}`,
      RESTIC_REPOSITORY: join(folder.path, "vault"),
      RESTIC_PASSWORD_FILE: join(folder.path, "secrets/password"),
      RESTIC_CACHE_DIR: join(folder.path, "cache"),
      SERVICE: "shop",
      COMPONENT: "db",
      PGHOST: elsewhere.host,
      PGPORT: String(elsewhere.port),
      PGUSER: elsewhere.superuser,
      DIRECTORY: join(folder.path, "point"),
      DATABASE: "shop_restored",
    },
  });
  const [ours, theirs] = [await readContent(source, "shop"), await readContent(elsewhere, "shop_restored")];
  expect(theirs.rows).toEqual(ours.rows);

  const point = JSON.parse(await readFile(join(folder.path, "point.json"), "utf8")) as {
    components: { db: { facts: { units: Record<string, { rows: number }> } } };
  };
  expect(point.components.db.facts.units["products"]?.rows).toBe(5_002);
  const secrets = await query(elsewhere.url("postgres"), "select 1 from pg_authid where rolpassword is not null");
  expect(secrets).toEqual([]);

  // The server words some definitions anew when it reads them again: the same is true of a copy that never left it.
  await query(source.url("postgres"), "create database copy template template0");
  const dump = execa(`${source.binaries}/pg_dump`, ["-Fc", "-d", source.url("shop")], { buffer: { stdout: false } });
  await dump.pipe(`${source.binaries}/pg_restore`, ["-d", source.url("copy")]);
  expect(theirs.schema).toEqual((await readContent(source, "copy")).schema);
});

it("gives it under its old name, with settings and grants, by one command", async () => {
  await query(elsewhere.url("postgres"), "drop database if exists shop_restored");
  const tree = join(folder.path, "point/db");
  await execa(`${elsewhere.binaries}/pg_restore`, [
    "--create",
    "--exit-on-error",
    "--jobs=4",
    "--dbname",
    elsewhere.url("postgres"),
    tree,
  ]);
  const state = `
    select (select array_agg(a::text order by a::text) from unnest(datacl) a) as grants,
           shobj_description(oid, 'pg_database') as comment from pg_database where datname = 'shop'`;
  expect(await query(elsewhere.url("postgres"), state)).toEqual(await query(source.url("postgres"), state));
});
