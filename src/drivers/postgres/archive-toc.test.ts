import { execa } from "execa";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeOnReleases } from "../../testing/describe-on-releases.ts";
import { newerRelease } from "../../testing/newer-postgres.ts";
import { fillNastyDatabase } from "../../testing/nasty-database.ts";
import { type PostgresServer, startPostgresServer } from "../../testing/postgres-server.ts";
import { query, withClient } from "../../testing/query.ts";
import { type ArchiveToc, TocReader, formatDirectoryToc, parseDirectoryToc } from "./archive-toc.ts";

describeOnReleases("archives of pg_dump", (binaries) => {
  let server: PostgresServer;
  let folder: string;

  beforeAll(async () => {
    server = await startPostgresServer({ binaries });
    folder = await mkdtemp(join(tmpdir(), "refloat-toc-"));
    await query(server.url("postgres"), "create database shop");
    await withClient(server.url("shop"), (client) => fillNastyDatabase(client, "shop", 50));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await server.stop();
  });

  const readCustom = async (pieces: number): Promise<ArchiveToc | undefined> => {
    const { stdout } = await execa(`${server.binaries}/pg_dump`, ["-Fc", "-Z0", "-d", server.url("shop")], {
      encoding: "buffer",
    });
    const reader = new TocReader();
    let toc: ArchiveToc | undefined;
    for (let at = 0; at < stdout.length && toc === undefined; at += pieces) {
      toc = reader.push(stdout.subarray(at, at + pieces));
    }
    return toc;
  };

  test("a custom archive's table of contents becomes the toc.dat that pg_dump -Fd writes, byte for byte", async () => {
    const toc = await readCustom(777);
    await execa(`${server.binaries}/pg_dump`, ["-Fd", "-Z0", "-f", join(folder, "d"), "-d", server.url("shop")]);
    const expected = await readFile(join(folder, "d", "toc.dat"));
    const made = toc === undefined ? Buffer.alloc(0) : formatDirectoryToc(toc);
    // The header has the second of the dump in it: seven integers of five bytes after magic, version, sizes and compression, which is an integer in 1.14.
    const begin = 5 + 6 + (made[6] === 14 ? 5 : 1);
    const end = begin + 7 * 5;
    expect(made.length).toBe(expected.length);
    expect(made.subarray(0, begin).equals(expected.subarray(0, begin))).toBe(true);
    expect(made.subarray(end).equals(expected.subarray(end))).toBe(true);
    expect(parseDirectoryToc(made)).toEqual(toc);
  });

  test("pg_restore lists what we wrote", async () => {
    const toc = await readCustom(1 << 20);
    if (toc === undefined) throw new Error("no table of contents");
    await writeFile(join(folder, "toc.dat"), formatDirectoryToc(toc));
    const { stdout } = await execa(`${server.binaries}/pg_restore`, ["-l", folder]);
    expect(stdout).toContain("TABLE DATA public products postgres");
    expect(stdout).toContain("Format: DIRECTORY");
  });

  test("a table of contents that ends early is never taken for a whole one", async () => {
    const toc = await readCustom(1 << 20);
    if (toc === undefined) throw new Error("no table of contents");
    const whole = formatDirectoryToc(toc);
    expect(() => parseDirectoryToc(whole.subarray(0, -1))).toThrow(expect.objectContaining({ code: "program.failed" }));
  });
});

test("an unknown archive version is refused before anything else is believed", () => {
  const header = Buffer.from([...Buffer.from("PGDMP"), 1, 17, 0, 4, 8, 1]);
  expect(() => new TocReader().push(header)).toThrow(
    expect.objectContaining({ code: "program.version", message: expect.stringContaining("1.17") }),
  );
  expect(() => new TocReader().push(Buffer.from("PGDMX......."))).toThrow(
    expect.objectContaining({ code: "program.failed" }),
  );
});

/** Version 1.15 is that of pg_dump 16 alone, which no suite of Debian has: a newer pg_restore says whether ours is one. */
const reader = newerRelease(17);

test.skipIf(reader.missing)(`an archive of version 1.15 is what ${reader.name} takes it for`, async () => {
  const older = await startPostgresServer();
  const place = await mkdtemp(join(tmpdir(), "refloat-toc-"));
  try {
    await query(older.url("postgres"), "create table things (id int primary key)");
    const { stdout } = await execa(`${older.binaries}/pg_dump`, ["-Fc", "-Z0", "-d", older.url("postgres")], {
      encoding: "buffer",
    });
    const toc = new TocReader().push(stdout);
    if (toc === undefined) throw new Error("no table of contents");
    // Between 1.14 and 1.15 nothing but the header differs.
    const changed = { ...toc, minor: 15 } as const;
    await writeFile(join(place, "toc.dat"), formatDirectoryToc(changed));
    const listed = await execa(`${reader.binaries}/pg_restore`, ["-l", place]);
    expect(listed.stdout).toContain("Dump Version: 1.15-0");
    expect(listed.stdout).toContain("TABLE DATA public things postgres");
    expect(parseDirectoryToc(await readFile(join(place, "toc.dat")))).toEqual(changed);
  } finally {
    await rm(place, { recursive: true, force: true });
    await older.stop();
  }
});
