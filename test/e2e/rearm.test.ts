/**
 * A service on a cluster and a MariaDB database is recovered, and does not act; then it is armed again by what was shown. Its received log goes on under a
 * new name each time, also on a machine that has nothing left of the former ones.
 */
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { declareIn } from "./support/declare.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let server: PostgresServer;
let mariadb: MariadbServer;
let refloat: RefloatProgram;

const archive = (place: string): string => join(folder, place);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-rearm-"));
  await chmod(folder, 0o755);
  for (const place of ["old", "new"]) {
    await mkdir(archive(place));
    await chmod(archive(place), 0o777);
  }
  server = await startPostgresServer({
    settings: {
      archive_mode: "on",
      archive_command: `cp %p ${archive("old")}/%f`,
      max_slot_wal_keep_size: "10GB",
    },
  });
  await query(server.url("postgres"), "create table orders as select n from generate_series(1, 100) n");
  mariadb = await startMariadbServer({
    settings: { "event-scheduler": "ON", "log-bin": "binlog", "binlog-format": "ROW" },
  });
  await mariadb.sql("CREATE DATABASE catalog;");
  await mariadb.sql(
    "CREATE TABLE items (id INT PRIMARY KEY); INSERT INTO items VALUES (1); CREATE EVENT cleanup ON SCHEDULE EVERY 1 DAY DO DELETE FROM items;",
    "catalog",
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
        url: ${server.url("postgres")}
        ports: ${port}-${port + 3}
        programs: ${server.binaries}
      catalog:
        type: mariadb
        url: ${mariadb.url("catalog")}
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
}, 300_000);

afterAll(async () => {
  await server.stop();
  await mariadb.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Receives, as a service of the system would. @param act done meanwhile; what follows it is in the vault as well @returns gaps that it has told */
const receiveWhile = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
  const gaps: string[] = [];
  const receiving = refloat.spawn(["capture", "shop", "--continuous", "--json", "--every", "500ms"]);
  try {
    const events = createInterface({ input: receiving.stdout })[Symbol.asyncIterator]();
    const untilDurable = async (): Promise<void> => {
      for (;;) {
        const { done, value } = await events.next();
        if (done === true) throw new Error("the receiver has ended");
        const { data } = JSON.parse(value) as { data: { readonly type: string; readonly component?: string } };
        if (data.type === "gap") gaps.push(value);
        if (data.type === "durable" && data.component === "cluster") return;
      }
    };
    await untilDurable();
    await act();
    for (let pieces = 0; pieces < 3; pieces += 1) {
      await query(server.url("postgres"), "insert into orders values (0)");
      await untilDurable();
    }
    receiving.kill("SIGTERM");
    await receiving;
  } finally {
    receiving.kill("SIGKILL");
  }
  return gaps;
};

const timeline = async (): Promise<number> => {
  const [row] = await query<{ id: number }>(
    server.url("postgres"),
    "select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as id",
  );
  return row?.id ?? -1;
};

const words = (text: string): string => text.replaceAll(/\s+/g, " ");

it("is recovered without acting, which the report and status tell", { timeout: 400_000 }, async () => {
  await receiveWhile(() => refloat.succeed(["capture", "shop"]));
  await query(server.url("postgres"), "delete from orders");
  const done = await refloat.succeed(["recover", "shop", "--yes"]);
  const said = words(done.stdout);
  expect(said).toContain(
    `cluster: archive is off (archive_mode = 'on', archive_command = 'cp %p ${archive("old")}/%f')`,
  );
  expect(said).toContain("catalog: event:cleanup is off (enabled, EVERY 1 DAY");
  expect(said).toContain("refloat rearm 1 lets it act again");
  const status = words((await refloat.succeed(["status"])).stdout);
  expect(status).toContain("off since a recovery: cluster: archive");
  expect(status).toContain("off since a recovery: catalog: event:cleanup");
  expect(await timeline()).toBe(2);
});

it("is not armed while it can be undone, nor into the old place", { timeout: 400_000 }, async () => {
  const refused = await refloat.run(["rearm", "shop", "--yes"]);
  expect(refused.exit).toBe(3);
  expect(words(refused.stderr)).toContain("arming.refused: run 1 can still be undone");
  expect(refused.stderr).toContain("refloat commit 1");
  await refloat.succeed(["commit", "1", "--yes"]);
  expect((await refloat.succeed(["status"])).stdout).toContain("next: refloat rearm shop");
  expect((await refloat.succeed(["runs", "1"])).stdout).toContain("  or: refloat rearm 1");
  const same = await refloat.run(["rearm", "shop", "--archive-command", `cp %p ${archive("old")}/%f`, "--yes"]);
  expect(same.exit).toBe(3);
  expect(words(same.stderr)).toContain("the log of two histories into one place");
});

it("is armed by what was shown, item by item, and the audit log has it", { timeout: 400_000 }, async () => {
  const wanted = ["rearm", "1", "--archive-command", `cp %p ${archive("new")}/%f`];
  const shown = await refloat.run(wanted);
  expect(shown.exit).not.toBe(0);
  const plan = words(`${shown.stdout}${shown.stderr}`);
  expect(plan).toContain(`ARMS archive: archives by cp %p ${archive("new")}/%f`);
  expect(plan).toContain("ARMS event:cleanup: runs again");
  expect(plan).toContain("is stopped and started: its sessions end");
  const digest = /--plan ([0-9a-f]+)/.exec(plan)?.[1] ?? "";
  const other = await refloat.run([...wanted, "--only", "catalog", "--plan", digest]);
  expect(other.exit).toBe(2);
  await mariadb.sql("CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;", "catalog");
  const done = await refloat.succeed([...wanted, "--plan", digest]);
  expect(words(done.stdout)).toContain("cluster: armed: archive the first file is archived: 00000002.history");
  expect(await readdir(archive("new"))).toContain("00000002.history");
  expect(await mariadb.sql("SELECT EVENT_NAME FROM information_schema.EVENTS WHERE STATUS = 'ENABLED';")).toBe(
    "cleanup\n",
  );
  const log = words((await refloat.succeed(["log"])).stdout);
  expect(log).toMatch(/rearm/);
  const again = await refloat.run(["rearm", "shop", "--yes"]);
  expect(again.exit).toBe(2);
  expect(again.stderr).toContain("nothing is off in shop");
  expect((await refloat.succeed(["status"])).stdout).not.toContain("off since a recovery");
  expect((await refloat.succeed(["runs", "1"])).stdout).not.toContain("rearm");
});

it("goes on under a new name in the vault, and on a bare machine under yet another", { timeout: 400_000 }, async () => {
  const write = () => query(server.url("postgres"), "insert into orders values (0)");
  expect(await receiveWhile(write)).toEqual([]);
  const old = await readdir(archive("old"));
  const data = join(server.directory, "data");
  await server.crash();
  await rm(data, { recursive: true });
  const done = await refloat.succeed(["recover", "shop", "--only", "cluster", "--yes"]);
  expect(words(done.stdout)).toContain("SHOP IS BACK");
  // The point and what is on this machine know timeline 1 alone; the vault has a log of 2.
  expect(await timeline()).toBe(3);
  expect(await receiveWhile(write)).toEqual([]);
  const { lines } = await refloat.succeed(["timeline", "shop", "--json"]);
  const names = new Set(
    JSON.stringify(lines.at(-1))
      .match(/\d{10,}\/\d+/g)
      ?.map((line) => line.split("/")[1]),
  );
  expect(names).toEqual(new Set(["1", "2", "3"]));
  expect(await readdir(archive("old"))).toEqual(old);
});
