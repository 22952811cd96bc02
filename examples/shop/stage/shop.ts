/**
 * A whole shop in one folder, on free loopback ports: PostgreSQL, the application, HAProxy, uploads. Real programs, started as an
 * operator would; they outlive the process that opened the shop and end by `close`.
 */
import { randomBytes } from "node:crypto";
import { chmod, copyFile, mkdir, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findFreePort } from "../../../src/testing/free-port.ts";
import { startPostgresServer } from "../../../src/testing/postgres-server.ts";
import { type AppProcess, runInRelease, startApp, stopApp } from "./app-process.ts";
import { type DatabaseAccess, type ShopSize, createDatabase, shopUrl } from "./database.ts";
import { type ShopPlaces, shopPlaces } from "./places.ts";
import { endProcessesIn } from "./processes.ts";
import { type Proxy, directProxy, startProxy } from "./proxy.ts";
import { deliverRelease, makeCurrent } from "./release.ts";

export type ShopOptions = ShopSize & {
  /** Absolute; made when it is not there. Its parents must let the user `postgres` pass when we are root. */
  readonly folder: string;
  readonly tell: (message: string) => void;
};

export class Shop {
  readonly places: ShopPlaces;
  readonly database: DatabaseAccess;
  readonly proxy: Proxy;
  readonly appPorts: readonly [number, number];
  #app: AppProcess;

  private constructor(parts: {
    readonly places: ShopPlaces;
    readonly database: DatabaseAccess;
    readonly proxy: Proxy;
    readonly appPorts: readonly [number, number];
    readonly app: AppProcess;
  }) {
    this.places = parts.places;
    this.database = parts.database;
    this.proxy = parts.proxy;
    this.appPorts = parts.appPorts;
    this.#app = parts.app;
  }

  /** Opens a shop with release 2.4.0. On failure everything that was started is ended again. */
  static async open(options: ShopOptions): Promise<Shop> {
    await mkdir(options.folder, { recursive: true });
    // Not by mkdir's mode, which a strict umask takes away from: the server's own user must pass.
    await chmod(options.folder, 0o755);
    const places = shopPlaces(await realpath(options.folder));
    try {
      return await Shop.#build(places, options);
    } catch (error) {
      await endProcessesIn(places.folder);
      throw error;
    }
  }

  static async #build(places: ShopPlaces, options: ShopOptions): Promise<Shop> {
    for (const folder of [places.logs, places.releases, places.runtime, join(places.uploads, "invoices")]) {
      await mkdir(folder, { recursive: true });
    }
    const superuserPassword = randomBytes(18).toString("base64url");
    const shopPassword = randomBytes(18).toString("base64url");
    await writeFile(places.databasePassword, shopPassword, { mode: 0o600 });
    options.tell("starting PostgreSQL");
    const server = await startPostgresServer({
      directory: places.postgres,
      password: superuserPassword,
      durable: true,
      settings: { max_wal_size: "4GB", shared_buffers: "256MB" },
    });
    const database = { port: server.port, superuserPassword, shopPassword };
    options.tell(`filling the database: ${options.orders.toLocaleString("en")} orders`);
    await createDatabase(database, options);
    const release = await deliverRelease("2.4.0", places.releases);
    await makeCurrent(release, places.current);
    options.tell(`writing ${options.invoices.toLocaleString("en")} invoices`);
    const surroundings = { release, databaseUrl: shopUrl(database), uploads: places.uploads };
    await runInRelease("write-invoices.js", { ...surroundings, logFile: join(places.logs, "invoices.log") });
    // One live, one free.
    const firstPort = await findFreePort(2);
    const appPorts = [firstPort, firstPort + 1] as const;
    const app = await startApp({ ...surroundings, port: appPorts[0], logFile: join(places.logs, "app.log") });
    const proxy = await startProxy({
      folder: places.proxy,
      runtime: places.runtime,
      port: await findFreePort(),
      appPort: app.port,
      logFile: join(places.logs, "haproxy.log"),
    });
    return new Shop({ places, database, proxy, appPorts, app });
  }

  get url(): string {
    return `http://127.0.0.1:${this.proxy.port}`;
  }

  databaseUrl(database = "shop"): string {
    return shopUrl(this.database, database);
  }

  /** The upgrade as it was done: migrate, start the new release beside the old one, direct the proxy, stop the old one. */
  async upgrade(version: string): Promise<void> {
    const release = await deliverRelease(version, this.places.releases);
    const surroundings = { release, databaseUrl: this.databaseUrl(), uploads: this.places.uploads };
    await runInRelease("migrate.js", { ...surroundings, logFile: join(this.places.logs, "migrate.log") });
    const [first, second] = this.appPorts;
    const port = this.#app.port === first ? second : first;
    const next = await startApp({ ...surroundings, port, logFile: join(this.places.logs, "app.log") });
    await directProxy(this.proxy.socket, port);
    await makeCurrent(release, this.places.current);
    await stopApp(this.#app);
    this.#app = next;
  }

  /** What the operator does once the mistake is understood: the corrected migration takes the place of the wrong one. */
  async correctMigration(version: string): Promise<void> {
    const release = join(this.places.releases, version);
    await copyFile(join(release, "migrate-fixed.js"), join(release, "migrate.js"));
  }

  /** Ends all of its programs. Idempotent. */
  async close(): Promise<void> {
    await endProcessesIn(this.places.folder);
  }
}
