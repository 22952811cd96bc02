/**
 * A shop in two places on one machine: each with a PostgreSQL server of its own, a folder of invoices and an application; one proxy leads users to one
 * of them. Orders are placed as customers do, and what was acknowledged is remembered.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endListeners } from "../../../src/testing/end-listeners.ts";
import { findFreePort } from "../../../src/testing/free-port.ts";
import { type HaproxyServer, startHaproxy } from "../../../src/testing/haproxy-server.ts";
import { type PostgresServer, startPostgresServer } from "../../../src/testing/postgres-server.ts";
import { query as askServer } from "../../../src/testing/query.ts";
import { type RefloatProgram, refloatIn } from "./refloat-program.ts";

export type Place = {
  readonly name: "home" | "dr";
  readonly folder: string;
  readonly file: string;
  readonly server: PostgresServer;
  readonly ports: readonly [number, number];
  /** As a machine of its own: its file and its state folder. */
  readonly refloat: RefloatProgram;
  readonly query: (sql: string, database?: string) => Promise<readonly Record<string, unknown>[]>;
  /** Orders whose row and whose invoice are behind the stable names. */
  readonly orders: () => Promise<readonly string[]>;
  readonly databases: () => Promise<readonly string[]>;
};

export type TwoPlaces = {
  readonly home: Place;
  readonly dr: Place;
  readonly proxy: HaproxyServer;
  /** Places one by way of the proxy. @returns whether it was acknowledged */
  readonly order: (name: string) => Promise<boolean>;
  readonly acknowledged: () => readonly string[];
  /** Of those who answer users now: `home`, `dr`; null when nobody does. */
  readonly serving: () => Promise<string | null>;
  readonly stop: () => Promise<void>;
};

/** Writes the invoice, then the row, then says yes. */
const application = `
const { createServer } = require("node:http");
const { writeFileSync } = require("node:fs");
const { createRequire } = require("node:module");
const { Pool } = createRequire(process.env.MODULES)("pg");
const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 3, connectionTimeoutMillis: 6000 });
pool.on("error", () => undefined);
createServer(async (request, response) => {
  try {
    const name = decodeURIComponent(request.url.slice(1).split("/")[1] ?? "");
    if (request.method === "POST") {
      writeFileSync(process.env.INVOICES + "/" + name + ".pdf", "invoice of " + name);
      await pool.query("insert into orders (name, invoice) values ($1, $2)", [name, name + ".pdf"]);
    } else await pool.query("select count(*) from orders");
    response.end(process.env.PLACE);
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error));
  }
}).listen(Number(process.env.PORT), "127.0.0.1");
`;

const modules = join(import.meta.dirname, "../../../package.json");

const makePlace = async (root: string, name: Place["name"], proxy: HaproxyServer): Promise<Place> => {
  const folder = join(root, name);
  await mkdir(folder);
  const server = await startPostgresServer();
  const first = await findFreePort(2);
  const ports = [first, first + 1] as const;
  const file = join(root, `${name}.yaml`);
  await writeFile(
    file,
    `vault:
  url: ${join(root, "vault")}
  password: \${file:${join(root, "password")}}
services:
  shop:
    probe: { http: "${proxy.url}/health" }
    components:
      db:
        type: postgres
        url: ${server.url("shop")}
      invoices: { type: files, path: ${join(folder, "invoices")} }
      app:
        type: process
        release: ${join(folder, "app")}
        start: exec ${process.execPath} server.js
        ports: ${ports.join("-")}
        environment:
          PORT: \${self.port}
          DATABASE_URL: \${db.url}
          INVOICES: \${invoices.path}
          MODULES: ${modules}
          PLACE: ${name}
        checks:
          - http: \${self.url}/health
    invariants:
      invoices-exist:
        every: { db: "select invoice from orders" }
        in: { invoices: "*.pdf" }
    cutover:
      - haproxy: shop/app
        socket: ${proxy.socket}
        to: \${app.address}
`,
  );
  const query = (sql: string, database = "shop") => askServer(server.url(database), sql);
  const program = refloatIn(root, join(root, `state-${name}`));
  const own = { REFLOAT_CONFIG: file };
  return {
    name,
    folder,
    file,
    server,
    ports,
    refloat: {
      run: (args, environment) => program.run(args, { ...own, ...environment }),
      succeed: (args, environment) => program.succeed(args, { ...own, ...environment }),
      spawn: (args, environment) => program.spawn(args, { ...own, ...environment }),
    },
    query,
    orders: async () => {
      const rows = (await query("select name from orders")).map((row) => String(row["name"]));
      const files = new Set(await readdir(join(folder, "invoices")));
      return rows.filter((row) => files.has(`${row}.pdf`)).toSorted();
    },
    databases: async () =>
      (await query("select datname from pg_database where not datistemplate order by 1", "postgres")).map((row) =>
        String(row["datname"]),
      ),
  };
};

/** A shop that is open at home, with some orders, and a vault. Nothing is elsewhere yet. */
export const openTwoPlaces = async (): Promise<TwoPlaces & { readonly closeHome: () => Promise<void> }> => {
  const root = await mkdtemp(join(tmpdir(), "refloat-two-places-"));
  await chmod(root, 0o755);
  await writeFile(join(root, "password"), "correct horse battery staple\n", { mode: 0o600 });
  const first = await findFreePort();
  const proxy = await startHaproxy({ servers: { app: `127.0.0.1:${first}` } });
  const home = await makePlace(root, "home", proxy);
  const dr = await makePlace(root, "dr", proxy);
  await mkdir(join(home.folder, "invoices"));
  await mkdir(join(home.folder, "app"));
  await writeFile(join(home.folder, "app/server.js"), application);
  await home.query("create database shop", "postgres");
  await home.query("create table orders (id bigint generated always as identity primary key, name text, invoice text)");
  const [port] = home.ports;
  const live: ChildProcess = spawn(process.execPath, ["server.js"], {
    cwd: join(home.folder, "app"),
    stdio: "ignore",
    env: {
      PORT: String(port),
      DATABASE_URL: home.server.url("shop"),
      INVOICES: join(home.folder, "invoices"),
      MODULES: modules,
      PLACE: "home",
    },
  });
  await proxy.ask(`set server shop/app addr 127.0.0.1 port ${port}`);
  const acknowledged: string[] = [];
  const answer = async (method: "GET" | "POST", path: string): Promise<Response | null> => {
    try {
      const response = await fetch(`${proxy.url}${path}`, { method, signal: AbortSignal.timeout(8_000) });
      return response.ok ? response : null;
    } catch {
      return null;
    }
  };
  const serving = async () => (await (await answer("GET", "/health"))?.text()) ?? null;
  while ((await serving()) === null) await delay(50);
  return {
    home,
    dr,
    proxy,
    order: async (name) => {
      const isTaken = (await answer("POST", `/orders/${name}`)) !== null;
      if (isTaken) acknowledged.push(name);
      return isTaken;
    },
    acknowledged: () => acknowledged.toSorted(),
    serving,
    closeHome: async () => {
      const gone = once(live, "exit");
      live.kill("SIGKILL");
      await gone;
    },
    stop: async () => {
      live.kill("SIGKILL");
      // What recoveries have started outlives them.
      for (const place of [home, dr]) for (const port of place.ports) endListeners(port);
      await proxy.stop();
      await home.server.stop();
      await dr.server.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
};
