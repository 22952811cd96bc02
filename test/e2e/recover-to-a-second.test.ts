/**
 * A cluster that is written to goes back to a moment between two points, by the log that was received: all that was committed before that moment is
 * there, and nothing that was committed after it. And where the log has a gap, no plan pretends.
 */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePort } from "../../src/testing/free-port.ts";
import { afterAll, beforeAll, expect, it } from "vitest";
import { comparePositions } from "../../src/core/logs/log-position.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query, withClient } from "../../src/testing/query.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let server: PostgresServer;
let refloat: RefloatProgram;
let receiving: ReturnType<RefloatProgram["spawn"]>;

const never = new AbortController().signal;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-second-"));
  await chmod(folder, 0o755);
  server = await startPostgresServer({ settings: { max_slot_wal_keep_size: "10GB", synchronous_commit: "on" } });
  await query(server.url("postgres"), "create database shop");
  await query(
    server.url("shop"),
    "create table orders (id int primary key, at timestamptz not null default clock_timestamp())",
  );
  const port = await findFreePort(4);
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
        type: postgres-cluster
        data: ${join(server.directory, "data")}
        url: ${server.url("shop")}
        ports: ${port}-${port + 3}
        programs: ${server.binaries}
        pitr: 7d
      notes:
        type: files
        path: ${join(folder, "password")}
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  receiving = refloat.spawn(["capture", "shop", "--continuous", "--every", "300ms", "--json"]);
}, 300_000);

afterAll(async () => {
  receiving.kill("SIGKILL");
  await receiving;
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

type Span = { readonly toAt: string; readonly to: string };

const logEnd = async (): Promise<Span | undefined> => {
  const { lines } = await refloat.succeed(["points", "shop", "--json"]);
  return (lines.at(-1) as { data: { logs: Span[] } }).data.logs.at(-1);
};

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await systemClock.sleep(200, never);
};

it(
  "goes to a moment between two commits, cuts over, and loses what came later and nothing else",
  { timeout: 400_000 },
  async () => {
    await until(async () => (await logEnd()) !== undefined);
    await refloat.succeed(["capture", "shop"]);
    const commits: { readonly id: number; readonly at: number }[] = [];
    await withClient(server.url("shop"), async (client) => {
      for (let id = 1; id <= 60; id += 1) {
        await client.query("insert into orders values ($1)", [id]);
        const { rows } = await client.query<{ ms: string }>(
          "select (extract(epoch from clock_timestamp()) * 1000)::bigint as ms",
        );
        commits.push({ id, at: Number(rows[0]?.ms) });
        await systemClock.sleep(50, never);
      }
      await client.query("drop table if exists nothing; delete from orders where id < 5");
    });
    const [row] = await query<{ lsn: string }>(server.url("shop"), "select pg_current_wal_flush_lsn()::text as lsn");
    await until(async () => comparePositions((await logEnd())?.to ?? "0/0", row?.lsn ?? "0/0") >= 0);
    // Later than the tenth of a second that the index may be off, and before the next commit but one.
    const wanted = commits[29]?.at ?? 0;
    const at = new Date(wanted).toISOString();
    const { lines, stdout: _none } = await refloat.succeed(["plan", "shop", "--at", at, "--only", "db", "--json"]);
    const { intent } = (lines.at(-1) as { data: { intent: { replays: Record<string, { at: string; to: string }> } } })
      .data;
    expect(Object.keys(intent.replays)).toEqual(["db"]);
    const known = Date.parse(intent.replays["db"]?.at ?? "");
    expect(known).toBeLessThanOrEqual(wanted);
    const plan = await refloat.succeed(["plan", "shop", "--at", at]);
    expect(plan.stdout).toMatch(/^MOMENT +db to \d\d:\d\d:\d\d\.\d/m);
    expect(plan.stdout.replaceAll(/\s+/g, " ")).toContain("notes to the point");
    receiving.kill("SIGTERM");
    expect((await receiving).exitCode).toBe(0);
    await refloat.succeed(["recover", "shop", "--at", at, "--only", "db", "--yes"]);
    const rows = await query<{ id: number }>(server.url("shop"), "select id from orders order by id");
    const ids = rows.map(({ id }) => id);
    // All from before the moment that the plan named, and none from after the moment that was asked for.
    const before = commits.filter((commit) => commit.at <= known).map(({ id }) => id);
    expect(ids.slice(0, before.length)).toEqual(before);
    expect(Math.max(...ids)).toBeLessThanOrEqual(30);
    await refloat.succeed(["commit", "1", "--yes"]);
  },
);
