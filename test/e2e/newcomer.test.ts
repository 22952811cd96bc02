/** The README's five minutes, run as they stand there, as root on a server that lets people in by their system names: what Debian sets up. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { launcher } from "./support/refloat-program.ts";

const password = "right";

describe.skipIf(process.getuid?.() !== 0)("a newcomer, as root", () => {
  let folder: string;
  let server: PostgresServer;
  let blocks: readonly string[];
  const administrator = (database: string) => server.url(database).replace("@", `:${password}@`);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-newcomer-"));
    await chmod(folder, 0o755);
    server = await startPostgresServer({ password, peer: true });
    await query(administrator("postgres"), "create role notes");
    await query(administrator("postgres"), "create database notes owner notes");
    await query(
      administrator("notes"),
      "create table notes (id int); insert into notes values (1), (2); alter table notes owner to notes",
    );
    await mkdir(join(folder, "notes"));
    await writeFile(join(folder, "notes/first.txt"), "first");
    await mkdir(join(folder, "bin"));
    const program = `#!/bin/sh\nexec "${process.execPath}" "${launcher}" --state "${folder}/state" "$@"\n`;
    await writeFile(join(folder, "bin/refloat"), program, { mode: 0o755 });
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    const section = readme.split("## Five minutes to protect your own")[1]?.split("\n## ")[0] ?? "";
    blocks = [...section.matchAll(/^```\w*\n(.*?)^```$/gms)].map((match) => here(match[1] ?? ""));
    await writeFile(join(folder, "refloat.yaml"), blocks[0] ?? "");
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** The same words with the places of this test, and the answers that a person would type. */
  const here = (text: string): string =>
    text
      .replaceAll("npx refloat", "refloat")
      .replaceAll(/\/(backup|etc|srv)\//g, `${folder}/`)
      .replace("postgres:///notes ", `postgres:///notes?host=${server.socketDirectory}&port=${server.port} `)
      .replace("createuser ", `createuser -h ${server.socketDirectory} -p ${server.port} `)
      .replaceAll("sudo -u postgres", "runuser -u postgres --")
      .replaceAll('--at "2 hours ago"', "--at now")
      .replaceAll(/^(refloat (?:recover|undo|cancel) [^#\n]*)/gm, "$1 --yes ");

  const run = (script: string) =>
    execa("sh", ["-c", `set -eu\n${script}`], {
      cwd: folder,
      all: true,
      reject: false,
      env: { PATH: `${folder}/bin:${process.env["PATH"] ?? ""}`, COLUMNS: "100" },
    });

  test("who leaves the role out is told the line, uncut, and it is enough but for the owner, whose GRANT is told too", async () => {
    const refused = await run("refloat validate --live");
    expect(refused.exitCode).not.toBe(0);
    expect(refused.all).not.toMatch(/pg_hba|password: \$/);
    const line = /next: (sudo -u postgres createuser .* root)$/m.exec(refused.all)?.[1] ?? "no such line";
    expect((await run(line.replace("sudo -u postgres", "runuser -u postgres --"))).all).toBe("");
    const partly = await run("refloat validate --live");
    expect(partly.all).toMatch(/rename the database at the cutover: not its owner/);
    expect(partly.all).toMatch(/^ {4}GRANT "notes" TO "root";$/m);
    await query(administrator("notes"), "drop role root");
  });

  test("gets from the file to a point, a rehearsal, a recovery and back", async () => {
    const protectedNow = await run(blocks[1] ?? "");
    expect(protectedNow.all).toMatch(/all answer/);
    if (protectedNow.exitCode !== 0) throw new Error(protectedNow.all);
    await query(administrator("notes"), "delete from notes");
    const recovered = await run(blocks[2] ?? "");
    if (recovered.exitCode !== 0) throw new Error(recovered.all);
    expect(recovered.all).toMatch(/NOTES IS BACK/);
    expect(await query(administrator("notes"), "select * from notes")).toEqual([]);
    expect(
      await query(administrator("postgres"), "select datname from pg_database where datname like 'notes%' order by 1"),
    ).toEqual([{ datname: "notes" }, { datname: "notes_r2" }]);
  });
});
