/** The log of a cluster under load, received by the program as a service of the system would: until SIGTERM, by one process, shown by the others. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type PostgresServer, startPostgresServer } from "../../src/testing/postgres-server.ts";
import { query } from "../../src/testing/query.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

let folder: string;
let server: PostgresServer;
let refloat: RefloatProgram;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-continuous-"));
  await chmod(folder, 0o755);
  server = await startPostgresServer({ settings: { max_slot_wal_keep_size: "10GB" } });
  await query(server.url("postgres"), "create database shop");
  await execa(join(server.binaries, "pgbench"), ["-i", "-q", "-s", "1", server.url("shop")]);
  await declareIn(
    folder,
    `services:
  shop:
    objectives: { rpo: 1h }
    components:
      db:
        type: postgres-cluster
        data: ${join(server.directory, "data")}
        url: ${server.url("shop")}
        ports: 40000-40003
        programs: ${server.binaries}
        pitr: 7d
  notes:
    components:
      docs:
        type: files
        path: ${folder}/password
`,
  );
  refloat = refloatIn(folder);
  await refloat.succeed(["vault", "init"]);
}, 300_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it("is received until SIGTERM, which ends with 0, and shown", { timeout: 300_000 }, async () => {
  const load = execa(
    join(server.binaries, "pgbench"),
    ["-n", "-c", "2", "-T", "600", "--rate", "50", server.url("shop")],
    {
      reject: false,
    },
  );
  const receiving = refloat.spawn(["capture", "shop", "--continuous", "--json", "--every", "500ms"]);
  const told: { readonly type?: string; readonly lagMs?: number }[] = [];
  try {
    const lines = createInterface({ input: receiving.stdout });
    for await (const line of lines) {
      const { data } = JSON.parse(line) as { data: { type: string } };
      told.push(data);
      if (told.filter(({ type }) => type === "durable").length === 3) break;
    }
    expect(told[0]).toEqual({ type: "begin", component: "db", from: null });
    expect(told[1]).toMatchObject({
      type: "warning",
      message: expect.stringContaining("until one is taken") as string,
    });
    const second = await refloat.run(["capture", "shop", "--continuous"]);
    expect(second.exit).toBe(3);
    expect(second.stderr).toContain("the log of db is being received");
    await refloat.succeed(["capture", "shop"]);
    const status = await refloat.succeed(["status"]);
    expect(status.stdout).toMatch(/ago\), log \d+s/);
    const points = await refloat.succeed(["points", "shop"]);
    expect(points.stdout).toContain("═ any second");
    expect((await refloat.succeed(["timeline", "shop"])).stdout).toMatch(/^log db .*═/m);
    expect((await refloat.succeed(["vault", "prune", "--dry-run"])).stdout).toMatch(
      /log of shop\/db .*no keep: is declared/,
    );
    receiving.kill("SIGTERM");
    const ended = await receiving;
    expect(ended.exitCode).toBe(0);
  } finally {
    load.kill("SIGINT");
    receiving.kill("SIGKILL");
    await load;
  }
  // It goes on where it had ended.
  const again = refloat.spawn(["capture", "shop", "--continuous", "--json"]);
  const line = await createInterface({ input: again.stdout })[Symbol.asyncIterator]().next();
  const first = JSON.parse(String(line.value)) as { readonly data: { readonly from: { readonly to: string } } };
  expect(first.data.from.to).toMatch(/^0\//);
  again.kill("SIGTERM");
  const { exitCode, stdout } = await again;
  expect(exitCode).toBe(0);
  const answer = resultEnvelopeSchema("capture-log").parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
  expect(answer.data.spans).toHaveLength(1);
});

it("is refused where there is no log, and with what belongs to a point", { timeout: 300_000 }, async () => {
  const none = await refloat.run(["capture", "notes", "--continuous"]);
  expect(none.exit).toBe(3);
  expect(none.stderr).toContain("types with one: postgres-cluster");
  expect((await refloat.run(["capture", "shop", "--every", "2s"])).exit).toBe(2);
  expect((await refloat.run(["capture", "shop", "--continuous", "--tag", "release"])).exit).toBe(2);
});
