/** A MariaDB database whose binary log is received goes back to a second between two points, by the command line, while the receiver goes on. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { shopScript } from "../../src/testing/mariadb-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { laterOnMariadb, whileReceiving } from "./support/received-log.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let server: MariadbServer;
let refloat: RefloatProgram;

const orders = () => server.sql("SELECT id, COALESCE(total, '-') FROM orders ORDER BY id;", "shop");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-moment-"));
  server = await startMariadbServer({
    settings: { "log-bin": "binlog", "binlog-format": "ROW", "sync-binlog": 1, "log-bin-trust-function-creators": 1 },
  });
  await server.sql("CREATE DATABASE shop CHARACTER SET utf8mb4; ALTER USER root@localhost IDENTIFIED BY '';");
  await server.sql(shopScript, "shop");
  await server.sql("CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word';");
  await writeFile(join(folder, "db-password"), "a word\n", { mode: 0o600 });
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
        type: mariadb
        url: ${server.url("shop", "keeper")}
        password: \${file:${join(folder, "db-password")}}
        pitr: 7d
        checks:
          - sql: select count(*) = 0 from orders where total < 0
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
}, 300_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it(
  "goes back to just before the damage, with the documented rights, and by an undo forth again",
  { timeout: 400_000 },
  async () => {
    const before = await refloat.run(["validate", "--live", "shop"]);
    expect(before.stdout).toContain("REPLICATION SLAVE, BINLOG REPLAY");
    const grants = before.stdout.match(/GRANT [^;]*;/g) ?? [];
    await server.sql(grants.map((grant) => grant.replaceAll(/\s+/g, " ")).join("\n"));
    await server.sql("SET GLOBAL binlog_expire_logs_seconds = 864000;");
    const { stdout: validated } = await refloat.succeed(["validate", "--live", "shop"]);
    expect(validated).toContain("any second of 7d");
    await whileReceiving(
      refloat,
      async (receivedUntil) => {
        await refloat.succeed(["capture", "shop"]);
        await server.sql(
          "INSERT INTO orders (customer, total) VALUES (2, 8); UPDATE orders SET total = 11 WHERE id = 1;",
          "shop",
        );
        const wanted = await laterOnMariadb(server);
        const gtid = (await server.sql("UPDATE orders SET total = -1; SELECT @@last_gtid;", "shop")).trim();
        await server.sql("DROP VIEW a_totals;", "shop");
        await server.sql("DROP TABLE `log of it`;", "shop");
        await receivedUntil(await laterOnMariadb(server));
        const { stdout: plan } = await refloat.succeed(["plan", "shop", "--at", wanted]);
        const place = /binlog\.000001:\d+/.exec(plan)?.[0] ?? "no place";
        const told = await refloat.succeed(["timeline", "shop", "--changes"]);
        expect(told.stdout.replaceAll(/\s+/g, " ")).toMatch(
          /db: DROP TABLE `log of it`.{0,60}: --at 'before gtid \d+-\d+-\d+'/,
        );
        const named = await refloat.succeed(["plan", "shop", "--at", `before gtid ${gtid}`]);
        expect(named.stdout.replaceAll(/\s+/g, " ")).toContain(`MOMENT db to just before gtid ${gtid}, `);
        expect(named.stdout).toContain(`(${place})`);
        const done = await refloat.succeed(["recover", "shop", "--at", wanted, "--yes"]);
        expect(done.stdout.replaceAll(/\s+/g, " ")).toContain("SHOP IS BACK");
        expect(await orders()).toBe("1\t11.00\n2\t-\n3\t0.00\n4\t8.00\n");
        expect(await server.sql("SELECT COUNT(*) FROM `log of it`;", "shop")).toBe("3\n");
        // The switch itself stands in the log: nothing leads across it.
        await receivedUntil(await laterOnMariadb(server));
        const across = await refloat.run(["recover", "shop", "--yes"]);
        expect(`${across.stdout}${across.stderr}`.replaceAll(/\s+/g, " ")).toContain(
          "a recovery has put another database behind the name",
        );
        expect(await orders()).toBe("1\t11.00\n2\t-\n3\t0.00\n4\t8.00\n");
        await refloat.succeed(["undo", "1", "--yes"]);
        expect(await orders()).toBe("1\t-1.00\n2\t-1.00\n3\t-1.00\n4\t-1.00\n");
      },
      () => void server.sql("CREATE OR REPLACE DATABASE elsewhere;"),
    );
  },
);
