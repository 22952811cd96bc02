/** One table out of a whole server's capture, by the command line: as of a second, from the vault alone, and when it is killed. */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { extractFromVaultAlone, foldersLeft, killExtract } from "./support/excerpt-leftovers.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareCluster, laterOnPostgres, whileReceiving } from "./support/received-log.ts";

let folder: string;
let temporary: string;
let server: PostgresServer;
let refloat: RefloatProgram;
/** The server's own time, a while after the last row and before the table was dropped. */
let wanted: string;
let point: string;

const rows = 100_140;
const environment = () => ({ TMPDIR: temporary });

const place = () => ({ folder, temporary });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-extract-"));
  await chmod(folder, 0o755);
  temporary = join(folder, "tmp");
  await mkdir(temporary);
  server = await startPostgresServer({ settings: { max_slot_wal_keep_size: "10GB" } });
  await query(server.url("postgres"), "create database bench");
  await query(
    server.url("bench"),
    "create table orders as select n, md5(n::text) as text from generate_series(1, 100000) n",
  );
  await declareCluster(folder, server);
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  await whileReceiving(refloat, async (receivedUntil) => {
    const captured = await refloat.succeed(["capture", "shop", "--json"]);
    point = (captured.lines.at(-1) as { data: { id: string } }).data.id.slice(0, 8);
    await query(server.url("bench"), "insert into orders select n, 'late' from generate_series(100001, 100140) n");
    wanted = await laterOnPostgres(server);
    await query(server.url("bench"), "drop table orders");
    await receivedUntil(await laterOnPostgres(server));
  });
}, 300_000);

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("takes a dropped table as of the second before, and tells from where", { timeout: 300_000 }, async () => {
  const archive = join(folder, "orders.dump");
  const table = "shop:db:bench/orders";
  const { lines } = await refloat.succeed(
    ["extract", table, "--at", wanted, "--dump", "--to", archive, "--json"],
    environment(),
  );
  const { data } = lines.at(-1) as { data: { replayed: { to: string; at: string }; point: string } };
  expect(data).toMatchObject({ what: "table", point: expect.stringMatching(`^${point}`) });
  expect(data.replayed.to).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  const args = ["-h", "127.0.0.1", "-p", String(server.port), "-U", "postgres", "-d", "bench", archive];
  await execa(join(server.binaries, "pg_restore"), args);
  expect(await query(server.url("bench"), "select count(*)::int as n from orders")).toEqual([{ n: rows }]);

  const asRows = await refloat.succeed(["extract", table, "--at", wanted, "--stdout"], environment());
  expect(asRows.stdout.split("\n").length).toBe(rows);
  expect(asRows.stderr).toContain(`position ${data.replayed.to}: point ${point} and the log from there`);
  const gone = await refloat.run(["extract", table, "--at", "last", "--stdout"], environment());
  expect({ exit: gone.exit, said: gone.stderr }).toMatchObject({
    exit: 2,
    said: expect.stringContaining("database bench has no table orders then"),
  });
  expect(await foldersLeft(place())).toEqual([]);
});

it("says what can be asked for", { timeout: 300_000 }, async () => {
  const { stdout } = await refloat.succeed(["browse", `${point}:db`]);
  expect(stdout).toContain("databases, for refloat extract: bench, postgres");
  const refuse = async (...words: readonly string[]) => (await refloat.run(["extract", ...words])).stderr;
  expect(await refuse(`${point}:db:bench`, "--stdout")).toContain("with --dump it becomes an archive");
  expect(await refuse(`${point}:db:bench/orders`, "--at", wanted, "--stdout")).toContain(
    "is a point, which is of its own moment",
  );
  expect(await refuse(`${point}:db:data/PG_VERSION`, "--stdout", "--dump")).toContain("--dump is for tables");
  const file = await refloat.succeed(["extract", "shop:db:data/PG_VERSION", "--at", wanted, "--stdout"]);
  expect(file.stderr).toContain(`db as of point ${point}`);
});

it(
  "leaves no server behind when it is killed, and the next one clears its folder away",
  { timeout: 300_000 },
  async () => {
    await killExtract(place(), `${point}:db:bench/orders`);
    await refloat.succeed(["extract", `${point}:db:bench/orders`, "--to", join(folder, "orders.copy")], environment());
    expect(await foldersLeft(place())).toEqual([]);
  },
);

it("needs no declaration and no source, only the vault and the server's programs", { timeout: 300_000 }, async () => {
  await server.crash();
  const taken = await extractFromVaultAlone(place(), ["shop:db:bench/orders", "--at", wanted]);
  expect(taken.split("\n").length).toBe(rows);
});
