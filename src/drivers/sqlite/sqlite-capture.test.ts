/** Captures of databases that are being written to, that were left by killed writers, that are locked, damaged or hard to read. */
import { copyFileSync, openSync, readFileSync, readdirSync, statSync, writeSync, closeSync } from "node:fs";
import { chmod, chown, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DriverContext } from "../../core/ports/driver.ts";
import { createDirectoryReader } from "../../testing/directory-vault.ts";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import {
  type JournalMode,
  accounts,
  balance,
  captureSqliteInto,
  createLedger,
  queryRows,
  readContent,
  runSql,
  sqliteContext,
  sqliteDriver,
  startHolder,
  startTransfers,
} from "../../testing/sqlite-bench.ts";
import { openToRead, openToWrite } from "./program/open-database.ts";

vi.setConfig({ testTimeout: 300_000 });

let folder: TestFolder;
let place: string;
let path: string;
let vault: string;
beforeEach(async () => {
  folder = await createTestFolder("refloat-sqlite");
  place = join(folder.path, "srv");
  path = join(place, "shop.db");
  vault = join(folder.path, "vault");
  await mkdir(place);
});
afterEach(() => folder.remove());

const contextOf = (options: object = {}): DriverContext => sqliteContext(folder.path, { path, ...options });

const captureAll = (context: DriverContext, name = "vault") => captureSqliteInto(context, join(folder.path, name));

/** What a transfer keeps true, whichever of its two tables is looked at. */
const expectBalanced = (copy: string): void => {
  const [total] = queryRows(
    copy,
    "select sum(balance) as sum, (select count(*) from transfers) as transfers from accounts",
  );
  expect(total?.["sum"]).toBe(accounts * balance);
  const wrong = queryRows(
    copy,
    `select id from accounts a where balance <> ${balance}
       - (select coalesce(sum(amount), 0) from transfers where source = a.id)
       + (select coalesce(sum(amount), 0) from transfers where target = a.id)`,
  );
  expect(wrong).toEqual([]);
};

describe("under write load", () => {
  test.each<JournalMode>(["wal", "delete", "truncate", "persist"])(
    "in journal mode %s every captured copy is of one moment",
    async (mode) => {
      createLedger(path, mode);
      const writer = await startTransfers(path);
      try {
        let before = -1;
        for (let round = 0; round < 4; round += 1) {
          const captured = await captureAll(contextOf(), `vault-${round}`);
          expect(captured).toMatchObject({ path, consistency: "snapshot", warnings: [] });
          expect(captured.facts.detail).toMatchObject({
            databases: {
              "shop.db": { integrity: [], foreignKeys: {}, journalMode: mode === "wal" ? "wal" : "rollback" },
            },
          });
          const copy = join(folder.path, `vault-${round}`, path);
          expect(readdirSync(join(copy, ".."))).toEqual(["shop.db"]);
          expectBalanced(copy);
          const transfers = captured.facts.units["transfers"]?.rows ?? 0;
          expect(queryRows(copy, "select count(*) as rows from transfers")).toEqual([{ rows: transfers }]);
          expect(transfers).toBeGreaterThan(before);
          before = transfers;
        }
      } finally {
        await writer.kill();
      }
      expect((await readdir(place)).filter((name) => name.startsWith("."))).toEqual([]);
    },
  );

  test.each<JournalMode>(["wal", "delete"])(
    "in journal mode %s several databases are of one moment together",
    async (mode) => {
      const files = ["a.db", "b.db"].map((name) => join(place, name));
      for (const file of files) createLedger(file, mode);
      const writer = await startTransfers(...files);
      try {
        for (let round = 0; round < 4; round += 1) {
          const captured = await captureAll(contextOf({ path: place, databases: ["*.db"] }), `vault-${round}`);
          expect(captured).toMatchObject({ path: place, consistency: "snapshot", warnings: [] });
          expect(captured.facts.counts).toMatchObject({ databases: 2, tables: 6 });
          const [a, b] = files.map((file) => join(folder.path, `vault-${round}`, file));
          const sumOf = (copy = ""): number =>
            Number(queryRows(copy, "select sum(balance) as sum from accounts")[0]?.["sum"]);
          const moved = Number(queryRows(a ?? "", "select coalesce(sum(amount), 0) as sum from transfers")[0]?.["sum"]);
          expect([sumOf(a), sumOf(b)]).toEqual([accounts * balance - moved, accounts * balance + moved]);
          expect(moved).toBeGreaterThan(0);
        }
      } finally {
        await writer.kill();
      }
    },
  );
});

describe("after a writer was killed", () => {
  test("in the middle of a transaction, the copy has what was committed and the source is put right", async () => {
    createLedger(path, "delete");
    const committed = readContent(path);
    // A cache of one page: what is changed is written to the file before the commit.
    const writer = await startHolder(
      path,
      "pragma cache_size = 1; pragma cache_spill = 1; begin; update padding set body = zeroblob(2000); update accounts set balance = 0",
    );
    await writer.kill();
    expect(statSync(`${path}-journal`).size).toBeGreaterThan(0);
    await captureAll(contextOf());
    expect(readContent(join(vault, path))).toBe(committed);
    expect(readContent(path)).toBe(committed);
  });

  test("with a -wal file that nobody has put into the database, the copy has what is in it", async () => {
    createLedger(path, "wal");
    const writer = await startHolder(
      path,
      "pragma wal_autocheckpoint = 0; insert into transfers values (null, 1, 2, 5); begin; delete from transfers",
    );
    await writer.kill();
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    await captureAll(contextOf());
    expect(queryRows(join(vault, path), "select amount from transfers")).toEqual([{ amount: 5 }]);
    expect(queryRows(join(vault, path), "select count(*) as n from accounts")).toEqual([{ n: accounts }]);
  });
});

describe("a database that cannot be had", () => {
  test("since another process has locked it is told with that process", async () => {
    createLedger(path, "delete");
    const holder = await startHolder(path, "begin exclusive");
    try {
      await expect(captureAll(contextOf({ busyTimeout: "300ms" }))).rejects.toMatchObject({
        code: "source.unreachable",
        message: expect.stringMatching(
          new RegExp(`^${path} was locked by another process for 0.3 s: ${holder.pid} `),
        ) as string,
      });
    } finally {
      await holder.kill();
    }
    expect(await readdir(place)).toEqual(["shop.db"]);
    await captureAll(contextOf(), "later");
  });

  test("since it is none, is missing, a folder or a link is told with its name", async () => {
    await expect(captureAll(contextOf())).rejects.toMatchObject({
      code: "source.failed",
      message: `${path} is not there`,
    });
    // Of a check that asks it, too: nothing makes an empty one in its place.
    const gone = { code: "source.failed", message: `the database ${path} is not there` };
    for (const open of [openToRead, openToWrite]) expect(() => open(path, 100)).toThrow(expect.objectContaining(gone));
    await writeFile(path, "these are a hundred bytes of something else than a database ".repeat(20));
    await expect(captureAll(contextOf(), "v1")).rejects.toMatchObject({
      code: "source.failed",
      message: `${path} is no SQLite database, or its first page is damaged`,
      hint: expect.stringContaining("SQLCipher") as string,
    });
    await expect(captureAll(contextOf({ path: place }), "v2")).rejects.toMatchObject({
      code: "config.invalid",
      hint: 'add databases: ["*.db"]',
    });
    await execa("ln", ["-s", "shop.db", join(place, "link.db")]);
    await expect(captureAll(contextOf({ path: join(place, "link.db") }), "v3")).rejects.toMatchObject({
      code: "config.invalid",
      hint: `path: ${path}`,
    });
  });

  test("whole is captured with a warning, and a restore of it says so too", async () => {
    createLedger(path, "delete");
    runSql(path, "create index by_balance on accounts (balance)");
    const [{ page, size } = {}] = queryRows(
      path,
      "select (select rootpage from sqlite_schema where name = 'by_balance') as page, page_size as size from pragma_page_size",
    );
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(600, 0xff), 0, 600, (Number(page) - 1) * Number(size) + 100);
    closeSync(file);
    const context = contextOf();
    const captured = await captureAll(context);
    expect(captured.warnings).toMatchObject([
      expect.stringMatching(/^shop\.db is damaged, and so is its copy: integrity_check says: /),
    ]);
    expect(captured.facts.units["accounts"]?.rows).toBe(accounts);
    const target = { name: `${path}.r42`, run: 42, runUid: "0b8f2f3e-1111-4222-8333-444455556666" };
    await sqliteDriver.instances.restore(context, target, createDirectoryReader(vault), captured);
    expect(await sqliteDriver.instances.validate(context, target, captured.facts)).toMatchObject([
      { status: "skipped", subject: "facts: shop.db: integrity_check" },
      { status: "passed" },
    ]);
  });

  test("whole since rows name what is not there is captured with a warning", async () => {
    createLedger(path, "wal");
    runSql(path, "pragma foreign_keys = off; insert into transfers values (null, 1, 4711, 5), (null, 4711, 1, 5)");
    const { warnings, facts } = await captureAll(contextOf());
    expect(warnings).toEqual(["shop.db: 2 rows of transfers have a foreign key that names nothing"]);
    expect(facts.detail).toMatchObject({ databases: { "shop.db": { foreignKeys: { transfers: 2 } } } });
  });
});

describe("room for the copy", () => {
  const mounted = async (act: (small: string) => Promise<void>): Promise<void> => {
    const small = join(folder.path, "small");
    await mkdir(small);
    await execa("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
    try {
      await act(small);
    } finally {
      await execa("umount", [small]);
    }
  };

  test.skipIf(process.getuid?.() !== 0)("is looked for before anything is copied", async () => {
    createLedger(path, "wal");
    await mounted(async (small) => {
      await expect(captureAll(contextOf({ scratch: small }))).rejects.toMatchObject({
        code: "capture.no-space",
        message: expect.stringMatching(
          /^the copy of .*shop\.db may need [\d.]+ MB in .*small, where [\d.]+ MB are free$/,
        ) as string,
      });
      expect(await readdir(small)).toEqual([]);
      const { findings } = await sqliteDriver.preflight(contextOf({ scratch: small }));
      expect(findings.filter(({ ok }) => !ok)).toMatchObject([
        { subject: small, hint: expect.stringContaining("scratch:") as string },
      ]);
    });
  });

  test("is that of another folder where one is named, and nothing is left in it", async () => {
    createLedger(path, "wal");
    const scratch = join(folder.path, "scratch");
    await mkdir(scratch);
    await captureAll(contextOf({ scratch }));
    expect(readContent(join(vault, path))).toBe(readContent(path));
    expect(await readdir(scratch)).toEqual([]);
  });
});

describe("what is in a database", () => {
  test("of every kind that SQLite knows is counted and hashed, and its settings are kept", async () => {
    runSql(
      path,
      `pragma page_size = 8192; pragma encoding = 'UTF-16le'; pragma user_version = 7; pragma application_id = 4711;
       create table plain (a, b blob, "odd ""column""
name" text);
       insert into plain values (1, x'00ff', 'tab	and ''quotes'''), (null, null, ''), (9223372036854775807, 1.5, 'ünï');
       create table "odd; drop table ""plain""" (id integer primary key);
       insert into "odd; drop table ""plain""" values (1), (2);
       create table keyed (k text collate nocase, v int, primary key (k, v)) without rowid, strict;
       insert into keyed values ('A', 1), ('b', 2);
       create table computed (a int, twice int as (a * 2), stored int as (a + 1) stored);
       insert into computed (a) values (1), (2);
       create virtual table words using fts5(body);
       insert into words values ('hello there');
       create table shadowed (rowid text, _rowid_ text, oid text);
       insert into shadowed values ('x', 'y', 'z');
       create view seen as select * from plain;
       create table emptied (a);`,
    );
    const { facts, warnings } = await captureAll(contextOf());
    expect(warnings).toEqual([]);
    const rows = Object.fromEntries(Object.entries(facts.units).map(([name, unit]) => [name, unit.rows]));
    expect(rows).toEqual({
      plain: 3,
      'odd; drop table "plain"': 2,
      keyed: 2,
      computed: 2,
      words: 1,
      shadowed: 1,
      emptied: 0,
    });
    expect(facts.detail).toMatchObject({
      virtualTables: ["words"],
      databases: {
        "shop.db": {
          pageSize: 8192,
          encoding: "UTF-16le",
          userVersion: 7,
          applicationId: 4711,
          journalMode: "rollback",
          unreadable: [],
        },
      },
    });
    const before = facts.units["plain"]?.sha256;
    runSql(path, "update plain set a = 1.0 where typeof(a) = 'integer' and a = 1");
    const after = await captureAll(contextOf(), "again");
    expect(after.facts.units["plain"]?.sha256).not.toBe(before);
    expect(after.facts.units["keyed"]?.sha256).toBe(facts.units["keyed"]?.sha256);
    expect(after.facts.schemaHash).toBe(facts.schemaHash);
  });

  test("that an extension is needed for is captured, and named", async () => {
    createLedger(path, "wal");
    const database = new DatabaseSync(path, { defensive: false });
    database.exec(
      `pragma writable_schema = on;
       insert into sqlite_schema values ('table', 'embeddings', 'embeddings', 0, 'CREATE VIRTUAL TABLE embeddings USING vec0(a float[3])')`,
    );
    database.close();
    const { warnings, facts } = await captureAll(contextOf());
    expect(warnings).toEqual([
      expect.stringMatching(
        /^shop\.db: the rows of embeddings are in the point and could not be counted: no such module: vec0/,
      ),
    ]);
    expect(Object.keys(facts.units)).toEqual(["accounts", "padding", "transfers"]);
    const { findings } = await sqliteDriver.preflight(contextOf());
    expect(findings.map(({ found }) => found)).toContainEqual(expect.stringContaining("no such module: vec0"));
  });

  test.skipIf(process.getuid?.() !== 0)("keeps its owner, its mode and the time of its last write", async () => {
    createLedger(path, "wal");
    await chmod(path, 0o640);
    await chown(path, 4711, 4712);
    await captureAll(contextOf());
    const { mode, mtimeMs } = statSync(join(vault, path));
    // The test's vault keeps no owners; the real one does.
    expect(mode & 0o777).toBe(0o640);
    expect(Math.abs(mtimeMs - statSync(path).mtimeMs)).toBeLessThan(2);
  });
});

describe("a folder", () => {
  test("with a file that is no declared database is refused by name, unless that is excluded", async () => {
    const data = join(place, "data");
    await mkdir(join(data, "tenants"), { recursive: true });
    createLedger(join(data, "main.db"), "wal");
    createLedger(join(data, "tenants", "new\nline.db"), "delete");
    await writeFile(join(data, "readme.txt"), "x");
    await writeFile(join(data, "lost.db-wal"), "y");
    const options = { path: data, databases: ["**/*.db"] };
    await expect(captureAll(contextOf(options))).rejects.toMatchObject({
      code: "source.unsupported",
      message: `${data} holds lost.db-wal, readme.txt, which are no declared database`,
    });
    const { findings } = await sqliteDriver.preflight(contextOf(options));
    expect(findings.filter(({ ok }) => !ok)).toMatchObject([
      { found: expect.stringContaining("readme.txt") as string },
    ]);
    const captured = await captureAll(contextOf({ ...options, exclude: ["*.txt", "lost*"] }), "second");
    expect(Object.keys(captured.facts.units)).toEqual(
      ["main.db", "tenants/new\nline.db"].flatMap((name) =>
        ["accounts", "padding", "transfers"].map((table) => `${name}/${table}`),
      ),
    );
    expect(readdirSync(join(folder.path, "second", data)).toSorted()).toEqual(["main.db", "tenants"]);
  });
});

test("an unchanged database gives the same bytes, whatever happened to the copies", async () => {
  createLedger(path, "wal");
  await captureAll(contextOf(), "one");
  copyFileSync(path, join(folder.path, "kept"));
  await captureAll(contextOf(), "two");
  const [one, two] = ["one", "two"].map((name) => readFileSync(join(folder.path, name, path)));
  expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true);
  expect(one?.equals(readFileSync(path))).toBe(true);
});
