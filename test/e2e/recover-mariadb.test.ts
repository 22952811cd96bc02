/** A service on a MariaDB database, by the command line: captured, damaged, recovered, undone; read by stock restic and the stock client as well. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shopScript } from "../../src/testing/mariadb-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

describe("a service on a MariaDB database", () => {
  let folder: string;
  let server: MariadbServer;
  let refloat: RefloatProgram;

  const orders = () => server.sql("SELECT id, COALESCE(total, '-') FROM orders ORDER BY id;", "shop");

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-mariadb-e2e-"));
    server = await startMariadbServer({ settings: { "log-bin": "binlog" } });
    await server.sql("CREATE DATABASE shop CHARACTER SET utf8mb4; ALTER USER root@localhost IDENTIFIED BY '';");
    await server.sql("CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT ALL ON *.* TO keeper@'127.0.0.1';");
    await server.sql(shopScript, "shop");
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

  it("is looked at and captured into what stock restic and the stock client read", { timeout: 300_000 }, async () => {
    const { stdout } = await refloat.succeed(["validate", "--live", "shop"]);
    expect(stdout).toContain("RENAME TABLE");
    expect(stdout).not.toContain("a word");
    await refloat.succeed(["capture", "shop"]);
    const restored = join(folder, "restored");
    const where = ["-r", join(folder, "vault"), "--password-file", join(folder, "password")];
    await execa("restic", [...where, "restore", "latest", "--tag", "component=db", "--target", restored], {
      env: { RESTIC_CACHE_DIR: join(folder, "restic-cache") },
    });
    await server.sql("CREATE DATABASE by_hand;");
    const script = 'cat head.sql tables/*.sql tail.sql code.sql | mariadb --no-defaults -uroot -S "$SOCKET" by_hand';
    await execa("bash", ["-ec", script], {
      cwd: join(restored, "db"),
      env: { SOCKET: join(server.directory, "s") },
    });
    expect(await server.sql("SELECT COUNT(*) FROM orders;", "by_hand")).toBe("3\n");
    expect(await server.sql("SELECT name, taxed FROM a_totals ORDER BY 1;", "by_hand")).toBe("ann\t2.10\nbob\tNULL\n");
    await server.sql("DROP DATABASE by_hand;");
  });

  it("is recovered beside the damage, and what only the live side had is exported", { timeout: 300_000 }, async () => {
    await server.sql("UPDATE orders SET total = -1; INSERT INTO orders (customer, total) VALUES (2, 8);", "shop");
    const { stdout: plan } = await refloat.succeed(["plan", "shop"]);
    expect(plan).toContain("shop_r1");
    const done = await refloat.succeed(["recover", "shop", "--yes"]);
    const said = done.stdout.replaceAll(/\s+/g, " ");
    expect(said).toContain("SHOP IS BACK");
    expect(said).toContain("11 rows, 4 tables as captured; 1 check");
    expect(said).toContain("Disarmed db: event:forget_old is off (enabled, EVERY 1 DAY");
    expect(await orders()).toBe("1\t10.50\n2\t-\n3\t0.00\n");
    expect(await readFile(join(folder, "state/runs/1/lost/orders.csv"), "utf8")).toBe(
      "id,customer,total,made\n4,2,8.00,\n",
    );
  });

  it("goes back by an undo without loss, and forth again for good", { timeout: 400_000 }, async () => {
    await refloat.succeed(["undo", "1", "--yes"]);
    expect(await orders()).toBe("1\t-1.00\n2\t-1.00\n3\t-1.00\n4\t8.00\n");
    await refloat.succeed(["commit", "2", "--yes"]);
    await refloat.succeed(["recover", "shop", "--yes"]);
    await server.sql("INSERT INTO orders (customer, total) VALUES (2, 9);", "shop");
    const refused = await refloat.run(["undo", "3", "--yes"]);
    expect(refused.exit, `${refused.stdout}\n${refused.stderr}`).toBe(3);
    expect(refused.stderr).toContain("undo.would-lose");
    await refloat.succeed(["commit", "3", "--yes"]);
    expect(await orders()).toBe("1\t10.50\n2\t-\n3\t0.00\n5\t9.00\n");
    expect(await server.sql("SHOW DATABASES LIKE 'shop%';")).toBe("shop\n");
  });
});
