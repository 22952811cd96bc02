/**
 * A service on a whole PostgreSQL cluster, by the command line: captured while it serves, read back by stock restic and pg_verifybackup,
 * recovered beside the damage, put in place, undone, committed.
 */
import { chmod, mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { findFreePort } from "../../src/testing/free-port.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

describe("a service on a whole cluster", () => {
  let folder: string;
  let server: PostgresServer;
  let refloat: RefloatProgram;

  const orders = async (): Promise<number> => {
    const [row] = await query<{ n: number }>(server.url("shop"), "select count(*)::int as n from orders");
    return row?.n ?? -1;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-cluster-e2e-"));
    await chmod(folder, 0o755);
    server = await startPostgresServer({
      // An archive that is broken must not hold a capture up.
      settings: { archive_mode: "on", archive_command: "false" },
    });
    await query(server.url("postgres"), "create database shop");
    await query(
      server.url("shop"),
      "create table orders (id serial primary key); insert into orders select from generate_series(1, 100)",
    );
    // No more than the documented rights, by which a server sends its files itself, with a manifest that its own program verifies.
    await query(
      server.url("shop"),
      "create role keeper login replication; grant pg_read_all_settings, pg_read_all_stats to keeper; grant select on orders to keeper",
    );
    const port = await findFreePort(4);
    await declareIn(
      folder,
      `services:
  shop:
    components:
      cluster:
        type: postgres-cluster
        data: ${join(server.directory, "data")}
        url: ${server.url("shop", "keeper")}
        ports: ${port}-${port + 3}
        programs: ${server.binaries}
        checks:
          - sql: select count(*) > 0 from orders
`,
    );
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
  }, 300_000);

  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("is looked at before anything is done", { timeout: 300_000 }, async () => {
    const { stdout } = await refloat.succeed(["validate", "--live", "shop"]);
    const said = stdout.replaceAll(/\s+/g, " ");
    expect(said).toContain("is the data folder of the server that answers");
    expect(said).toContain("BASE_BACKUP");
  });

  it("is captured into what stock restic and pg_verifybackup read", { timeout: 300_000 }, async () => {
    await refloat.succeed(["capture", "shop"]);
    const restored = join(folder, "restored");
    await execa(
      "restic",
      [
        "-r",
        join(folder, "vault"),
        "--password-file",
        join(folder, "password"),
        "restore",
        "latest",
        "--target",
        restored,
      ].concat(["--tag", "component=cluster"]),
      { env: { RESTIC_CACHE_DIR: join(folder, "restic-cache") } },
    );
    const place = join(restored, "cluster");
    const layout = JSON.parse(await readFile(join(place, "layout.json"), "utf8")) as { folders: { data: string[] } };
    for (const name of layout.folders.data) await mkdir(join(place, "data", name), { recursive: true });
    const { stdout } = await execa(join(server.binaries, "pg_verifybackup"), [
      "-m",
      join(place, "backup_manifest"),
      join(place, "data"),
    ]);
    expect(stdout).toContain("backup successfully verified");
    await rm(restored, { recursive: true });
  });

  it("takes next to nothing for a second full capture", { timeout: 300_000 }, async () => {
    await query(server.url("shop"), "insert into orders default values");
    const { lines } = await refloat.succeed(["capture", "shop", "--json"]);
    const point = JSON.stringify((lines.at(-1) ?? {})["data"]);
    const [, added] = /"newBytes":(\d+)/.exec(point) ?? [];
    expect(Number(added)).toBeLessThan(4_000_000);
  });

  it("is recovered beside the damage and put in its place, disarmed", { timeout: 400_000 }, async () => {
    await query(server.url("shop"), "delete from orders where id > 10");
    const { stdout: plan } = await refloat.succeed(["plan", "shop"]);
    expect(plan.replaceAll(/\s+/g, " ")).toMatch(/about \d+ rows written in shop/);
    const done = await refloat.succeed(["recover", "shop", "--yes"]);
    const said = done.stdout.replaceAll(/\s+/g, " ");
    expect(said).toContain("SHOP IS BACK");
    expect(await orders()).toBe(101);
    const [settings] = await query(server.url("shop"), "select current_setting('archive_mode') as archive");
    expect(settings).toEqual({ archive: "off" });
  });

  it("goes back by an undo without loss, and forth again for good", { timeout: 600_000 }, async () => {
    await refloat.succeed(["undo", "1", "--yes"]);
    expect(await orders()).toBe(10);
    await refloat.succeed(["commit", "2", "--yes"]);
    await refloat.succeed(["recover", "shop", "--yes"]);
    await query(server.url("shop"), "insert into orders default values");
    const refused = await refloat.run(["undo", "3", "--yes"]);
    expect(refused.exit, `${refused.stdout}\n${refused.stderr}`).toBe(3);
    expect(refused.stderr).toContain("undo.would-lose");
    await refloat.succeed(["commit", "3", "--yes"]);
    expect(await orders()).toBe(102);
    const left = (await readdir(server.directory)).filter((name) => /data\.(?!refloat-start)/.test(name));
    expect(left).toEqual([]);
  });

  it(
    "stays beside when it is not to be put in place, for pg_dump, and is cancelled",
    { timeout: 400_000 },
    async () => {
      const done = await refloat.succeed(["recover", "shop", "--no-cutover", "--yes"]);
      const port = /on port (\d+)/.exec(done.stderr.replaceAll(/\s+/g, " "))?.[1];
      const beside = `postgres://postgres@127.0.0.1:${port}/shop`;
      expect(await query(beside, "select count(*)::int as n from orders")).toEqual([{ n: 101 }]);
      await refloat.succeed(["cancel", "4", "--yes"]);
      await expect(query(beside, "select")).rejects.toThrow("ECONNREFUSED");
      expect(await orders()).toBe(102);
    },
  );
});
