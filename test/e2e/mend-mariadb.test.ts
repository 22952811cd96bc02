/** Single rows back from a point into a real MariaDB database that goes on being written to: looked at, put back, taken back. */
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

const schema = String.raw`
  CREATE TABLE customers (id INT PRIMARY KEY, email VARCHAR(60) NOT NULL UNIQUE) CHARACTER SET latin1;
  CREATE TABLE orders (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL, note TEXT,
    FOREIGN KEY of_customer (customer) REFERENCES customers (id)) CHARACTER SET utf8mb4;
  CREATE TABLE order_items (order_id BIGINT UNSIGNED, line INT, sku VARCHAR(20), PRIMARY KEY (order_id, line),
    CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders (id));
  CREATE TABLE products (
    sku VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, price DECIMAL(10,2) NOT NULL, f FLOAT, d DOUBLE, big BIGINT UNSIGNED, raw BLOB, fixed BINARY(3),
    bits BIT(5), doc JSON, spot POINT, at TIMESTAMP(3) NULL DEFAULT NULL, changed TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    day DATE, took TIME(2), year YEAR, mood ENUM('sad','it''s fine','gl,ad'), tags SET('a','b'), u UUID, ip INET6, padded CHAR(6), word TEXT CHARACTER SET latin1,
    twice DECIMAL(12,2) AS (price * 2) STORED, hidden INT INVISIBLE DEFAULT 7, FULLTEXT KEY (word)) CHARACTER SET utf8mb4;
  CREATE TABLE parts (id INT AUTO_INCREMENT PRIMARY KEY, of_part INT, name VARCHAR(9), FOREIGN KEY (of_part) REFERENCES parts (id) ON DELETE CASCADE);
  CREATE TABLE ${"`odd ``name``.b`"} (${"`a, b`"} INT, ${"`select`"} TEXT, PRIMARY KEY (${"`a, b`"}));
  CREATE TABLE keyless (a INT);
  CREATE TABLE loose (id INT PRIMARY KEY, v INT) ENGINE=MyISAM;
  CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT);
  CREATE SEQUENCE numbers;
  CREATE TABLE tickets (n BIGINT DEFAULT NEXT VALUE FOR numbers PRIMARY KEY, v INT);
  CREATE TRIGGER noted AFTER UPDATE ON products FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('update ', NEW.sku));
  INSERT INTO customers SELECT seq, CONCAT('c', seq, '@example.org') FROM seq_1_to_50;
  INSERT INTO orders (customer, note) SELECT 1 + seq % 50, CONCAT('note\t', seq, '\n\\N''quoted" ü') FROM seq_1_to_200;
  INSERT INTO order_items SELECT o.id, l.seq, CONCAT('sku', l.seq) FROM orders o JOIN seq_1_to_3 l;
  INSERT INTO products (sku, price, f, d, big, raw, fixed, bits, doc, spot, at, changed, day, took, year, mood, tags, u, ip, padded, word)
    SELECT CONCAT('sku', seq), seq + 0.10, 0.1 + seq, 0.1 * seq, 18446744073709551615 - seq, UNHEX('00FF27'), 'a', b'101', '{"a" :  1}', POINT(seq, 0.1),
           '2026-01-01 00:00:00.123', '2020-02-02 00:00:00', '2026-02-03', '-12:00:00.5', 2026, 'it''s fine', 'a,b', '123e4567-e89b-12d3-a456-426655440000',
           '2001:db8::1', 'ab', 'caf\u00e9' FROM seq_1_to_1200;
  UPDATE products SET word = CONVERT(UNHEX('636166C3A9') USING utf8mb4), changed = changed;
  INSERT INTO parts VALUES (1, NULL, 'car'), (7, 1, 'door'), (3, 7, 'lock'), (9, 3, 'key');
  INSERT INTO ${"`odd ``name``.b`"} VALUES (1, 'x\\y'), (2, NULL);
  INSERT INTO keyless VALUES (1); INSERT INTO loose VALUES (1, 1);
  INSERT INTO tickets (v) VALUES (1), (2), (3);
  TRUNCATE audit;
`;

describe("mend of a MariaDB database", () => {
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
  const digestOf = (table: string): Promise<string> => sql(`CHECKSUM TABLE ${table} EXTENDED;`);

  beforeAll(async () => {
    folder = await createTestFolder("refloat-mend-mariadb");
    server = await startMariadbServer({ settings: { "log-bin": "binlog" } });
    await server.sql("CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT ALL ON *.* TO keeper@'127.0.0.1';");
    await writeFile(join(folder.path, "password"), "correct horse battery staple", { mode: 0o600 });
    await writeFile(join(folder.path, "db-password"), "a word\n", { mode: 0o600 });
  });

  beforeEach(async () => {
    count += 1;
    database = `shop${count}`;
    await server.sql(`CREATE DATABASE ${database} CHARACTER SET utf8mb4;`);
    await sql(schema);
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

  it("puts one column of the damaged rows back, leaves alone what came since, and takes it back again", async () => {
    const before = await one("MD5(GROUP_CONCAT(sku, price, changed ORDER BY sku)) FROM products WHERE sku <> 'new'");
    await sql(
      "UPDATE products SET price = 0, changed = changed WHERE sku < 'sku7'; INSERT INTO products (sku, price) VALUES ('new', 5);",
    );
    await sql("UPDATE products SET mood = 'sad', changed = changed WHERE sku = 'sku1'; TRUNCATE audit;");
    const damaged = await digestOf("products");
    const shown = await mend("--at", point, "--only", "db:products", "--columns", "price", "--no-apply");
    expect(shown).toMatchObject({ exit: 0, stderr: expect.not.stringContaining("error ") });
    expect(shown.stdout).toMatch(/products: [\d,]+ differ, 1 newer, left alone, [\d,]+ equal/);
    expect(shown.stdout).toMatch(/\* sku sku1: price 0\.00 > 1\.10/);
    expect(shown.stdout).toContain("(0.00 in all of them)");
    expect(shown.stdout).toContain("noted on products, after update");
    expect(await digestOf("products")).toBe(damaged);
    const { digest, applied, tables } = await data(
      "--at",
      point,
      "--only",
      "db:products",
      "--columns",
      "price",
      "--yes",
    );
    expect(applied).toBe(true);
    expect(tables[0]?.columns[0]).toMatchObject({ name: "price", mostly: { value: "0.00" } });
    expect(tables[0]?.columns[0]?.distinctBefore).toBe(tables[0]?.puts.changed);
    expect(await one("MD5(GROUP_CONCAT(sku, price, changed ORDER BY sku)) FROM products WHERE sku <> 'new'")).toBe(
      before,
    );
    expect(await one("COUNT(*) FROM audit")).toBe(String(tables[0]?.puts.changed));
    expect(await one("mood FROM products WHERE sku = 'sku1'")).toBe("sad");
    const back = (await program.succeed(["mend", "shop", "--undo", digest, "--yes"])).stdout;
    expect(back).toMatch(/\* sku sku1\d*: price 1\d*\.10 > 0\.00/);
    expect(await digestOf("products")).toBe(damaged);
    expect((await program.succeed(["log"])).stdout).toMatch(/mend +shop +done/);
    expect((await mend("--undo", digest, "--yes")).stderr).toContain("it was taken back already");
  });

  it("puts back every kind of value as it was, and deleted rows with what they refer to", async () => {
    const tables = ["customers", "orders", "order_items", "products", "parts", "`odd ``name``.b`", "tickets"];
    const before = await Promise.all(tables.map(digestOf));
    await sql(`
      UPDATE products SET f = 1, d = 1, big = 1, raw = '', fixed = 'abc', bits = 0, doc = '{"a":1}', spot = NULL, at = NOW(3), changed = NOW(),
             day = '0000-00-00', took = 0, year = 1999, mood = NULL, tags = '', u = NULL, ip = '::1', padded = 'x', word = 'cafe', hidden = 8 WHERE sku <> 'sku3';
      DELETE FROM products WHERE sku = 'sku3';
      DELETE FROM order_items WHERE order_id IN (7, 8); DELETE FROM orders WHERE id IN (7, 8);
      DELETE FROM order_items WHERE order_id IN (SELECT id FROM orders WHERE customer = 9);
      DELETE FROM orders WHERE customer = 9; DELETE FROM customers WHERE id = 9; DELETE FROM parts WHERE id = 1;
      UPDATE \`odd \`\`name\`\`.b\` SET \`select\` = 'z'; DELETE FROM \`odd \`\`name\`\`.b\` WHERE \`a, b\` = 2;
      DELETE FROM tickets WHERE n >= 2;`);
    const items = await data("--only", "db:order_items", "--rows", "gone", "--yes");
    expect(items.tables.map(({ name, asked, puts }) => [name, asked, puts.gone])).toEqual([
      ["customers", false, 1],
      ["orders", false, 5],
      ["order_items", true, 15],
    ]);
    const parts = await data("--only", "db:parts,db:tickets", "--yes");
    expect(await one("GROUP_CONCAT(id ORDER BY id) FROM parts")).toBe("1,3,7,9");
    await program.succeed(["mend", "shop", "--undo", parts.digest, "--yes"]);
    expect(await one("COUNT(*) FROM parts")).toBe("0");
    await data("--only", "db:parts,db:tickets", "--yes");
    await program.succeed(["mend", "shop", "--only", "db:products,db:odd `name`.b", "--yes"]);
    expect(await Promise.all(tables.map(digestOf))).toEqual(before);
    const again = await data("--only", "db:products", "--yes");
    expect(again).toMatchObject({ applied: false, script: null });
  });

  it("puts rows back that are more than one statement takes, and refuses one that is by itself", async () => {
    await sql(`CREATE TABLE papers (id INT PRIMARY KEY, body LONGBLOB, day DATE);
      SET sql_mode = 'ALLOW_INVALID_DATES'; INSERT INTO papers SELECT seq, REPEAT(CHAR(seq), 2000000), '2026-02-31' FROM seq_1_to_7;`);
    const captured = await program.succeed(["capture", "shop", "--json"]);
    const at = ["--at", resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data.id, "--only", "db:papers"];
    const before = await digestOf("papers");
    await sql("DELETE FROM papers WHERE id > 2; UPDATE papers SET body = 'x' WHERE id = 2;");
    const damaged = await digestOf("papers");
    const { digest, tables } = await data(...at, "--yes");
    expect(tables[0]?.puts).toEqual({ changed: 1, gone: 5 });
    expect(await digestOf("papers")).toBe(before);
    await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
    expect(await digestOf("papers")).toBe(damaged);
    await sql("UPDATE papers SET body = REPEAT('b', 9000000), day = NULL WHERE id = 1;");
    const refused = await mend(...at);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain("a row of papers takes up to 22 MB in a statement");
    expect(await data(...at, "--columns", "day", "--where", "id = 1", "--yes")).toMatchObject({ applied: true });
    expect(await one("day FROM papers WHERE id = 1")).toBe("2026-02-31");
  });

  it("takes rows back that refer to themselves and to each other", async () => {
    await sql("DELETE FROM parts; INSERT INTO parts VALUES (1, NULL, 'car'), (2, 2, 'root'), (3, 2, 'leaf');");
    const captured = await program.succeed(["capture", "shop", "--json"]);
    const at = ["--at", resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data.id, "--only", "db:parts"];
    await sql("DELETE FROM parts WHERE id = 2;");
    const { digest } = await data(...at, "--yes");
    expect(await one("GROUP_CONCAT(id ORDER BY id) FROM parts")).toBe("1,2,3");
    await sql("INSERT INTO parts VALUES (4, 2, 'new');");
    expect((await mend("--undo", digest, "--yes")).stderr).toContain("rows of another table refer to rows of parts");
    await sql("DELETE FROM parts WHERE id = 4;");
    await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
    expect(await one("GROUP_CONCAT(id ORDER BY id) FROM parts")).toBe("1");
  });

  it("does nothing at all when one row was written meanwhile, and the stock client runs the same script", async () => {
    const before = await digestOf("products");
    await sql("UPDATE products SET price = 0, changed = changed;");
    const { digest, script } = await data("--only", "db:products", "--no-apply");
    await sql("UPDATE products SET price = 9, changed = changed WHERE sku = 'sku500';");
    const damaged = await digestOf("products");
    const refused = await mend("--proposal", digest);
    expect(refused).toMatchObject({ exit: 3 });
    expect(refused.stderr).toMatch(/error rows\.changed: of .* only .* are as they were compared; nothing was changed/);
    const run = () =>
      execa("mariadb", ["--no-defaults", "-uroot", `--socket=${server.directory}/s`, database], {
        inputFile: script ?? "",
        reject: false,
      });
    expect((await run()).exitCode).not.toBe(0);
    expect(await digestOf("products")).toBe(damaged);
    expect((await program.succeed(["log"])).stdout).toMatch(/mend +shop +failed/);
    await sql("UPDATE products SET price = 0, changed = changed WHERE sku = 'sku500';");
    expect(await run()).toMatchObject({ exitCode: 0 });
    expect(await digestOf("products")).toBe(before);
    await writeFile(script ?? "", "DROP TABLE products;");
    expect(await mend("--proposal", digest)).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("is not what was shown"),
    });
  });

  it("takes a condition on the point's rows, as one statement", async () => {
    await sql("UPDATE products SET price = 0, changed = changed;");
    const some = await data("--only", "db:products", "--where", "sku IN ('SKU1', 'sku2') AND price > 1.5", "--yes");
    expect(some.tables[0]).toMatchObject({ changed: 1200, puts: { changed: 1, gone: 0 } });
    expect(await one("GROUP_CONCAT(price ORDER BY sku) FROM products WHERE sku IN ('sku1', 'sku2')")).toBe("0.00,2.10");
    const hostile = await mend("--only", "db:products", "--where", "true)) ; DROP TABLE keyless; -- ");
    expect(hostile.exit).toBe(2);
    expect(hostile.stderr).toContain("is no condition on the rows of products: ");
    expect(await one("COUNT(*) FROM keyless")).toBe("1");
  });

  it("takes nothing back that others have built upon since, and gives no number out twice", async () => {
    await sql(
      "CREATE TABLE hints (order_id BIGINT UNSIGNED, hint TEXT, FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE);",
    );
    await sql(
      "DELETE FROM order_items WHERE order_id = 200; DELETE FROM orders WHERE id = 200; DELETE FROM tickets WHERE n = 3;",
    );
    const known = await data("--only", "db:orders", "--rows", "gone", "--yes");
    await sql("INSERT INTO hints VALUES (200, 'new');");
    const refused = await mend("--undo", known.digest, "--yes");
    expect(refused).toMatchObject({ exit: 3 });
    expect(refused.stderr).toContain("rows of another table refer to rows of orders that were put back");
    expect(await one("COUNT(*) FROM hints")).toBe("1");
    await sql("ALTER SEQUENCE numbers RESTART 3;");
    await data("--only", "db:tickets", "--yes");
    await sql("INSERT INTO tickets (v) VALUES (4); INSERT INTO orders (customer) VALUES (1);");
    expect(await one("MAX(n) FROM tickets")).not.toBe("3");
    expect(Number(await one("MAX(id) FROM orders"))).toBeGreaterThan(200);
  });

  it("says what cannot be put back, and why", async () => {
    await sql("UPDATE loose SET v = 2; UPDATE products SET price = 0; ALTER TABLE parts MODIFY name VARCHAR(5);");
    for (const [args, words] of [
      [["--only", "db:keyless"], "has no primary key"],
      [["--only", "db:prodcts"], 'did you mean "products"?'],
      [["--only", "db:products", "--columns", "prise"], 'did you mean "price"?'],
      [["--only", "db:loose"], "no rows are put back into loose: it is MyISAM"],
      [["--only", "db:products", "--no-triggers"], "cannot be kept quiet within a transaction"],
      [["--only", "db:parts"], "name was varchar(9) utf8mb4_general_ci and is varchar(5) utf8mb4_general_ci now"],
      [["--only", "db:products", "--where", "nonsense"], "nonsense"],
    ] as const) {
      const refused = await mend(...args);
      expect(refused.exit, `${args.join(" ")}: ${refused.stdout}`).not.toBe(0);
      expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain(words);
    }
  });

  it("needs no more rights than are documented, and says which are missing", async () => {
    const account = `mender${count}@'127.0.0.1'`;
    await server.sql(
      `CREATE USER ${account} IDENTIFIED BY 'a word'; GRANT SELECT, UPDATE ON ${database}.* TO ${account};`,
    );
    const declared = await readFile(`${folder.path}/refloat.yaml`, "utf8");
    await writeFile(`${folder.path}/refloat.yaml`, declared.replace("//keeper@", `//mender${count}@`));
    await program.close();
    program = refloatInside(folder.path);
    const only = ["--at", point, "--only", "db:orders,db:order_items"];
    const refused = (await mend(...only)).stderr.replaceAll(/\s+/g, " ");
    expect(refused).toContain("its triggers cannot be seen");
    const escaped = database.replaceAll("_", String.raw`\_`);
    const by = `mender${count}\`@\`127.0.0.1`;
    expect(refused).toContain(
      `as an administrator: GRANT INSERT, DELETE, TRIGGER, CREATE TEMPORARY TABLES ON \`${escaped}\`.* TO \`${by}\``,
    );
    await server.sql(`GRANT TRIGGER ON ${database}.* TO ${account};`);
    expect((await mend(...only)).stderr.replaceAll(/\s+/g, " ")).toContain(
      `GRANT INSERT, DELETE, CREATE TEMPORARY TABLES ON \`${escaped}\`.*`,
    );
    await sql("DELETE FROM order_items WHERE order_id = 3; UPDATE orders SET note = 'x';");
    const looked = (await program.succeed(["assess", "shop", "--against", point, "--json"])).lines.at(-1);
    const { components } = resultEnvelopeSchema("assess").parse(looked).data;
    expect(components[0]?.tables.map(({ name, unseen }) => [name, unseen])).toContainEqual([
      "orders",
      expect.stringContaining(`GRANT CREATE TEMPORARY TABLES ON \`${escaped}\`.* TO \`${by}\``),
    ]);
    const { stdout } = await program.run(["validate", "--live", "shop"]);
    expect(stdout).toContain(
      `assess and mend, besides: GRANT CREATE TEMPORARY TABLES, LOCK TABLES ON \`${escaped}\`.*`,
    );
    await server.sql(`GRANT CREATE TEMPORARY TABLES ON ${database}.* TO ${account};`);
    const written = (await mend(...only, "--yes")).stderr.replaceAll(/\s+/g, " ");
    expect(written).toContain("error source.denied");
    expect(written).toContain(`GRANT INSERT, DELETE ON \`${escaped}\`.*`);
    expect(await one("COUNT(*) FROM orders WHERE note = 'x'")).toBe("200");
    await server.sql(`GRANT INSERT ON ${database}.* TO ${account};`);
    const done = await data(...only, "--yes");
    expect(done.tables.map(({ name, puts }) => [name, puts.changed, puts.gone])).toEqual([
      ["orders", 200, 0],
      ["order_items", 0, 3],
    ]);
    expect((await mend("--undo", done.digest, "--yes")).stderr).toContain("error source.denied");
    await server.sql(`GRANT DELETE ON ${database}.* TO ${account};`);
    await program.succeed(["mend", "shop", "--undo", done.digest, "--yes"]);
    expect(await one("COUNT(*) FROM orders WHERE note = 'x'")).toBe("200");
  });

  it("leaves out and names what the server would refuse, and puts back all else", async () => {
    await sql(`DELETE FROM order_items; DELETE FROM orders; UPDATE customers SET email = 'taken' WHERE id = 5;
      DELETE FROM customers WHERE id = 6; INSERT INTO customers VALUES (900, 'c6@example.org');`);
    const theirs = Number(await one("COUNT(*) FROM seq_1_to_200 WHERE 1 + seq % 50 = 6"));
    const told = (
      await program.succeed(["mend", "shop", "--at", point, "--only", "db:orders,db:order_items", "--yes"])
    ).stdout.replaceAll(/\s+/g, " ");
    expect(told).toContain("1 row of customers stay out: another row has their email now (email); id 6");
    expect(told).toContain(
      `${theirs} rows of orders stay out: they refer to rows of customers that are not live and do not come back`,
    );
    expect(told).toContain(`${3 * theirs} rows of order_items stay out: they refer to rows of orders`);
    expect(await one("COUNT(*) FROM orders")).toBe(String(200 - theirs));
  });

  it("tells of damage in tables, and gives the rows of one out of a point", async () => {
    await sql(
      "UPDATE products SET price = 0, changed = changed WHERE LENGTH(sku) < 6; DELETE FROM order_items WHERE order_id = 3;",
    );
    await sql("DROP TABLE tickets;");
    const { lines } = await program.succeed(["assess", "shop", "--against", point, "--json"]);
    const found = resultEnvelopeSchema("assess").parse(lines.at(-1)).data;
    expect(found.components[0]?.tables.map(({ name, signs }) => [name, signs])).toEqual([
      ["audit", []],
      ["order_items", ["3 of 600 rows gone"]],
      ["products", ["price is 0.00 in all of 99 changed rows"]],
      ["tickets", ["the table is gone"]],
    ]);
    const cures = found.cures.filter(({ kind }) => kind === "mend");
    expect(cures.map(({ words }) => words)).toEqual([
      "put 3 rows back: order_items",
      "put 99 rows back: price of products",
      "make tickets again with 3 rows",
    ]);
    for (const { command } of cures) await program.succeed([...command.split(" ").slice(1), "--yes"]);
    expect(await one("GROUP_CONCAT(n, ':', v ORDER BY n) FROM tickets")).toBe("1:1,2:2,3:3");
    const left = resultEnvelopeSchema("assess").parse(
      (await program.succeed(["assess", "shop", "--against", point, "--json"])).lines.at(-1),
    ).data;
    expect(left.components[0]?.tables.filter(({ signs }) => signs.length > 0)).toEqual([]);
    const csv = await program.succeed(["extract", `${point}:db:orders`, "--stdout", "--csv"]);
    expect(csv.stdout).toContain('id,customer,note\n1,2,"note\t1\n\\N\'quoted"" ü"\n');
    await program.succeed(["extract", `${point}:db:products`, "--to", `${folder.path}/${database}.txt`]);
    await sql("CREATE TABLE loaded LIKE orders;");
    await program.succeed(["extract", `${point}:db:orders`, "--to", `${folder.path}/${database}.orders`]);
    await sql(`LOAD DATA LOCAL INFILE '${folder.path}/${database}.orders' INTO TABLE loaded CHARACTER SET utf8mb4;`);
    expect(await one("COUNT(*) FROM loaded NATURAL JOIN orders")).toBe("200");
  });

  it(
    "leaves nothing behind and nothing half done when it is killed while it compares or writes",
    { timeout: 300_000 },
    async () => {
      await sql("UPDATE products SET price = 0, changed = changed;");
      const damaged = await digestOf("products");
      const sessions = () => one("COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'keeper'");
      const outside = refloatIn(folder.path);
      const killedWhile = async (held: string, args: readonly string[], waiting: string): Promise<void> => {
        const release = await holdOnMariadb(server, held, database);
        const running = outside.spawn(["mend", "shop", ...args]);
        await expect
          .poll(
            () => one(`COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'keeper' AND INFO LIKE '${waiting}%'`),
            { timeout: 60_000 },
          )
          .not.toBe("0");
        running.kill("SIGKILL");
        await running;
        await release();
        await expect.poll(sessions, { timeout: 60_000 }).toBe("0");
        expect(await digestOf("products")).toBe(damaged);
      };
      await killedWhile(
        "LOCK TABLES products WRITE;",
        ["--at", point, "--only", "db:products"],
        "INSERT INTO refloat_difference",
      );
      const { digest } = await data("--at", point, "--only", "db:products", "--no-apply");
      await killedWhile(
        "START TRANSACTION; SELECT price FROM products WHERE sku = 'sku999' FOR UPDATE;",
        ["--proposal", digest],
        "UPDATE",
      );
      expect(await data("--proposal", digest)).toMatchObject({ applied: true });
    },
  );
});
