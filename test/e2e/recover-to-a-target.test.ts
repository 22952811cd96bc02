/** A cluster whose log is received goes back to a transaction, a named restore point or a position of its log, by the command line. */
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { comparePositions } from "../../src/core/logs/log-position.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query, withClient } from "../../src/testing/query.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: TestFolder;
let server: PostgresServer;
let refloat: RefloatInside;
let receiving: ReturnType<RefloatProgram["spawn"]>;

/** Where the log ended after each, and which transactions they were. */
let sold: string;
let restorePoint: string;
let imported: string;
let importing: string;
let abandoned: string;

const at = (name: string): string => join(folder.path, name);

const sql = async (text: string): Promise<string> =>
  String(Object.values((await query(server.url("postgres"), text))[0] ?? {})[0]);
const logEnd = () => sql("select pg_current_wal_insert_lsn()::text");
const orders = async () => Number(await sql("select count(*) from orders"));

/** @returns its number */
const transaction = (statement: string, end: "commit" | "rollback"): Promise<string> =>
  withClient(server.url("postgres"), async (client) => {
    await client.query("begin");
    await client.query(statement);
    const { rows } = await client.query<{ xid: string }>("select pg_current_xact_id()::text as xid");
    await client.query(end);
    return rows[0]?.xid ?? "";
  });

const logs = async () =>
  resultEnvelopeSchema("points").parse((await refloat.succeed(["points", "shop", "--json"])).lines.at(-1)).data.logs;

const planned = async (words: string) =>
  resultEnvelopeSchema("plan").parse((await refloat.succeed(["plan", "shop", "--at", words, "--json"])).lines.at(-1))
    .data;

const received = (position: string) =>
  expect
    .poll(async () => (await logs()).some(({ to }) => comparePositions(to, position) >= 0), { timeout: 60_000 })
    .toBe(true);

beforeAll(async () => {
  folder = await createTestFolder("refloat-target");
  await chmod(folder.path, 0o755);
  server = await startPostgresServer({ settings: { max_slot_wal_keep_size: "10GB", synchronous_commit: "on" } });
  await sql("create table orders as select n from generate_series(1, 3) n");
  await mkdir(at("uploads"));
  await writeFile(at("uploads/invoice"), "one");
  await writeFile(at("password"), "correct horse", { mode: 0o600 });
  const port = await findFreePort(4);
  await writeFile(
    at("refloat.yaml"),
    `
vault: { url: ${at("vault")}, password: "\${file:${at("password")}}" }
services:
  shop:
    components:
      db: { type: postgres-cluster, data: ${join(server.directory, "data")}, url: "${server.url("postgres")}", ports: ${port}-${port + 3}, programs: ${server.binaries} }
      uploads: { type: files, path: ${at("uploads")} }
`,
  );
  refloat = refloatInside(folder.path);
  await refloat.succeed(["vault", "init"]);
  receiving = refloatIn(folder.path).spawn(["capture", "shop", "--continuous", "--every", "300ms", "--json"]);
}, 300_000);

afterAll(async () => {
  receiving.kill("SIGKILL");
  await receiving;
  await refloat.close();
  await server.stop();
  await folder.remove();
});

/** It is over when the vault has its log. */
const history = async (): Promise<void> => {
  await expect.poll(async () => (await logs()).length, { timeout: 60_000 }).toBe(1);
  await refloat.succeed(["capture", "shop"]);
  // So that the point is older than what follows, as people are told it: to the second.
  await setTimeout(1_500);
  await transaction("insert into orders select n from generate_series(4, 13) n", "commit");
  sold = await logEnd();
  restorePoint = await sql("select pg_create_restore_point('before import')::text");
  importing = await transaction("delete from orders where n > 2", "commit");
  imported = await logEnd();
  abandoned = await transaction("insert into orders values (99)", "rollback");
  await sql("insert into orders values (100)");
  await received(await logEnd());
};

it(
  "a place becomes a position before anything is done, and what is not there is refused",
  { timeout: 300_000 },
  async () => {
    await history();
    const told = await refloat.succeed(["timeline", "shop", "--changes", "--json"]);
    expect(resultEnvelopeSchema("timeline").parse(told.lines.at(-1)).data.changes).toMatchObject([
      { component: "db", what: `restore point "before import"`, words: "before restore point before import" },
    ]);
    const before = await planned(`before xid ${importing}`);
    const to = before.intent.replays?.["db"]?.to ?? "";
    expect(comparePositions(to, restorePoint)).toBeGreaterThanOrEqual(0);
    expect(comparePositions(to, imported)).toBeLessThan(0);
    expect(before.forecast.chosen).toMatchObject({ kind: "log-target", what: `xid ${importing}`, component: "db" });
    const after = (await planned(`xid ${importing}`)).intent.replays?.["db"]?.to ?? "";
    expect(comparePositions(after, to)).toBeGreaterThan(0);
    expect(comparePositions(after, imported)).toBeLessThanOrEqual(0);
    expect((await planned("restore point before import")).intent.replays?.["db"]?.to).toBe(restorePoint);
    expect((await planned(`lsn ${sold}`)).intent.replays?.["db"]?.to).toBe(sold);
    const { stdout } = await refloat.succeed(["plan", "shop", "--at", `before xid ${importing}`]);
    expect(stdout.replaceAll(/\s+/g, " ")).toMatch(
      new RegExp(`MOMENT db to just before xid ${importing}, \\S+ \\(${to}\\); uploads to the point, \\S+ older`),
    );

    const folders = await readdir(server.directory);
    for (const [words, said] of [
      [`xid ${abandoned}`, `transaction ${abandoned} was rolled back, at `],
      ["before xid 4000000000", "has no end of transaction 4000000000: it holds 0/"],
      ["restore point before", 'has no restore point named "before"'],
      ["lsn F/0", "has no lsn F/0: it holds 0/"],
    ] as const) {
      const refused = await refloat.run(["recover", "shop", "--at", words, "--yes"]);
      expect(refused.exit).toBe(2);
      expect(refused.stderr).toContain("error log.unknown-target");
      expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain(said);
    }
    expect(await readdir(server.directory)).toEqual(folders);
    expect((await refloat.run(["mark", "shop", "xid 5"])).stderr).toContain("it would be read as a place in a log");
  },
);

it("goes back to just before a transaction, with all that was committed before it", { timeout: 300_000 }, async () => {
  expect(await orders()).toBe(3);
  const place = "shop:db:postgres/public.orders";
  const table = await refloat.succeed(["extract", place, "--at", `xid ${importing}`, "--stdout"]);
  expect(table.stdout.trim()).toBe("1\n2");
  const { digest } = await planned(`before xid ${importing}`);
  const done = await refloat.succeed(["recover", "--plan", digest, "--yes"]);
  expect(done.stdout).toContain("SHOP IS BACK");
  expect(await orders()).toBe(13);
});
