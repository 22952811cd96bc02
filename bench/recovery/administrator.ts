/** The peer: the same service saved by pg_dump and restic, and recovered by administrator.sh. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { withClient } from "../../examples/shop/stage/database.ts";
import { endProcessesIn } from "../../examples/shop/stage/processes.ts";
import { directProxy } from "../../examples/shop/stage/proxy.ts";
import type { Shop } from "../../examples/shop/stage/shop.ts";
import { findPostgresBinaries } from "../../src/testing/postgres-server.ts";
import { type Measured, measureProcess } from "./measured-process.ts";

const database = "shop_admin";

export class Administrator {
  readonly #shop: Shop;
  readonly #folder: string;
  readonly #dump: string;
  readonly #target: string;
  readonly #environment: Readonly<Record<string, string>>;

  private constructor(shop: Shop, folder: string, environment: Readonly<Record<string, string>>) {
    this.#shop = shop;
    this.#folder = folder;
    this.#dump = join(folder, "dump");
    this.#target = join(folder, "restored");
    this.#environment = environment;
  }

  /** Takes the backup, which is not timed. `folder` must hold a file `password`. */
  static async prepare(shop: Shop, folder: string, passwordFile: string): Promise<Administrator> {
    await mkdir(folder, { recursive: true });
    const administrator = new Administrator(shop, folder, {
      PATH: `${await findPostgresBinaries()}:${process.env.PATH ?? ""}`,
      RESTIC_REPOSITORY: join(folder, "repository"),
      RESTIC_PASSWORD_FILE: passwordFile,
      RESTIC_CACHE_DIR: join(folder, "cache"),
      PGHOST: "127.0.0.1",
      PGPORT: String(shop.database.port),
      PGUSER: "shop",
      PGPASSWORD: shop.database.shopPassword,
    });
    await administrator.#backUp();
    return administrator;
  }

  /** The dump is not compressed by pg_dump, since restic compresses and deduplicates: the faster of the two for the restore. */
  async #backUp(): Promise<void> {
    const { places } = this.#shop;
    await this.#run("pg_dump", ["--format=directory", "--compress=0", "--jobs=2", `--file=${this.#dump}`, "shop"]);
    await this.#run("restic", ["init", "--quiet", "--repository-version", "2"]);
    const sources = [this.#dump, places.uploads, join(places.releases, "2.4.0"), places.proxy];
    await this.#run("restic", ["backup", "--quiet", ...sources]);
    await rm(this.#dump, { recursive: true });
  }

  /** @param appPort free, for the application beside the live one */
  async recover(appPort: number): Promise<Measured> {
    const { places, proxy, url } = this.#shop;
    return measureProcess("bash", [join(import.meta.dirname, "administrator.sh")], {
      cwd: this.#folder,
      environment: {
        ...this.#environment,
        TARGET: this.#target,
        DUMP: this.#dump,
        RELEASE: join(places.releases, "2.4.0"),
        UPLOADS: places.uploads,
        DATABASE: database,
        DATABASE_URL: this.#shop.databaseUrl(database),
        APP_PORT: String(appPort),
        NODE: process.execPath,
        SWITCH: join(import.meta.dirname, "switch-proxy.ts"),
        SOCKET: proxy.socket,
        SHOP_URL: url,
      },
    });
  }

  /** Puts the service back to how it was before `recover`. Not timed. */
  async reset(livePort: number): Promise<void> {
    await directProxy(this.#shop.proxy.socket, livePort);
    await endProcessesIn(this.#target);
    await withClient(this.#shop.databaseUrl("postgres"), (client) =>
      client.query(`drop database if exists ${database} with (force)`),
    );
    await rm(this.#target, { recursive: true, force: true });
  }

  #run(program: string, args: readonly string[]): Promise<Measured> {
    return measureProcess(program, args, { cwd: this.#folder, environment: this.#environment });
  }
}
