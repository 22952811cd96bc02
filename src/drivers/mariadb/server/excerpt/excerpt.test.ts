/** Tables and databases out of one capture of a whole real server, and out of its log: values and names of every kind, what is left out, what is refused. */
import { chmod, mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Replay } from "../../../../core/ports/driver.ts";
import type { ExcerptForm } from "../../../../core/ports/excerpts.ts";
import type { TreeReader } from "../../../../core/ports/vault-snapshots.ts";
import type { Repository } from "../../../../core/ports/vault.ts";
import type { CapturedComponent } from "../../../../model/manifest.ts";
import { listProcesses, readPlaces } from "../../../../platform/process-table.ts";
import { runProgram } from "../../../../platform/subprocess.ts";
import { waitUntil } from "../../../../platform/wait-until.ts";
import { createVault } from "../../../../testing/cluster-bench.ts";
import { type TestFolder, createTestFolder } from "../../../../testing/driver-context.ts";
import {
  captureServerInto,
  contentOf,
  dataOf,
  mariadbServerContext,
} from "../../../../testing/mariadb-server-bench.ts";
import { type MariadbServer, startMariadbServer } from "../../../../testing/mariadb-server.ts";
import { binlogLine, serverBinlog, writtenTo } from "../../../../testing/server-binlog.ts";
import { askSql } from "../../sql-client.ts";
import { quoteName } from "../../sql-text.ts";
import type { ServerContext } from "../server-options.ts";
import { serverExcerpts } from "./take-excerpt.ts";
import { openTemporary } from "./temporary-server.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let server: MariadbServer;
let folder: TestFolder;
let temporary: string;
let context: ServerContext;
let vault: Repository;
let captured: CapturedComponent;
let beforeDrop: Replay;
let afterDrop: Replay;
/** The database with an odd name, as the stock mariadb-dump saw it when it was captured. */
let oddThen: string;
let shopThen: string;

const odd = 'ä/b "é" 漢';
const oddTable = "t\"/ß'`";
const quoted = `"${odd.replaceAll('"', '""')}"`;

type Taken = { readonly text: string; readonly warnings: readonly string[]; readonly read: readonly string[] };

const watchedTree = async (read: string[]): Promise<TreeReader> => {
  const tree = await vault.openTree(captured.snapshot);
  return {
    ...tree,
    entry: (path) => tree.entry(path),
    folder: (id) => tree.folder(id),
    content: (entry, range) => {
      read.push(Buffer.from(entry.name).toString());
      return tree.content(entry, range);
    },
  };
};

const take = async (name: string, form: ExcerptForm = "csv", replay: Replay | null = null): Promise<Taken> => {
  const read: string[] = [];
  const warnings: string[] = [];
  const pieces: Uint8Array[] = [];
  const request = { name, form, replay, stage: () => undefined, warn: (text: string) => warnings.push(text) };
  const source = { tree: await watchedTree(read), captured };
  for await (const piece of serverExcerpts.take(context, source, request)) pieces.push(Buffer.from(piece));
  return { text: Buffer.concat(pieces).toString("utf8"), warnings, read };
};

const ownerNamed = async (user: string): Promise<{ readonly uid: number; readonly gid: number }> => {
  const [, , uid, gid] = (await runProgram("getent", ["passwd", user], { signal: context.signal })).stdout.split(":");
  return { uid: Number(uid), gid: Number(gid) };
};

const position = async (): Promise<Replay> => ({
  logs: serverBinlog(server),
  line: binlogLine,
  to: await writtenTo(server),
  at: "2026-01-01T00:00:00.000Z",
});

beforeAll(async () => {
  folder = await createTestFolder("refloat-mdb-excerpt");
  await chmod(folder.path, 0o755);
  temporary = join(folder.path, "tmp");
  await mkdir(temporary);
  server = await startMariadbServer({
    settings: { "log-bin": "binlog", "binlog-format": "ROW", "innodb-flush-log-at-trx-commit": 1 },
  });
  vi.stubEnv("TMPDIR", temporary);
  const name = quoteName(odd);
  await server.sql(`
    CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE DATABASE other; CREATE DATABASE ${name} CHARACTER SET utf8mb4;
    USE other; CREATE TABLE ballast (n INT PRIMARY KEY, text TEXT); INSERT INTO ballast SELECT seq, REPEAT('x', 200) FROM seq_1_to_20000;
    CREATE TABLE heavy (n INT) ENGINE=MyISAM; INSERT INTO heavy SELECT seq FROM seq_1_to_100;
    USE shop;
    CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(50));
    CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, customer INT, total DECIMAL(10,2), twice DECIMAL(10,2) AS (total * 2) STORED, note TEXT, raw BLOB,
      at DATETIME(6), flag BIT(9), kind ENUM('a','b'), FOREIGN KEY (customer) REFERENCES customers (id), FULLTEXT KEY words (note));
    INSERT INTO customers VALUES (1, 'Zoë'), (2, 'a,b');
    INSERT INTO orders (customer, total, note, raw, at, flag, kind) VALUES (1, 1.5, 'it''s "so", 🦊\\nnext', X'00ff27', '2026-01-02 03:04:05.678901', b'101', 'a'),
      (2, NULL, NULL, NULL, NULL, NULL, NULL), (NULL, 0, '', '', '0001-01-01', b'0', 'b');
    CREATE TABLE trail (id INT PRIMARY KEY AUTO_INCREMENT, word TEXT);
    CREATE TRIGGER noted AFTER INSERT ON orders FOR EACH ROW INSERT INTO trail (word) VALUES (NEW.id);
    CREATE TABLE parts (id INT PRIMARY KEY, v INT) PARTITION BY HASH (id) PARTITIONS 3; INSERT INTO parts SELECT seq, seq * 2 FROM seq_1_to_9;
    CREATE TABLE plain (i INT) ENGINE=MyISAM; INSERT INTO plain VALUES (7);
    CREATE TABLE crash (i INT) ENGINE=Aria; INSERT INTO crash VALUES (8);
    CREATE TABLE volatile (i INT) ENGINE=MEMORY;
    CREATE TABLE history (i INT) WITH SYSTEM VERSIONING; INSERT INTO history VALUES (1); UPDATE history SET i = 2;
    CREATE SEQUENCE numbers; CREATE TABLE counted (i INT DEFAULT NEXTVAL(numbers), v INT); INSERT INTO counted (v) VALUES (5);
    CREATE TABLE early (i INT); INSERT INTO early VALUES (3);
    CREATE VIEW dear AS SELECT id FROM orders WHERE total > 1;
    CREATE VIEW across AS SELECT n FROM other.heavy;
    CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1;
    CREATE EVENT tick ON SCHEDULE EVERY 1 HOUR DO INSERT INTO trail (word) VALUES ('tick');
    CREATE TABLE doomed (i INT PRIMARY KEY); INSERT INTO doomed VALUES (1), (2);
    USE ${name}; CREATE TABLE ${quoteName(oddTable)} (\`a"b\` INT PRIMARY KEY, \`c,\` TEXT); INSERT INTO ${quoteName(oddTable)} VALUES (1, 'ok');`);
  context = await mariadbServerContext(server, folder.path);
  vault = await createVault(folder.path);
  // Tables that were there at the last checkpoint come as they are, and one that is renamed now by a note; those made since come as `.new`.
  await server.crash();
  await server.start();
  await server.sql("INSERT INTO shop.volatile VALUES (9);");
  oddThen = await contentOf(context, server, dataOf(server), odd);
  shopThen = await contentOf(context, server, dataOf(server), "shop");
  // Undone when the server comes up: in files that are there, and in those that were left out.
  const uncommitted = server.sql(
    "BEGIN; UPDATE other.ballast SET text = 'dirty' WHERE n < 9; UPDATE orders SET total = 999; DELETE FROM orders WHERE id = 2; SELECT SLEEP(600);",
    "shop",
  );
  uncommitted.catch(() => undefined);
  const sleeper = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP(600)%';";
  if (!(await waitUntil(context, 60_000, async () => (await server.sql(sleeper)) !== "")))
    throw new Error("no transaction is open");
  let isRenamed = false;
  captured = await captureServerInto(context, vault, (sink) => ({
    ...sink,
    stream: async (path, source, ...rest) => {
      const receipt = await sink.stream(path, source, ...rest);
      if (!isRenamed && path.endsWith("/ibdata1")) {
        isRenamed = true;
        await server.sql(
          "RENAME TABLE shop.early TO shop.late; CREATE TABLE shop.fresh (i INT); INSERT INTO shop.fresh VALUES (4);",
        );
      }
      return receipt;
    },
  }));
  await server.sql(`KILL CONNECTION ${(await server.sql(sleeper)).trim()};`);
  if (!isRenamed) throw new Error("nothing was renamed while it was captured");
  await server.sql(
    "INSERT INTO doomed VALUES (3); CREATE TABLE since (i INT); INSERT INTO since VALUES (1); CREATE DATABASE young; CREATE TABLE young.t (i INT);",
    "shop",
  );
  beforeDrop = await position();
  await server.sql("DROP TABLE doomed; DROP DATABASE other;", "shop");
  afterDrop = await position();
});

/** Nothing of any temporary server is ever left. */
afterEach(async () => {
  const folders = await readdir(temporary);
  const running = listProcesses().filter(({ pid }) => readPlaces(pid).workingDirectory?.startsWith(temporary) === true);
  if (folders.length + running.length > 0) throw new Error(`left: ${folders.join(", ")}; ${running.length} processes`);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await vault?.close();
  await server?.stop();
  await folder?.remove();
});

describe("the rows of a table", () => {
  test("come as they are, and without reading a file of another database or table", async () => {
    const { text, read } = await take("shop/orders");
    expect(text).toBe(
      [
        "id,customer,total,twice,note,raw,at,flag,kind\n",
        `1,1,1.50,3.00,"it's ""so"", 🦊\nnext",0x00FF27,2026-01-02 03:04:05.678901,0x0005,a\n`,
        "2,2,,,,,,,\n",
        '3,,0.00,0.00,"","",0001-01-01 00:00:00.000000,0x0000,b\n',
      ].join(""),
    );
    // A table that was made after the last checkpoint comes as `.new`.
    expect(read.filter((name) => /^orders\.(?:ibd|new)$/.test(name))).toHaveLength(1);
    for (const name of ["ballast.ibd", "heavy.MYD", "customers.ibd", "parts#P#p0.ibd"])
      expect(read).not.toContain(name);
  });

  test.each([
    ["shop/parts", "id,v", 9],
    ["shop/plain", "i", 1],
    ["shop/crash", "i", 1],
    ["shop/history", "i", 1],
    ["shop/counted", "i,v", 1],
    // Under another name when its file was copied, and made while others were.
    ["shop/late", "i", 1],
    ["shop/fresh", "i", 1],
    [`${quoted}/"${oddTable.replaceAll('"', '""')}"`, '"a""b","c,"', 1],
    ["mysql/global_priv", "Host,User,Priv", 2],
  ])("of %s", async (name, head, rows) => {
    const [first, ...lines] = (await take(name)).text.trimEnd().split("\n");
    expect(first).toBe(head);
    expect(lines.length).toBeGreaterThanOrEqual(rows);
  });

  test("are what LOAD DATA takes when nothing else is asked for", async () => {
    expect((await take("shop/counted", "copy")).text).toBe("1\t5\n");
  });

  test.each([
    ["shop/ordres", "point.unknown", 'did you mean "orders"?'],
    ["shop/early", "point.unknown", undefined],
    ["shpo/orders", "point.unknown", 'did you mean "shop"?'],
    ["shop/since", "point.unknown", undefined],
    ["shop/dear", "source.unsupported", "name a table, or take the whole database with --dump"],
    ["shop/numbers", "source.unsupported", undefined],
    ["shop/volatile", "source.unsupported", undefined],
    ["shop", "usage", undefined],
  ])("%s is refused as %s", async (name, code, hint) => {
    await expect(take(name)).rejects.toMatchObject({ code, ...(hint === undefined ? {} : { hint }) });
  });
});

describe("SQL", () => {
  afterEach(() => server.sql("DROP DATABASE IF EXISTS again; DROP DATABASE IF EXISTS other;"));

  const putBack = async (sql: string): Promise<void> => {
    await server.sql("CREATE DATABASE again CHARACTER SET utf8mb4;");
    await server.sql(sql, "again");
  };
  const again = async (): Promise<string> => contentOf(context, server, dataOf(server), "again");

  test("of a table puts it back with keys, foreign keys, generated columns, counter and trigger", async () => {
    const { text } = await take("shop/orders", "dump");
    await server.sql(
      "CREATE DATABASE again CHARACTER SET utf8mb4; CREATE TABLE again.customers (id INT PRIMARY KEY); INSERT INTO again.customers VALUES (1), (2); CREATE TABLE again.trail (word TEXT);",
    );
    await server.sql(text, "again");
    expect(await server.sql("CHECKSUM TABLE again.orders;")).toBe(
      (await server.sql("CHECKSUM TABLE shop.orders;")).replace("shop", "again"),
    );
    await server.sql("INSERT INTO orders (customer) VALUES (1);", "again");
    expect(await server.sql("SELECT word FROM trail;", "again")).toBe("4\n");
    await expect(server.sql("INSERT INTO orders (customer) VALUES (99);", "again")).rejects.toThrow(/foreign key/);
  });

  test("of a database has all of it, with views, routines, triggers and events that are off", async () => {
    const { text, warnings } = await take("shop", "dump");
    expect(warnings).toEqual([
      expect.stringContaining("volatile"),
      expect.stringContaining("history"),
      "views that name what is not in shop stand last: across",
    ]);
    await server.sql("CREATE DATABASE other; CREATE TABLE other.heavy (n INT);");
    await putBack(text);
    const ordered = (dump: string, database: string): string =>
      dump
        .replaceAll(`\`${database}\``, "`shop`")
        .replaceAll(/INSERT INTO `volatile` VALUES\n\(9\);\n/g, "")
        .replaceAll("early", "late");
    const now = ordered(await again(), "again");
    for (const line of ordered(shopThen, "shop")
      .split("\n")
      .filter((one) => one.startsWith("(")))
      expect(now).toContain(line);
    expect(await server.sql("SELECT status FROM mysql.event WHERE db = 'again';")).toBe("DISABLED\n");
    expect(await server.sql("SELECT one(); SELECT COUNT(*) FROM dear; SELECT COUNT(*) FROM across;", "again")).toBe(
      "1\n1\n0\n",
    );
    expect(await server.sql("SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'again';")).toBe(
      "1\n",
    );
  });

  test("of a database with an odd name is what the stock program makes of it", async () => {
    expect(serverExcerpts.databases(captured)).toContain(quoted);
    await putBack((await take(quoted, "dump")).text);
    expect(await again()).toBe(oddThen);
  });
});

describe("as of a moment after the capture", () => {
  test("a table is there until it was dropped, and what was made since is there", async () => {
    expect((await take("shop/doomed", "csv", beforeDrop)).text).toBe("i\n1\n2\n3\n");
    expect((await take("shop/since", "csv", beforeDrop)).text).toBe("i\n1\n");
    await expect(take("shop/doomed", "csv", afterDrop)).rejects.toMatchObject({ code: "point.unknown" });
    await expect(take("other/heavy", "csv", afterDrop)).rejects.toMatchObject({ code: "point.unknown" });
  });
});

describe("the temporary server", () => {
  const request = { name: { database: "shop", table: "orders" }, replay: null, stage: () => undefined };
  const source = async () => ({ tree: await vault.openTree(captured.snapshot), captured });

  test("writes no log, listens to no network, runs no event, and is asked as any server", async () => {
    const opened = await openTemporary(context, await source(), request);
    try {
      expect(
        await askSql(
          opened.access,
          "SELECT @@log_bin AS log, @@skip_networking AS alone, @@event_scheduler AS events;",
        ),
      ).toEqual([{ log: "0", alone: "1", events: "OFF" }]);
      // A table whose file was left out is no empty one.
      await expect(askSql(opened.access, "SELECT * FROM shop.customers;")).rejects.toMatchObject({
        code: "source.failed",
      });
    } finally {
      await opened.close();
      await opened.close();
    }
  });

  test("runs as the captured owner, and needs room that is asked for before anything is made", async ({ skip }) => {
    skip(process.getuid?.() !== 0, "only root may become another user, and mount a small tmpfs");
    const { uid, gid } = await ownerNamed("mysql");
    const { facts } = captured;
    const detail = { ...(facts.detail as object), owner: { user: "mysql", uid, gid } };
    const theirs = { ...(await source()), captured: { ...captured, facts: { ...facts, detail } } };
    const opened = await openTemporary(context, theirs, request);
    try {
      expect((await stat(opened.access.target.socket ?? "")).uid).toBe(uid);
      const [row] = await askSql(opened.access, "SELECT COUNT(*) AS n FROM shop.orders;");
      expect(row).toEqual({ n: "3" });
    } finally {
      await opened.close();
    }
    const small = join(folder.path, "small");
    await mkdir(small);
    await execa("mount", ["-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs", small]);
    vi.stubEnv("TMPDIR", small);
    try {
      await expect(take("shop/orders")).rejects.toMatchObject({
        code: "target.failed",
        message: expect.stringMatching(`in ${small}, where .* are free$`),
      });
      expect(await readdir(small)).toEqual([]);
    } finally {
      vi.stubEnv("TMPDIR", temporary);
      await execa("umount", [small]);
    }
  });

  test("ends at once when nobody wants it any more", async () => {
    const abort = new AbortController();
    const stage = (what: string): void => {
      if (what === "starting") abort.abort(new Error("enough"));
    };
    await expect(
      openTemporary({ ...context, signal: abort.signal }, await source(), { ...request, stage }),
    ).rejects.toThrow("enough");
    const wish = {
      name: "shop/orders",
      form: "csv",
      replay: null,
      stage: () => undefined,
      warn: () => undefined,
    } as const;
    for await (const piece of serverExcerpts.take(context, await source(), wish)) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
  });

  test("does not begin with a log that cannot be gone on by", async () => {
    await expect(
      take("shop/orders", "csv", { ...beforeDrop, logs: serverBinlog(server, "1/4") }),
    ).rejects.toMatchObject({ code: "vault.damaged" });
  });
});
