/** Capture of a nasty database into a folder, judged by the stock programs. */
import { execa } from "execa";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { factsSchema } from "../../model/facts.ts";
import type { Progress } from "../../model/run.ts";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { describeOnReleases } from "../../testing/describe-on-releases.ts";
import { fillNastyDatabase } from "../../testing/nasty-database.ts";
import { captureInto, postgresContext } from "../../testing/postgres-bench.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";

describeOnReleases("the capture of a nasty database", (binaries) => {
  let server: PostgresServer;
  let folder: TestFolder;

  beforeAll(async () => {
    server = await startPostgresServer({ binaries });
    await query(server.url("postgres"), "create database shop");
    await withClient(server.url("shop"), (client) => fillNastyDatabase(client, "shop", 2_000));
  });

  afterAll(() => server.stop());
  beforeEach(async () => {
    folder = await createTestFolder();
  });
  afterEach(() => folder.remove());

  test("the vault holds what pg_dump -Fd writes, byte for byte, and the facts say what it holds", async () => {
    const context = postgresContext(server, "shop", folder.path);
    const captured = await captureInto(context, join(folder.path, "vault"));
    const tree = join(folder.path, "vault", "db");
    const expected = join(folder.path, "expected");
    await execa(`${server.binaries}/pg_dump`, ["-Fd", "-Z0", "-f", expected, "-d", server.url("shop")]);
    const files = (await readdir(tree)).filter((name) => !name.endsWith(".sql"));
    expect(files.toSorted()).toEqual((await readdir(expected)).toSorted());
    for (const name of files.filter((file) => file !== "toc.dat")) {
      const [ours, theirs] = [await readFile(join(tree, name)), await readFile(join(expected, name))];
      expect({ name, same: ours.equals(theirs) }).toEqual({ name, same: true });
    }

    const { facts } = captured;
    expect(captured).toMatchObject({ path: "/db", consistency: "snapshot", warnings: [] });
    expect(captured.window.beginAt).toBe(captured.window.endAt);
    expect(facts.counts).toEqual({ tables: 17, rows: 3_530 });
    expect(facts.units).toMatchObject({
      products: { rows: 2_002, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      '"Odd Schema"."a.b"': { rows: 1, sizeBytes: 7 },
      empty_one: { rows: 0, sizeBytes: 5 },
      events_2024_a: { rows: 286 },
      "large objects": { rows: 3, sizeBytes: 1_600_000 + "small 0 blob".length },
    });
    expect(facts.versions).toEqual({
      server: expect.stringMatching(/^\d+\.\d+$/),
      pg_dump: expect.stringMatching(/^\d/),
    });
    expect(facts.position?.mark).toMatchObject({
      databaseOid: expect.stringMatching(/^\d+$/),
      sequences: { "public.far_ahead": "1234567890123", "app.countdown": "97" },
    });
    expect(factsSchema.parse(JSON.parse(JSON.stringify(facts)))).toEqual(facts);
    // It goes into every point: a database of a few dozen objects must not make it large.
    expect(JSON.stringify(facts).length).toBeLessThan(20_000);
  });

  test("progress counts tables and bytes, and ends at its total", async () => {
    const seen: Progress[] = [];
    const context = postgresContext(server, "shop", folder.path, { progress: (progress) => void seen.push(progress) });
    const { facts } = await captureInto(context, join(folder.path, "vault"));
    expect(seen.at(-1)).toMatchObject({ bytesDone: facts.sizeBytes, itemsDone: 17, itemsTotal: 17, unit: "tables" });
    expect(seen.every(({ bytesDone = 0, bytesTotal = 0 }) => bytesDone <= bytesTotal)).toBe(true);
  });
});
