/**
 * A service on a SQLite database, by the command line: its application has the database open all the time, so a recovery has to stop it,
 * and whoever else has it open is named. The vault is read by stock restic and sqlite3 as well.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { endListeners } from "../../src/testing/end-listeners.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findPortOwners } from "../../src/platform/port-owner.ts";
import { queryRows, runSql, startHolder } from "../../src/testing/sqlite-bench.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

const server = `
const { createServer } = require("node:http");
const { DatabaseSync } = require("node:sqlite");
const database = new DatabaseSync(process.env.DATABASE, { timeout: 10000 });
const count = () => database.prepare("select count(*) as orders from orders").get().orders;
count();
createServer((request, response) => {
  if (request.method === "POST") database.exec("insert into orders (item, price) values ('written by the application', 7)");
  response.end(String(count()));
}).listen(Number(process.env.PORT), "127.0.0.1", () => console.log("open"));
`;

describe("a service on a SQLite database", () => {
  let folder: string;
  let path: string;
  let ports: readonly number[];
  let refloat: RefloatProgram;

  const app = async (method: "GET" | "POST" = "GET"): Promise<number> => {
    const open = ports.find((port) => findPortOwners(port).open);
    if (open === undefined) throw new Error("the application does not listen");
    return Number(await (await fetch(`http://127.0.0.1:${open}/`, { method })).text());
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-sqlite-e2e-"));
    await chmod(folder, 0o755);
    const first = await findFreePort(2);
    ports = [first, first + 1];
    path = join(folder, "data", "orders.db");
    await mkdir(join(folder, "data"));
    await mkdir(join(folder, "app"));
    await writeFile(join(folder, "app", "server.js"), server);
    runSql(
      path,
      `pragma journal_mode = wal;
       create table orders (id integer primary key, item text not null, price int not null);
       insert into orders (item, price) values ('tea', 3), ('cake', 4), ('pie', 5);`,
    );
    await declareIn(
      folder,
      `services:
  shop:
    components:
      db:
        type: sqlite
        path: ${path}
        busyTimeout: 2s
        checks:
          - sql: select count(*) = 0 from orders where price <= 0
      app:
        type: process
        release: ${join(folder, "app")}
        start: ${process.execPath} server.js
        ports: ${ports.join("-")}
        environment:
          PORT: \${self.port}
          DATABASE: \${db.path}
        checks:
          - http: \${self.url}/
`,
    );
    refloat = refloatIn(folder);
    const child = spawn(process.execPath, ["server.js"], {
      cwd: join(folder, "app"),
      env: { ...process.env, PORT: String(ports[0]), DATABASE: path },
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    await once(child.stdout, "data");
    child.stdout.destroy();
    child.unref();
    await refloat.succeed(["vault", "init"]);
  }, 300_000);

  afterAll(async () => {
    for (const port of ports) endListeners(port);
    await rm(folder, { recursive: true, force: true });
  });

  it("is looked at before anything is done", { timeout: 300_000 }, async () => {
    const { stdout } = await refloat.succeed(["validate", "--live", "shop"]);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("1 table, 8.2 kB, journal mode wal");
    expect(stdout.replaceAll(/\s+/g, " ")).toContain("is open in");
    expect(stdout).toContain("is switched atomically");
  });

  it("is captured into what stock restic and sqlite3 read", { timeout: 300_000 }, async () => {
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
        "--tag",
        "component=db",
        "--target",
        restored,
      ],
      {
        env: { RESTIC_CACHE_DIR: join(folder, "restic-cache") },
      },
    );
    const { stdout } = await execa("sqlite3", [
      join(restored, path),
      "pragma integrity_check; select count(*) from orders; pragma journal_mode",
    ]);
    expect(stdout).toBe("ok\n3\nwal");
  });

  it("shows and gives back its tables", { timeout: 300_000 }, async () => {
    const { lines } = await refloat.succeed(["points", "shop", "--json"]);
    const { points } = (lines.at(-1) ?? {})["data"] as { points: { id: string }[] };
    const id = points[0]?.id ?? "";
    const { stdout: tables } = await refloat.succeed(["browse", `${id}:db`, "--list"]);
    expect(tables).toMatch(/orders\s+3/);
    const { stdout: rows } = await refloat.succeed(["extract", `${id}:db:orders`, "--stdout", "--csv"]);
    expect(rows).toBe("id,item,price\n1,tea,3\n2,cake,4\n3,pie,5");
    const extracted = join(folder, "extracted.db");
    await refloat.succeed(["extract", `${id}:db`, "--to", extracted]);
    expect(queryRows(extracted, "select count(*) as n from orders")).toEqual([{ n: 3 }]);
    const { stdout: same } = await refloat.succeed(["diff", id, "live", "--only", "db"]);
    expect(same).not.toContain("orders");
    runSql(path, "update orders set price = 0 where id = 2; delete from orders where id = 1");
    const { stdout: other } = await refloat.succeed(["diff", id, "live", "--only", "db"]);
    expect(other).toContain("orders");
  });

  it(
    "is not recovered while somebody unknown has the database open, and serves on as it was",
    { timeout: 300_000 },
    async () => {
      await app("POST");
      const holder = await startHolder(path, "select 1");
      try {
        const { stdout: plan } = await refloat.succeed(["plan", "shop", "--only", "db"]);
        expect(plan.replaceAll(/\s+/g, " ")).toMatch(
          new RegExp(`WARNING db is open in ${holder.pid} \\([^)]*\\), which this recovery does not stop`),
        );
        const failed = await refloat.run(["recover", "shop", "--only", "db", "--yes"]);
        expect(failed.exit, `${failed.stdout}\n${failed.stderr}`).toBe(5);
        expect(failed.stderr).toContain(`${path} is held open by ${holder.pid} (`);
        expect(failed.stderr).toContain(`kill ${holder.pid}`);
        expect(failed.stdout).toContain("refloat cancel 1");
      } finally {
        await holder.kill();
      }
      await refloat.succeed(["cancel", "1", "--yes"]);
      expect(await app()).toBe(3);
      expect((await readdir(join(folder, "data"))).filter((name) => !/^orders\.db(-wal|-shm)?$/.test(name))).toEqual(
        [],
      );
    },
  );

  it(
    "is recovered beside the damage, and the application that has it open is stopped and started",
    { timeout: 300_000 },
    async () => {
      const { stdout: plan } = await refloat.succeed(["plan", "shop", "--only", "db"]);
      expect(plan.replaceAll(/\s+/g, " ")).toContain("about 1 orders");
      expect(plan).not.toContain("is open in");
      const done = await refloat.succeed(["recover", "shop", "--only", "db", "--yes"]);
      const said = done.stdout.replaceAll(/\s+/g, " ");
      expect(said).toContain("SHOP IS BACK");
      expect(said).toContain("3 rows, 1 table as captured; 2 checks");
      expect(await app()).toBe(3);
      expect(queryRows(path, "select id, price from orders order by id")).toEqual([
        { id: 1, price: 3 },
        { id: 2, price: 4 },
        { id: 3, price: 5 },
      ]);
      const number = /run (\d+)/.exec(said)?.[1] ?? "";
      expect(await readFile(join(folder, `state/runs/${number}/lost/orders.csv`), "utf8")).toBe(
        "id,item,price\n4,written by the application,7\n",
      );
    },
  );

  it("goes back by an undo without loss, and forth again for good", { timeout: 400_000 }, async () => {
    await refloat.succeed(["undo", "2", "--yes"]);
    expect(queryRows(path, "select price from orders where id = 2")).toEqual([{ price: 0 }]);
    expect(await app()).toBe(3);
    await refloat.succeed(["commit", "3", "--yes"]);
    await refloat.succeed(["recover", "shop", "--only", "db", "--yes"]);
    await app("POST");
    const refused = await refloat.run(["undo", "4", "--yes"]);
    expect(refused.exit, `${refused.stdout}\n${refused.stderr}`).toBe(3);
    expect(refused.stderr).toContain("undo.would-lose");
    await refloat.succeed(["commit", "4", "--yes"]);
    expect(await app()).toBe(4);
    expect((await readdir(join(folder, "data"))).filter((name) => !/^orders\.db(-wal|-shm)?$/.test(name))).toEqual([]);
  });
});
