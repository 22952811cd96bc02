/** What is special to the journal in a SQLite file; what every journal must do is in testing/journal-contract.ts. */
import { execFileSync } from "node:child_process";
import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../platform/sqlite.ts";
import { journalMigrations } from "./journal-schema.ts";
import { openJournal } from "./open-journal.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-journal-"));
  path = join(folder, "state", "journal.db");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("a journal's file", () => {
  it("is private to its owner", async () => {
    const journal = await openJournal(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await journal.close();
  });

  it("is refused when it is no journal", async () => {
    await (await openJournal(path)).close();
    await writeFile(path, "not a database at all, by far".repeat(400));
    await expect(openJournal(path)).rejects.toMatchObject({
      code: "journal.failed",
      message: `the journal ${path} failed: it is not a database`,
      hint: "move the file away; copies of the runs are in the vault",
    });
  });

  it("is refused when a page of it is damaged", async () => {
    const database = openDatabase(path, journalMigrations);
    for (let row = 1; row <= 500; row += 1)
      database.prepare("INSERT INTO shown_plan (digest, document) VALUES (?, ?)").run(String(row), "x".repeat(100));
    database.close();
    const file = await open(path, "r+");
    const { size } = await file.stat();
    await file.write(Buffer.alloc(4096, 0x5a), 0, 4096, size - 8192);
    await file.close();
    await expect(openJournal(path)).rejects.toMatchObject({ code: "journal.failed" });
  });

  it("is refused when a newer version has written it", async () => {
    openDatabase(path, [...journalMigrations, "CREATE TABLE later (x TEXT)"]).close();
    await expect(openJournal(path)).rejects.toMatchObject({
      code: "journal.failed",
      message: `the journal ${path} failed: a newer version of the program has written it`,
      hint: "use the newer version of Refloat",
    });
  });

  it("is refused where no file can be", async () => {
    await expect(openJournal("/dev/null/journal.db")).rejects.toMatchObject({ code: "journal.failed" });
  });

  it("is refused on a file system that is read-only", async () => {
    await (await openJournal(path)).close();
    const program = join(folder, "open.mjs");
    const module = JSON.stringify(fileURLToPath(new URL("open-journal.ts", import.meta.url)));
    await writeFile(
      program,
      `import { openJournal } from ${module};
      await openJournal(process.argv[2]).catch(({ code, message }) => console.log(JSON.stringify({ code, message })));`,
    );
    const script = `mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" "$3" "$4"`;
    const state = join(folder, "state");
    const args = ["-Urm", "sh", "-c", script, "sh", state, process.execPath, program, path];
    expect(JSON.parse(execFileSync("unshare", args, { encoding: "utf8" }))).toMatchObject({
      code: "journal.failed",
      message: expect.stringMatching(/failed: (the file system is read-only|it may not be written)$/) as unknown,
    });
  });

  it("keeps what it has when the disk fills up, and says so", () => {
    // A file system of half a megabyte in a mount name space of its own, which goes with the process.
    const program = fileURLToPath(new URL("../testing/fill-journal.ts", import.meta.url));
    const script = `mount -t tmpfs -o size=512k none "$1" && exec "$2" "$3" "$1"`;
    const mountPoint = folder;
    const said = execFileSync("unshare", ["-Urm", "sh", "-c", script, "sh", mountPoint, process.execPath, program], {
      encoding: "utf8",
    });
    expect(JSON.parse(said)).toEqual({
      code: "journal.failed",
      message: `the journal ${mountPoint}/journal.db failed: the disk is full`,
      hint: "make room on that file system, then resume the run; what was journaled before is safe",
      eventsAreThoseThatWereConfirmed: true,
      runState: "running",
      writesAgainWhenThereIsRoom: true,
    });
  });
});

describe("a journal that is forgotten", () => {
  it("does not keep its process alive", () => {
    const module = JSON.stringify(fileURLToPath(new URL("open-journal.ts", import.meta.url)));
    const program = `import { openJournal } from ${module};
      const journal = await openJournal(${JSON.stringify(path)});
      await journal.listRuns();`;
    const options = { timeout: 60_000 };
    expect(() => execFileSync(process.execPath, ["--input-type=module", "--eval", program], options)).not.toThrow();
  });
});
