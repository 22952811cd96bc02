/**
 * A service whose points are worth looking into: a database with awkward values, a folder with awkward names, a release behind a link.
 * Tests change it between captures.
 */
import { chmod, link, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PostgresServer, startPostgresServer } from "../../../src/testing/postgres-server.ts";
import { query } from "../../../src/testing/query.ts";
import { type RefloatInside, refloatInside } from "./refloat-inside.ts";
import { declareIn } from "./declare.ts";

export type GranularService = {
  readonly folder: string;
  readonly uploads: string;
  readonly server: PostgresServer;
  readonly refloat: RefloatInside;
  readonly sql: (text: string) => Promise<readonly Record<string, unknown>[]>;
  /** @returns the id of a new point */
  readonly capture: () => Promise<string>;
  /** After a change of refloat.yaml. */
  readonly reopen: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** No UTF-8: an é of another century. */
export const latinName = Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x2e, 0x74, 0x78, 0x74]);
export const longName = "n".repeat(255);

const within = (folder: string, name: Buffer): Buffer => Buffer.concat([Buffer.from(`${folder}/`), name]);

const makeUploads = async (uploads: string): Promise<void> => {
  await mkdir(`${uploads}/invoices/2026`, { recursive: true });
  await mkdir(`${uploads}/untouched/deep`, { recursive: true });
  for (let n = 0; n < 20; n += 1) await writeFile(`${uploads}/untouched/deep/${n}`, `never changes ${n}`);
  await writeFile(`${uploads}/invoices/2026/1.pdf`, "invoice one\n");
  await writeFile(`${uploads}/invoices/2026/2.pdf`, "invoice two\n");
  await writeFile(`${uploads}/two\nlines\u001B[31m`, "odd\n");
  await writeFile(within(uploads, latinName), "latin\n");
  await writeFile(`${uploads}/${longName}`, "long\n");
  await writeFile(
    `${uploads}/big.bin`,
    Buffer.alloc(9_000_000, "two pieces, since eight mebibytes are the most of one"),
  );
  await writeFile(`${uploads}/script.sh`, "#!/bin/sh\n");
  await chmod(`${uploads}/script.sh`, 0o750);
  await link(`${uploads}/script.sh`, `${uploads}/same.sh`);
  await symlink("/etc/passwd", `${uploads}/absolute`);
  await utimes(`${uploads}/invoices/2026/1.pdf`, 1_700_000_000.125, 1_700_000_000.125);
};

export const startGranularService = async (): Promise<GranularService> => {
  const folder = await mkdtemp(join(tmpdir(), "refloat-granular-"));
  await chmod(folder, 0o755);
  const server = await startPostgresServer();
  const stop = async (): Promise<void> => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const service = await fill(folder, server);
    return {
      ...service,
      stop: async () => {
        await service.refloat.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

const fill = async (folder: string, server: PostgresServer): Promise<Omit<GranularService, "stop">> => {
  const uploads = join(folder, "uploads");
  await makeUploads(uploads);
  await mkdir(join(folder, "releases/2.5.0"), { recursive: true });
  await writeFile(join(folder, "releases/2.5.0/server.js"), "setInterval(() => undefined, 1000);\n");
  await symlink("releases/2.5.0", join(folder, "current"));
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
        type: postgres
        url: ${server.url("shop")}
      uploads:
        type: files
        path: ${uploads}
      app:
        type: process
        release: ${join(folder, "current")}
        start: ${process.execPath} server.js
        ports: 8-9
        environment: { DATABASE_URL: "\${db.url}" }
`,
  );
  await query(server.url("postgres"), "create database shop");
  const sql = (text: string) => query(server.url("shop"), text);
  await sql(`
    create schema "Odd Schema";
    create table orders (id int primary key, "odd, ""column" text, amount numeric);
    insert into orders values (1, 'plain', 1.50), (2, null, null), (3, '', 0), (4, E'tab\\there\\nnew "line", \\\\ and \\\\.', 4), (5, 'ünï', 5);
    create table "Odd Schema"."a.b" (single text);
    insert into "Odd Schema"."a.b" values ('\\.'), (''), (null), ('x');
    create table nothing ();
    insert into nothing default values;
    select lo_from_bytea(0, 'large');
  `);
  const refloat = refloatInside(folder);
  await refloat.succeed(["vault", "init"]);
  return {
    folder,
    uploads,
    server,
    refloat,
    sql,
    reopen: refloat.close,
    capture: async () => {
      const { lines } = await refloat.succeed(["capture", "shop", "--json"]);
      return (lines.at(-1) as { data: { id: string } }).data.id;
    },
  };
};
