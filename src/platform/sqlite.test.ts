import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Migrations, describeSqliteFailure, inTransaction, openDatabase } from "./sqlite.ts";

const first: Migrations = ["CREATE TABLE note (text TEXT NOT NULL) STRICT"];
const second: Migrations = [...first, "ALTER TABLE note ADD COLUMN at TEXT"];

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-sqlite-"));
  path = join(folder, "state", "x.db");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const failureOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return describeSqliteFailure(error);
  }
  return undefined;
};

describe("a database", () => {
  it("is private to its owner, its write-ahead log too", async () => {
    const database = openDatabase(path, first);
    database.exec("INSERT INTO note VALUES ('x')");
    const mode = async (name: string): Promise<number> => (await stat(name)).mode & 0o777;
    expect([await mode(join(folder, "state")), await mode(path), await mode(`${path}-wal`)]).toEqual([
      0o700, 0o600, 0o600,
    ]);
    database.close();
  });

  it("waits for the disk at each commit", () => {
    const database = openDatabase(path, first);
    expect(database.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
    expect(database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    database.close();
  });

  it("runs each migration once and keeps what is there", () => {
    const old = openDatabase(path, first);
    old.exec("INSERT INTO note VALUES ('kept')");
    old.close();
    for (let time = 0; time < 2; time += 1) {
      const database = openDatabase(path, second);
      expect(database.prepare("SELECT * FROM note").all()).toEqual([{ text: "kept", at: null }]);
      database.close();
    }
  });

  it("is left as it was by a migration that fails", () => {
    openDatabase(path, first).close();
    expect(failureOf(() => openDatabase(path, [...second, "NONSENSE"]))?.kind).toBe("other");
    const database = openDatabase(path, first);
    expect(database.prepare("PRAGMA user_version").get()).toEqual({ user_version: 1 });
    database.close();
  });

  it("is refused when a newer version has written it", () => {
    openDatabase(path, second).close();
    expect(failureOf(() => openDatabase(path, first))).toEqual({
      kind: "newer",
      words: "a newer version of the program has written it",
    });
  });

  it("is refused when it is something else", async () => {
    openDatabase(path, first).close();
    await writeFile(path, "this is a letter to somebody, and it is long enough to be read as a header".repeat(20));
    expect(failureOf(() => openDatabase(path, first))).toEqual({ kind: "corrupt", words: "it is not a database" });
  });

  it("has all of a transaction or nothing, on a full disk too", () => {
    const database = openDatabase(path, first);
    database.exec("INSERT INTO note VALUES ('before')");
    const pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
    database.exec(`PRAGMA max_page_count = ${pages + 2}`);
    const fill = () =>
      inTransaction(database, () => {
        for (let row = 0; row < 100; row += 1) database.prepare("INSERT INTO note VALUES (?)").run("x".repeat(4000));
      });
    expect(failureOf(fill)).toEqual({ kind: "full", words: "the disk is full" });
    expect(database.prepare("SELECT text FROM note").all()).toEqual([{ text: "before" }]);
    expect(database.isTransaction).toBe(false);
    database.close();
  });

  it("has nothing of a transaction whose work throws", () => {
    const database = openDatabase(path, first);
    const broken = () =>
      inTransaction(database, () => {
        database.exec("INSERT INTO note VALUES ('lost')");
        throw new Error("no");
      });
    expect(broken).toThrow("no");
    expect(database.prepare("SELECT count(*) AS notes FROM note").get()).toEqual({ notes: 0 });
    database.close();
  });
});
