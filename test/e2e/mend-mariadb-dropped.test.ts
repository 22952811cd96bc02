/** Tables that were dropped from a real MariaDB database, made again out of a point: looked at, made, dropped again; and what a kill in the middle leaves. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { holdOnMariadb } from "../../src/testing/hold-mariadb.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";
import { refloatIn } from "./support/refloat-program.ts";

const oddName = "o`d'd \"$$; -- \\n";
const odd = "`o``d'd \"$$; -- \\n`";
const oddColumn = "`li\nDELIMITER ;;\n  CONSTRAINT ``x`` FOREIGN KEY (v), '\\`";

const schema = String.raw`
  CREATE TABLE customers (id INT PRIMARY KEY, email VARCHAR(60) NOT NULL UNIQUE);
  CREATE SEQUENCE numbers;
  CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT);
  CREATE TABLE orders (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY COMMENT 'not AUTO_INCREMENT, (no)', customer INT NOT NULL, of_order BIGINT UNSIGNED,
    note TEXT CHARACTER SET latin1, n BIGINT DEFAULT NEXT VALUE FOR numbers, price DECIMAL(10,2) NOT NULL DEFAULT 0, twice DECIMAL(12,2) AS (price * 2) STORED,
    hidden INT INVISIBLE DEFAULT 7, raw BLOB, at TIMESTAMP(3) NULL, changed TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, day DATE,
    mood ENUM('sad','it''s; $$'), f FLOAT, UNIQUE KEY (customer, id), FULLTEXT KEY words (note), KEY of_parent (of_order),
    CONSTRAINT positive CHECK (price >= 0 AND note <> 'FOREIGN KEY ('), FOREIGN KEY of_customer (customer) REFERENCES customers (id) ON UPDATE CASCADE,
    CONSTRAINT parent FOREIGN KEY (of_order) REFERENCES orders (id)) CHARACTER SET utf8mb4 COMMENT='it''s; (all) AUTO_INCREMENT=999';
  CREATE TABLE order_items (order_id BIGINT UNSIGNED, line INT, PRIMARY KEY (order_id, line),
    CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE);
  CREATE TABLE notes (order_id BIGINT UNSIGNED, CONSTRAINT of_note FOREIGN KEY (order_id) REFERENCES orders (id));
  CREATE TABLE ${odd} (${oddColumn} INT DEFAULT 3, v VARCHAR(30), a INT, KEY (v));
  CREATE TABLE loose (id INT, v INT) ENGINE=MyISAM;
  CREATE TABLE days (day DATE NOT NULL PRIMARY KEY) PARTITION BY RANGE (YEAR(day)) (PARTITION p0 VALUES LESS THAN (2026), PARTITION p1 VALUES LESS THAN MAXVALUE);
  CREATE TABLE kept (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;
  CREATE VIEW sums AS SELECT customer, COUNT(*) AS found, SUM(twice) AS total FROM orders GROUP BY customer;
  DELIMITER //
  CREATE TRIGGER noted AFTER UPDATE ON orders FOR EACH ROW BEGIN
    IF NEW.note <> 'a $$ b' THEN INSERT INTO audit (what) VALUES (CONCAT('ü ', "it's;;refloat;;", NEW.id)); END IF;
  END//
  SET sql_mode = 'ANSI_QUOTES', NAMES latin1//
  CREATE TRIGGER first BEFORE INSERT ON orders FOR EACH ROW SET NEW."hidden" = COALESCE(NEW."hidden", 0) + 1//
  CREATE TRIGGER second BEFORE INSERT ON orders FOR EACH ROW SET NEW.hidden = NEW.hidden * 2//
  SET sql_mode = DEFAULT, NAMES utf8mb4//
  CREATE TRIGGER ${"`tr``ig $$ 'x`"} BEFORE UPDATE ON ${odd} FOR EACH ROW SET NEW.v = '; $$ -- '//
  DELIMITER ;
  INSERT INTO customers SELECT seq, CONCAT('c', seq) FROM seq_1_to_50;
  SET @@session.sql_mode = 'ALLOW_INVALID_DATES';
  INSERT INTO orders (id, customer, of_order, note, price, raw, at, changed, day, mood, f)
    SELECT seq, 1 + seq % 50, NULLIF(seq, 1) - 1, CONCAT('note\t', seq, '\n\\N''quoted" é'), seq + 0.10, UNHEX('00FF27'), '2026-01-01 00:00:00.123',
           '2020-02-02 00:00:00', '2026-02-31', IF(seq = 3, 0, 2), 0.1 + seq FROM seq_1_to_3000;
  INSERT INTO order_items SELECT seq, 1 FROM seq_1_to_40;
  INSERT INTO notes VALUES (NULL), (5);
  INSERT INTO ${odd} VALUES (1, 'x\\y''$$', 1), (1, 'x\\y''$$', 1), (2, NULL, 2);
  INSERT INTO loose VALUES (1, 1), (1, 1); INSERT INTO days VALUES ('2025-01-01'), ('2026-05-05'); INSERT INTO kept VALUES (1, 1); UPDATE kept SET v = 2;
`;

const all = ["orders", "order_items", odd, "loose", "days", "kept"];

describe("tables of a MariaDB database that were dropped", () => {
  let folder: TestFolder;
  let server: MariadbServer;
  let program: RefloatInside;
  let count = 0;
  let database = "";
  let point = "";

  const sql = (text: string): Promise<string> => server.sql(text, database);
  const one = async (expression: string): Promise<string> => (await sql(`SELECT ${expression};`)).trimEnd();
  const mend = (...args: readonly string[]) => program.run(["mend", "shop", ...args]);
  const data = async (...args: readonly string[]) =>
    resultEnvelopeSchema("mend").parse((await program.succeed(["mend", "shop", ...args, "--json"])).lines.at(-1)).data;
  /** Definition, rows, triggers and rights, to the letter. */
  const shapeOf = async (tables: readonly string[]) => ({
    tables: await Promise.all(
      tables.map((table) => sql(`SHOW CREATE TABLE ${table}; CHECKSUM TABLE ${table} EXTENDED;`)),
    ),
    triggers: await sql(
      `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER, ACTION_STATEMENT, SQL_MODE, DEFINER, CHARACTER_SET_CLIENT,
              COLLATION_CONNECTION FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '${database}' ORDER BY 2, 1;`,
    ),
    rights: await sql("SHOW GRANTS FOR reader;"),
  });
  const ours = (): Promise<string> =>
    one(
      `GROUP_CONCAT(TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${database}' AND TABLE_NAME LIKE 'refloat\\_made%'`,
    );
  const drop = (tables: readonly string[]): Promise<string> =>
    sql(`SET foreign_key_checks = 0; DROP TABLE ${tables.join(", ")};`);
  const isThere = (table: string): Promise<string> =>
    one(`COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${database}' AND TABLE_NAME = '${table}'`);

  beforeAll(async () => {
    folder = await createTestFolder("refloat-mend-dropped");
    server = await startMariadbServer({ settings: { "log-bin": "binlog" } });
    await server.sql(
      "CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT ALL ON *.* TO keeper@'127.0.0.1'; CREATE USER reader;",
    );
    await writeFile(join(folder.path, "password"), "correct horse battery staple", { mode: 0o600 });
    await writeFile(join(folder.path, "db-password"), "a word\n", { mode: 0o600 });
  });

  beforeEach(async () => {
    count += 1;
    database = `shop${count}`;
    await server.sql(`CREATE DATABASE ${database} CHARACTER SET utf8mb4;`);
    await sql(schema);
    await sql("GRANT SELECT, UPDATE (note) ON orders TO reader;");
    const text = `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: { db: { type: mariadb, url: "${server.url(database, "keeper")}", password: "\${file:${folder.path}/db-password}" } } } }`;
    await writeFile(`${folder.path}/refloat.yaml`, text);
    program = refloatInside(folder.path);
    if (count === 1) await program.succeed(["vault", "init"]);
    const captured = await program.succeed(["capture", "shop", "--json"]);
    point = resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data.id;
    return () => program.close();
  });

  afterAll(async () => {
    await server.stop();
    await folder.remove();
  });

  it("come back with all that was their own and all that refers to them, and go again", async () => {
    const before = await shapeOf(["orders"]);
    await drop(["orders"]);
    const shown = await mend("--at", point, "--only", "db:orders", "--no-apply");
    expect(shown).toMatchObject({ exit: 0, stderr: expect.not.stringContaining("error ") });
    expect(shown.stdout).toContain("orders: dropped");
    expect(shown.stdout).toContain("made again with 3,000 rows");
    expect(shown.stdout).not.toContain("WARNING");
    expect(await isThere("orders")).toBe("0");
    expect(await ours()).toBe("NULL");
    const { digest, tables, script } = await data("--at", point, "--only", "db:orders", "--yes");
    expect(tables).toMatchObject([{ name: "orders", made: true, puts: { changed: 0, gone: 3000 } }]);
    expect(await shapeOf(["orders"])).toEqual(before);
    expect(await ours()).toBe("NULL");
    // Both directions of the foreign keys hold, the view answers, and numbers go on.
    await expect(sql("INSERT INTO orders (customer) VALUES (77);")).rejects.toThrow("of_customer");
    await expect(sql("INSERT INTO order_items VALUES (5000, 1);")).rejects.toThrow("of_order");
    await expect(sql("DELETE FROM customers WHERE id = 1;")).rejects.toThrow("of_customer");
    expect(await one("SUM(found) FROM sums")).toBe("3000");
    await sql(
      "START TRANSACTION; DELETE FROM orders WHERE id = 3000; UPDATE orders SET note = 'z' WHERE id = 1; ROLLBACK;",
    );
    const undo = await mend("--undo", digest, "--yes");
    expect(undo).toMatchObject({ exit: 0 });
    expect(await isThere("orders")).toBe("0");
    expect((await mend("--undo", digest, "--yes")).stderr).toContain("it was taken back already");
    const stock = await execa("mariadb", ["--no-defaults", "-uroot", `--socket=${server.directory}/s`, database], {
      inputFile: script ?? "",
      reject: false,
    });
    expect(stock).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await shapeOf(["orders"])).toEqual(before);
    expect((await program.succeed(["log"])).stdout).toMatch(/mend +shop +done/);
    // Somebody has written to it since: it stays.
    await sql("UPDATE orders SET note = 'mine' WHERE id = 7;");
    const refused = await mend("--undo", digest, "--yes");
    expect(refused.exit).not.toBe(0);
    expect(refused.stderr).toContain("orders was written since it was made again");
    expect(await one("COUNT(*) FROM orders WHERE note = 'mine'")).toBe("1");
  });

  it("come back together, whatever they are named, of any engine, keyed or not", async () => {
    const before = await shapeOf(all);
    await drop(all);
    const names = ["orders", "order_items", oddName, "loose", "days", "kept"].map((name) => `db:${name}`);
    const proposed = await data("--at", point, ...names.flatMap((name) => ["--only", name]), "--yes");
    expect(proposed.tables.map(({ name, made, puts }) => [name, made, puts.gone])).toEqual([
      ["orders", true, 3000],
      ["order_items", true, 40],
      [oddName, true, 3],
      ["loose", true, 2],
      ["days", true, 2],
      ["kept", true, 1],
    ]);
    expect(proposed.warnings).toEqual(["lost with kept and not put back: the history of its rows"]);
    const script = await readFile(proposed.script ?? "", "utf8");
    expect(script.split("\n").filter((line) => line.startsWith("EXECUTE IMMEDIATE @refloat_last"))).toHaveLength(1);
    const after = await shapeOf(all);
    // Rows of a table with a history begin anew.
    expect(after.tables.slice(0, -1)).toEqual(before.tables.slice(0, -1));
    expect({ ...after, tables: [] }).toEqual({ ...before, tables: [] });
    await expect(sql("DELETE FROM customers WHERE id = 1;")).rejects.toThrow("foreign key constraint fails");
    await expect(sql("UPDATE orders SET of_order = 9999 WHERE id = 2;")).rejects.toThrow("parent");
    await program.succeed(["mend", "shop", "--undo", proposed.digest, "--yes"]);
    expect(await isThere("days")).toBe("0");
    expect(await ours()).toBe("NULL");
  });

  it("do not give out numbers that others refer to, and name what is lost", async () => {
    await sql(
      "INSERT INTO orders (id, customer) VALUES (4711, 1); INSERT INTO order_items VALUES (4711, 1), (4711, 2); ALTER TABLE notes DROP FOREIGN KEY of_note;",
    );
    await drop(["orders"]);
    const { warnings, digest } = await data("--at", point, "--only", "db:orders", "--yes");
    expect(warnings).toEqual([
      "lost with orders and not put back: what 2 rows of order_items refer to (of_order) and the foreign key of_note of notes",
    ]);
    await sql("INSERT INTO orders (customer) VALUES (1);");
    expect(await one("MAX(id) FROM orders")).toBe("4712");
    await sql("DELETE FROM orders WHERE id = 4712;");
    await sql("ALTER TABLE notes ADD CONSTRAINT anew FOREIGN KEY (order_id) REFERENCES orders (id);");
    expect((await mend("--undo", digest, "--yes")).stderr).toContain("other tables refer to orders now");
    await sql("ALTER TABLE notes DROP FOREIGN KEY anew; DELETE FROM order_items WHERE order_id = 1;");
    expect((await mend("--undo", digest, "--yes")).stderr).toContain(
      "rows of order_items that refer to orders have come or gone",
    );
  });

  it("are refused with the reason where they cannot come back whole, and nothing is left then", async () => {
    const only = ["--at", point, "--only", "db:orders"];
    const words = async (...args: readonly string[]): Promise<string> => {
      const { exit, stderr } = await mend(...args);
      expect(exit).not.toBe(0);
      return stderr.replaceAll(/\s+/g, " ");
    };
    await drop(["orders"]);
    expect(await words(...only, "--where", "id = 1")).toContain("made again as a whole");
    await sql("CREATE VIEW orders AS SELECT 1 AS id;");
    expect(await words(...only)).toContain("orders was dropped, and a view has its name now");
    await sql("DROP VIEW orders; DROP TABLE audit;");
    expect((await data("--at", point, "--only", "db:audit", "--yes")).tables[0]?.puts).toEqual({ changed: 0, gone: 0 });
    expect(await one("COUNT(*) FROM audit")).toBe("0");
    expect(await words("--at", point, "--only", "db:orders,db:customers")).toContain(
      "customers is there, and orders was dropped: both cannot be had all or nothing",
    );
    await sql("DELETE FROM customers WHERE id IN (4, 5);");
    const told = await words(...only);
    expect(told).toContain("120 rows of orders refer to rows of customers that are gone");
    expect(told).toContain("--only db:customers --rows gone");
    await drop(["customers"]);
    expect(await words(...only)).toContain("have both made again: --only db:customers,db:orders");
    await data("--at", point, "--only", "db:customers", "--yes");
    const { digest } = await data(...only, "--no-apply");
    // Meanwhile a row that is referred to goes, a name is taken, another one is running it.
    await sql("DELETE FROM customers WHERE id = 4;");
    expect(await words("--proposal", digest)).toContain("60 rows of orders refer to rows of customers that are gone");
    expect(await ours()).toBe("NULL");
    await sql(
      "INSERT INTO customers VALUES (4, 'c4'); CREATE TRIGGER noted BEFORE DELETE ON customers FOR EACH ROW SET @x = 1;",
    );
    expect(await words("--proposal", digest)).toContain("rows.changed");
    expect(await ours()).toBe("NULL");
    await sql("DROP TRIGGER noted; SET foreign_key_checks = 0; CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY);");
    expect(await words("--proposal", digest)).toContain("orders is there again");
    await drop(["orders"]);
    expect(await isThere("orders")).toBe("0");
    await program.succeed(["mend", "shop", "--proposal", digest, "--yes"]);
    expect(await one("COUNT(*) FROM orders")).toBe("3000");
  });

  it("need no more rights than are documented, and say which are missing", async () => {
    const account = `mender${count}@'127.0.0.1'`;
    await server.sql(
      `CREATE USER ${account} IDENTIFIED BY 'a word'; GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER, CREATE TEMPORARY TABLES ON ${database}.* TO ${account};`,
    );
    const declared = await readFile(`${folder.path}/refloat.yaml`, "utf8");
    await writeFile(`${folder.path}/refloat.yaml`, declared.replace("//keeper@", `//mender${count}@`));
    await program.close();
    program = refloatInside(folder.path);
    const before = await shapeOf(["order_items", odd]);
    await drop(["order_items", odd]);
    const only = ["--at", point, "--only", "db:order_items"];
    expect((await mend(...only, "--yes")).stderr).toContain("GRANT CREATE, ALTER, DROP");
    await server.sql(`GRANT CREATE, ALTER, DROP, REFERENCES ON ${database}.* TO ${account};`);
    const { digest } = await data(...only, "--yes");
    expect((await mend("--at", point, "--only", `db:${oddName}`, "--yes")).stderr).toContain("SET USER");
    expect(await ours()).toBe("NULL");
    await server.sql(`GRANT SET USER, SUPER ON *.* TO ${account};`);
    await data("--at", point, "--only", `db:${oddName}`, "--yes");
    expect(await shapeOf(["order_items", odd])).toEqual(before);
    expect((await mend("--undo", digest, "--yes")).stderr).toContain("LOCK TABLES");
    await server.sql(`GRANT LOCK TABLES ON ${database}.* TO ${account};`);
    await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
    expect(await isThere("order_items")).toBe("0");
  });

  it(
    "are not there by half after a kill in the middle, and what it has left is gone with the next one",
    { timeout: 300_000 },
    async () => {
      await sql(
        "CREATE TABLE papers (id INT PRIMARY KEY, customer INT, body LONGTEXT, CONSTRAINT of_paper FOREIGN KEY (customer) REFERENCES customers (id));",
      );
      await sql("INSERT INTO papers SELECT seq, 1 + seq % 50, REPEAT(MD5(seq), 300) FROM seq_1_to_5000;");
      const captured = await program.succeed(["capture", "shop", "--json"]);
      const at = resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data.id;
      const before = await shapeOf(["papers"]);
      await drop(["papers"]);
      const { digest } = await data("--at", at, "--only", "db:papers", "--no-apply");
      const outside = refloatIn(folder.path);
      const sessions = () => one("COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'keeper'");

      const filling = outside.spawn(["mend", "shop", "--proposal", digest]);
      await expect.poll(ours, { timeout: 60_000, interval: 5 }).not.toBe("NULL");
      filling.kill("SIGKILL");
      await filling;
      await expect.poll(sessions, { timeout: 60_000 }).toBe("0");
      expect(await isThere("papers")).toBe("0");
      expect(await ours()).toMatch(/^refloat_made_[0-9a-f]{16}$/);
      // It is in the way of nobody, and whoever compares next removes it.
      await sql("UPDATE customers SET id = 999 WHERE id = 50; UPDATE customers SET id = 50 WHERE id = 999;");
      await data("--at", at, "--only", "db:papers", "--no-apply");
      expect(await ours()).toBe("NULL");

      // Killed once the last statement was sent: the server does all of it.
      const release = await holdOnMariadb(server, "LOCK TABLES customers WRITE;", database);
      const waiting = outside.spawn(["mend", "shop", "--proposal", digest]);
      await expect
        .poll(
          () =>
            one(
              "COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'keeper' AND STATE = 'Waiting for table metadata lock'",
            ),
          { timeout: 60_000, interval: 50 },
        )
        .toBe("1");
      waiting.kill("SIGKILL");
      await waiting;
      await release();
      await expect.poll(sessions, { timeout: 60_000 }).toBe("0");
      expect(await ours()).toBe("NULL");
      expect(await shapeOf(["papers"])).toEqual(before);
      expect((await mend("--proposal", digest)).stderr).toContain("papers is there again");
      expect(await shapeOf(["papers"])).toEqual(before);
    },
  );
});
