/**
 * The smallest real service: notes in PostgreSQL and their attachments in a folder. A test inserts, captures, does harm,
 * recovers and asks whether what stands behind the stable names is what it should be.
 */
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { type PostgresServer, startPostgresServer } from "../../../src/testing/postgres-server.ts";
import { type RefloatProgram, refloatIn } from "./refloat-program.ts";
import { declareIn } from "./declare.ts";

export type NotesService = {
  readonly folder: string;
  readonly server: PostgresServer;
  readonly refloat: RefloatProgram;
  /** Writes attachment and row, as the application would: the file first. */
  readonly insert: (count: number) => Promise<void>;
  readonly query: (sql: string, database?: string) => Promise<readonly Record<string, unknown>[]>;
  readonly count: (database?: string) => Promise<number>;
  /** SHA-256 over all rows and all attachments behind the stable names. */
  readonly digest: () => Promise<string>;
  readonly databases: () => Promise<readonly string[]>;
  readonly stop: () => Promise<void>;
};

export const startNotesService = async (extraYaml = ""): Promise<NotesService> => {
  const folder = await mkdtemp(join(tmpdir(), "refloat-notes-"));
  await chmod(folder, 0o755);
  const server = await startPostgresServer();
  const docs = join(folder, "docs");
  await mkdir(docs);
  await declareIn(
    folder,
    `services:
  notes:
    components:
      db:
        type: postgres
        url: ${server.url("notes")}
      docs:
        type: files
        path: ${docs}
    invariants:
      attachments-exist:
        every: { db: "select attachment from notes" }
        in: { docs: "*.txt" }
${extraYaml}`,
  );
  const query = async (sql: string, database = "notes") => {
    const client = new Client({ connectionString: server.url(database) });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  await query("create database notes", "postgres");
  await query(
    "create table notes (id bigint generated always as identity primary key, body text not null, attachment text not null)",
  );
  let written = 0;
  const insert = async (count: number): Promise<void> => {
    const names: string[] = [];
    for (let index = 0; index < count; index += 1) {
      written += 1;
      const name = `note-${written}.txt`;
      await writeFile(join(docs, name), `attachment ${written}\n`.repeat(1 + (written % 50)));
      names.push(name);
    }
    await query(
      `insert into notes (body, attachment) select 'body of ' || name, name from unnest(array[${names.map((name) => `'${name}'`).join(",")}]) as name`,
    );
  };
  return {
    folder,
    server,
    refloat: refloatIn(folder),
    insert,
    query,
    count: async (database) => Number((await query("select count(*) as n from notes", database))[0]?.["n"]),
    digest: async () => {
      const hash = createHash("sha256");
      for (const row of await query("select id, body, attachment from notes order by id"))
        hash.update(JSON.stringify(row));
      for (const name of (await readdir(docs)).toSorted()) hash.update(name).update(await readFile(join(docs, name)));
      return hash.digest("hex");
    },
    databases: async () =>
      (await query("select datname from pg_database where not datistemplate order by 1", "postgres")).map((row) =>
        String(row["datname"]),
      ),
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
};
