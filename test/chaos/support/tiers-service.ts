/**
 * A service of many programs, for whoever kills them: databases of two servers, files, a tool behind declared lines with its hooks, an application that
 * is started, tried and migrated, a fence and traffic by lines, checks and links by lines. A test damages it, and asks what stands behind its names.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type TestFolder, createTestFolder } from "../../../src/testing/driver-context.ts";
import { findFreePort } from "../../../src/testing/free-port.ts";
import { type MariadbServer, startMariadbServer } from "../../../src/testing/mariadb-server.ts";
import { type PostgresServer, startPostgresServer } from "../../../src/testing/postgres-server.ts";
import { listProcesses, readPlaces, signalProcess } from "../../../src/platform/process-table.ts";
import { query } from "../../../src/testing/query.ts";
import { declareIn } from "../../e2e/support/declare.ts";
import { type RefloatProgram, refloatIn } from "../../e2e/support/refloat-program.ts";

/** Answers 200 only on a database that its migration has been at. */
const application = `
const { execFile } = require("node:child_process");
const ask = "select count(*) = 1 from releases where name = 'second'";
require("node:http").createServer((request, response) =>
  execFile("psql", [process.env.DB, "-tAc", ask], (error, out) => {
    response.statusCode = error === null && out.trim() === "t" ? 200 : 500;
    response.end(error === null ? out : String(error));
  }),
).listen(Number(process.env.PORT), "127.0.0.1");
`;

const migration = "insert into releases values ('second') on conflict do nothing";

/** A pause in each line that would be over before anybody could kill it. */
const slow = "sleep 0.05;";

const services = (
  at: (name: string) => string,
  given: { readonly db: string; readonly stock: string; readonly port: number },
) => `services:
  shop:
    quiesce: { freeze: "${slow} touch ${at("marks/frozen")}", thaw: "${slow} rm -f ${at("marks/frozen")}", atMost: 30s }
    fence:
      - name: old side
        command: ${slow} touch ${at("marks/fenced")}
        proof: ${slow} test -e ${at("marks/fenced")}
        release: ${slow} rm -f ${at("marks/fenced")}
    components:
      db:
        type: postgres
        url: "${given.db}"
        checks: [{ command: '${slow} test "$(psql "$REFLOAT_URL" -tAc "select count(*) from orders")" -gt 0' }]
      stock:
        type: mariadb
        url: "${given.stock}"
        password: "\${file:${at("db-password")}}"
      receipts: { type: files, path: ${at("receipts")}, reload: "${slow} touch ${at("marks/reloaded")}" }
      search:
        type: command
        name: ${at("search")}
        capture: ${slow} tar -C "$REFLOAT_NAME" --sort=name -cf - .
        restore: mkdir "$REFLOAT_NAME" && tar -C "$REFLOAT_NAME" -xf - && ${slow}
        inspect: ${slow} if [ -d "$REFLOAT_NAME" ]; then echo done; else echo absent; fi
        drop: ${slow} rm -rf -- "$REFLOAT_NAME"
        facts: ${slow} printf '{"files":%s}' "$(find "$REFLOAT_NAME" -type f | wc -l)"
        position: ${slow} cat "$REFLOAT_NAME/revision"
        stop: ${slow} rm -f ${at("marks/searching")}
        reload: ${slow} touch ${at("marks/searching")}
      app:
        type: process
        release: ${at("app")}
        start: exec ${process.execPath} server.js
        migrate: ${slow} psql "$DB" -qc "${migration}"
        ports: ${given.port}-${given.port + 3}
        environment: { PORT: "\${self.port}", DB: "\${db.url}" }
        checks: [{ http: "\${self.url}/" }]
    invariants:
      reserved: { every: { db: "select id from orders" }, in: { stock: "select id from reservations" } }
      shown: { every: { db: "select id || '.txt' from orders" }, in: { receipts: { shell: '${slow} ls "$REFLOAT_PATH"' } } }
    cutover:
      - command: ${slow} printf %s "$REFLOAT_TO" > ${at("marks/traffic")}
        observe: ${slow} cat ${at("marks/traffic")}
        to: \${app.address}
`;

/** What stands beside the service: databases of both servers, and names in its folder. */
export type Places = {
  readonly postgres: readonly string[];
  readonly mariadb: readonly string[];
  readonly folder: readonly string[];
};

export type Digests = Readonly<Record<string, string>>;

export class TiersService {
  readonly #folder: TestFolder;
  readonly #postgres: PostgresServer;
  readonly #mariadb: MariadbServer;
  #application: ChildProcess | undefined;
  readonly refloat: RefloatProgram;

  private constructor(folder: TestFolder, postgres: PostgresServer, mariadb: MariadbServer) {
    this.#folder = folder;
    this.#postgres = postgres;
    this.#mariadb = mariadb;
    this.refloat = refloatIn(folder.path);
  }

  static async start(): Promise<TiersService> {
    const folder = await createTestFolder("refloat-tiers");
    await chmod(folder.path, 0o755);
    const [postgres, mariadb] = await Promise.all([startPostgresServer(), startMariadbServer()]);
    const service = new TiersService(folder, postgres, mariadb);
    try {
      await service.#build();
    } catch (error) {
      await service.stop();
      throw error;
    }
    return service;
  }

  get folder(): string {
    return this.#folder.path;
  }

  at(name: string): string {
    return join(this.folder, name);
  }

  async #build(): Promise<void> {
    const at = (name: string): string => this.at(name);
    const port = await findFreePort(4);
    const [postgres, mariadb] = [this.#postgres, this.#mariadb];
    await query(postgres.url("postgres"), "create database shop");
    await query(
      postgres.url("shop"),
      "create table orders (id int primary key, note text); create table releases (name text primary key)",
    );
    await query(postgres.url("shop"), "insert into orders select n, 'order ' || n from generate_series(1, 50) n");
    await mariadb.sql(
      "CREATE DATABASE stock; CREATE USER keeper@'127.0.0.1' IDENTIFIED BY 'a word'; GRANT ALL ON *.* TO keeper@'127.0.0.1';",
    );
    await mariadb.sql(
      "CREATE TABLE reservations (id INT PRIMARY KEY, held INT); INSERT INTO reservations SELECT seq, 1 FROM seq_1_to_50;",
      "stock",
    );
    for (const name of ["receipts", "search", "app", "marks"]) await mkdir(at(name));
    for (let id = 1; id <= 50; id += 1) await writeFile(at(`receipts/${id}.txt`), `order ${id}\n`);
    for (const [name, text] of [
      ["db-password", "a word"],
      ["search/index", "a line of the index\n".repeat(1_000)],
      ["search/revision", "7\n"],
      ["app/server.js", application],
    ] as const)
      await writeFile(at(name), text, { mode: 0o600 });
    await declareIn(
      this.#folder.path,
      services(at, { db: postgres.url("shop"), stock: mariadb.url("stock", "keeper"), port }),
    );
    await this.refloat.succeed(["vault", "init"]);
    await this.refloat.succeed(["capture", "shop"]);
    await query(postgres.url("shop"), migration);
    await writeFile(at("marks/traffic"), `127.0.0.1:${port}`);
    this.#application = spawn(process.execPath, ["server.js"], {
      cwd: at("app"),
      env: { ...process.env, PORT: String(port), DB: postgres.url("shop") },
      stdio: "ignore",
    });
    while (!(await this.answers())) await delay(50);
  }

  /** Does what traffic goes to answer? */
  async answers(): Promise<boolean> {
    const address = await readFile(this.at("marks/traffic"), "utf8");
    return fetch(`http://${address}/`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  /** Each tier in its own way; another digest than that of any damage before. */
  async damage(round: number): Promise<void> {
    await query(this.#postgres.url("shop"), `update orders set note = 'damaged ${round}'`);
    await this.#mariadb.sql(`UPDATE reservations SET held = ${round + 2};`, "stock");
    await writeFile(this.at("receipts/1.txt"), `damaged ${round}\n`);
    await writeFile(this.at("search/index"), `damaged ${round}\n`);
    for (const mark of ["fenced", "frozen", "reloaded"]) await rm(this.at(`marks/${mark}`), { force: true });
  }

  /** Has the service been held still, and does nobody let it go on? */
  isFrozen(): boolean {
    return existsSync(this.at("marks/frozen"));
  }

  /** Of each tier, over what stands behind its stable name. */
  async digests(): Promise<Digests> {
    const of = (...parts: readonly string[]): string => {
      const hash = createHash("sha256");
      for (const part of parts) hash.update(part).update("\0");
      return hash.digest("hex").slice(0, 12);
    };
    const tree = async (name: string): Promise<string> => {
      const files = (await readdir(this.at(name))).toSorted();
      return of(...files, ...(await Promise.all(files.map((file) => readFile(this.at(`${name}/${file}`), "utf8")))));
    };
    return {
      db: of(JSON.stringify(await query(this.#postgres.url("shop"), "select * from orders order by id"))),
      stock: of(await this.#mariadb.sql("SELECT * FROM reservations ORDER BY id;", "stock")),
      receipts: await tree("receipts"),
      search: await tree("search"),
    };
  }

  async places(): Promise<Places> {
    const databases = await query<{ datname: string }>(
      this.#postgres.url("postgres"),
      "select datname from pg_database where not datistemplate order by 1",
    );
    return {
      postgres: databases.map(({ datname }) => datname),
      mariadb: (await this.#mariadb.sql("SHOW DATABASES;")).trim().split("\n").toSorted(),
      folder: (await readdir(this.#folder.path)).toSorted(),
    };
  }

  async stop(): Promise<void> {
    this.#application?.kill("SIGKILL");
    // Those that recoveries have started run from the release, under the name that it had then.
    for (const row of listProcesses())
      if (readPlaces(row.pid).workingDirectory?.startsWith(`${this.folder}/`) === true) signalProcess(row, "SIGKILL");
    await Promise.all([this.#postgres.stop(), this.#mariadb.stop()]);
    await this.#folder.remove();
  }
}
