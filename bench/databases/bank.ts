/**
 * The database that is raced: a durable PostgreSQL server of its own with pgbench's bank, one more table of about a hundredth of the data, a write
 * load that is bounded, and what changes from one day to the next. Writes go to the newest accounts, as customers' do; `--hot 100` spreads
 * them over all.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query, withClient } from "../../src/testing/query.ts";
import { measureProcess } from "../recovery/measured-process.ts";

export type BankSize = {
  /** As pgbench has it: 15 MB each. */
  readonly scale: number;
  /** Share of the accounts that is written to, in percent. */
  readonly hot: number;
};

export const database = "bank";
/** About a hundredth of the data. */
export const smallTable = "invoices";
const accountsPerScale = 100_000;
const invoicesPerScale = 1000;

const settings = {
  shared_buffers: "128MB",
  max_wal_size: "2GB",
  archive_mode: "on",
  archive_command: "true",
  archive_timeout: "60s",
  max_slot_wal_keep_size: "20GB",
  log_min_messages: "error",
};

const invoices = (rows: number): string => `
create table ${smallTable} (
  id int primary key, account int not null, made_at timestamptz not null, amount numeric(12, 2) not null, note text not null
);
insert into ${smallTable}
  select n, 1 + (random() * 1e5)::int, now() - n * interval '1 minute', (random() * 1e4)::numeric(12, 2), md5(n::text) || md5((-n)::text)
  from generate_series(1, ${rows}) as n;
create index on ${smallTable} (account);`;

const transaction = (first: number, last: number, scale: number): string => `
\\set aid random(${first}, ${last})
\\set bid random(1, ${scale})
\\set tid random(1, ${scale * 10})
\\set delta random(-5000, 5000)
begin;
update pgbench_accounts set abalance = abalance + :delta where aid = :aid;
select abalance from pgbench_accounts where aid = :aid;
update pgbench_tellers set tbalance = tbalance + :delta where tid = :tid;
update pgbench_branches set bbalance = bbalance + :delta where bid = :bid;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (:tid, :bid, :aid, :delta, current_timestamp);
end;
`;

export type Rate = { readonly perSecond: number; readonly latencyMs: number };

type Transaction = { readonly endedMs: number; readonly tookMs: number };

/** Transactions at a steady rate until it is ended. */
export class Load {
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string) {
    this.#process = child;
    this.#folder = folder;
  }

  static async begin(bank: Bank, perSecond: number, folder: string): Promise<Load> {
    await mkdir(folder);
    const script = join(folder, "transaction.sql");
    await writeFile(script, bank.transaction);
    const args = ["-n", "-c", "4", "-j", "1", "-R", String(perSecond), "-T", "86400", "-l", "--log-prefix", "done"];
    const child = spawn(join(bank.server.binaries, "pgbench"), [...args, "-f", script, bank.url], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
    await sleep(2000);
    if (child.exitCode !== null) throw new Error("the load has ended by itself");
    return new Load(child, folder);
  }

  /** @returns how many a second ended between two moments, and how late they were done: what had to wait for its turn is late */
  async end(): Promise<(fromMs: number, toMs: number) => Rate> {
    // It writes its record some hundred lines at a time, and not what is left when it is ended.
    await sleep(2000);
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    await exited;
    const done: Transaction[] = [];
    for (const name of (await readdir(this.#folder)).filter((file) => file.startsWith("done")))
      for (const line of (await readFile(join(this.#folder, name), "utf8")).split("\n").slice(0, -1)) {
        const [, , tookUs, , seconds, microseconds] = line.split(" ").map(Number);
        done.push({ endedMs: (seconds ?? 0) * 1000 + (microseconds ?? 0) / 1000, tookMs: (tookUs ?? 0) / 1000 });
      }
    return (fromMs, toMs) => {
      const between = done.filter(({ endedMs }) => endedMs >= fromMs && endedMs < toMs);
      const latencyMs = between.reduce((sum, { tookMs }) => sum + tookMs, 0) / Math.max(1, between.length);
      return { perSecond: between.length / ((toMs - fromMs) / 1000), latencyMs };
    };
  }
}

export class Bank {
  readonly server: PostgresServer;
  readonly #size: BankSize;

  private constructor(server: PostgresServer, size: BankSize) {
    this.server = server;
    this.#size = size;
  }

  /** @param folder is made */
  static async open(folder: string, size: BankSize): Promise<Bank> {
    const server = await startPostgresServer({ directory: folder, durable: true, settings });
    try {
      await query(server.url("postgres"), `create database ${database}`);
      const bank = new Bank(server, size);
      const fill = ["-i", "-q", "-s", String(size.scale), bank.url];
      await measureProcess(join(server.binaries, "pgbench"), fill, { cwd: "/" });
      await bank.ask(invoices(size.scale * invoicesPerScale));
      await bank.ask("vacuum freeze analyze");
      await bank.ask("checkpoint");
      return bank;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get url(): string {
    return this.server.url(database);
  }

  /** An empty server like this one. @param folder is made */
  openBeside(folder: string): Promise<PostgresServer> {
    return startPostgresServer({ directory: folder, durable: true, settings });
  }

  get #hotFrom(): number {
    return 1 + Math.floor((this.#accounts * (100 - this.#size.hot)) / 100);
  }

  get #accounts(): number {
    return this.#size.scale * accountsPerScale;
  }

  get transaction(): string {
    return transaction(this.#hotFrom, this.#accounts, this.#size.scale);
  }

  ask<Row>(sql: string): Promise<readonly Row[]> {
    return query<Row>(this.url, sql);
  }

  /** What a day changes: a hundredth of the accounts, and as many lines of history. */
  async passDay(): Promise<void> {
    const span = this.#accounts - this.#hotFrom + 1;
    const count = Math.floor(this.#accounts / 100);
    await this.ask(`
      with chosen as (
        select distinct (${this.#hotFrom} + floor(random() * ${span}))::int as aid from generate_series(1, ${count})
      )
      update pgbench_accounts a set abalance = abalance + 1 from chosen where a.aid = chosen.aid;
      insert into pgbench_history (tid, bid, aid, delta, mtime)
        select 1 + n % 10, 1, n, 1, now() from generate_series(1, ${count}) as n;`);
    await this.ask("checkpoint");
  }

  async sizes(): Promise<{ readonly all: number; readonly table: number }> {
    const [row] = await this.ask<{ all: number; table: number }>(
      `select pg_database_size(current_database())::float8 as all, pg_total_relation_size('${smallTable}')::float8 as table`,
    );
    if (row === undefined) throw new Error("the server does not say how large the database is");
    return row;
  }

  /** Reads the whole database. @returns what two equal copies say alike */
  static async contentOf(url: string): Promise<string> {
    return withClient(url, async (client) => {
      const { rows } = await client.query(
        `select (select sum(abalance::bigint * aid) from pgbench_accounts), (select sum(hashtext(h::text)::bigint) from pgbench_history h),
           (select sum(hashtext(i::text)::bigint) from ${smallTable} i)`,
      );
      return JSON.stringify(rows);
    });
  }
}
