/** One table out of a whole MariaDB server's capture, by the command line: as of a second, from the vault alone, and when it is killed. */
import { chmod, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type MariadbServer, startMariadbServer } from "../../src/testing/mariadb-server.ts";
import { declareIn } from "./support/declare.ts";
import { laterOnMariadb, whileReceiving } from "./support/received-log.ts";
import { extractFromVaultAlone, foldersLeft, killExtract } from "./support/excerpt-leftovers.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let temporary: string;
let server: MariadbServer;
let refloat: RefloatProgram;
/** The server's own time, a while after the last row and before the table was dropped. */
let wanted: string;
let point: string;

const rows = 100_140;
const environment = () => ({ TMPDIR: temporary });

const place = () => ({ folder, temporary });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-extract-mdb-"));
  await chmod(folder, 0o755);
  temporary = join(folder, "tmp");
  await mkdir(temporary);
  server = await startMariadbServer({ settings: { "log-bin": "binlog", "binlog-format": "ROW" } });
  await server.sql(
    "CREATE DATABASE bench; USE bench; CREATE TABLE orders (n INT PRIMARY KEY, text CHAR(32)); INSERT INTO orders SELECT seq, MD5(seq) FROM seq_1_to_100000;",
  );
  const port = await findFreePort(4);
  await declareIn(
    folder,
    `services:
  shop:
    components:
      db:
        type: mariadb-server
        data: ${join(server.directory, "data")}
        url: ${server.url("")}
        ports: ${port}-${port + 3}
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
  const captured = await refloat.succeed(["capture", "shop", "--json"]);
  point = (captured.lines.at(-1) as { data: { id: string } }).data.id.slice(0, 8);
  await whileReceiving(
    refloat,
    async (receivedUntil) => {
      await server.sql("INSERT INTO orders SELECT seq, 'late' FROM seq_100001_to_100140;", "bench");
      wanted = await laterOnMariadb(server);
      await server.sql("DROP TABLE bench.orders;");
      await receivedUntil(await laterOnMariadb(server));
    },
    () => void server.sql("CREATE OR REPLACE DATABASE elsewhere;"),
  );
}, 300_000);

afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

it("takes a dropped table as of the second before, and tells from where", { timeout: 300_000 }, async () => {
  const sql = join(folder, "orders.sql");
  const table = "shop:db:bench/orders";
  const { lines } = await refloat.succeed(
    ["extract", table, "--at", wanted, "--dump", "--to", sql, "--json"],
    environment(),
  );
  const { data } = lines.at(-1) as { data: { replayed: { at: string }; point: string } };
  expect(data).toMatchObject({ what: "table", point: expect.stringMatching(`^${point}`) });
  await server.sql(await readFile(sql, "utf8"), "bench");
  expect(await server.sql("SELECT COUNT(*), SUM(text = 'late') FROM bench.orders;")).toBe(`${rows}\t140\n`);
  const asCaptured = await refloat.succeed(["extract", `${point}:db:bench/orders`, "--stdout", "--csv"], environment());
  expect(asCaptured.stdout.trimEnd().split("\n").length).toBe(100_001);
  const gone = await refloat.run(["extract", table, "--at", "last", "--stdout"], environment());
  expect({ exit: gone.exit, said: gone.stderr }).toMatchObject({
    exit: 2,
    said: expect.stringContaining("database bench has no table orders then"),
  });
  expect(await foldersLeft(place())).toEqual([]);
});

it("says what can be asked for", { timeout: 300_000 }, async () => {
  const { stdout } = await refloat.succeed(["browse", `${point}:db`]);
  expect(stdout).toContain("databases, for refloat extract: bench, mysql");
  const refuse = async (...words: readonly string[]) => (await refloat.run(["extract", ...words])).stderr;
  expect(await refuse(`${point}:db:bench`, "--stdout")).toContain("with --dump it becomes an archive");
  expect(await refuse(`${point}:db:bench.orders`, "--dump", "--stdout")).toContain('did you mean "bench/orders"?');
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
  const taken = await extractFromVaultAlone(place(), [`${point}:db:bench/orders`]);
  expect(taken.split("\n").length).toBe(100_000);
});
