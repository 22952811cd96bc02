/** The live Redis server has died before the recovery begins: it is recovered all the same, and its last save is not taken for all that it took. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type RedisServer, startRedisServer } from "../../src/testing/redis-server.ts";
import { declareIn } from "./support/declare.ts";
import { type Ended, type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

let folder: string;
let server: RedisServer;
let refloat: RefloatProgram;

const wordsOf = ({ stdout, stderr }: Ended): string => `${stdout} ${stderr}`.replaceAll(/\s+/g, " ");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-dead-redis-"));
  await chmod(folder, 0o755);
  server = await startRedisServer({ directory: join(folder, "server") });
  const port = await findFreePort(2);
  await declareIn(
    folder,
    `services:
  shop:
    components:
      cache:
        type: redis
        data: ${server.data}
        url: ${server.url}
        ports: ${port}-${port + 1}
`,
  );
  refloat = refloatIn(folder);
  await server.pipe(Array.from({ length: 50 }, (_, index) => `SET product:${index} "price ${index}"`));
  await refloat.succeed(["vault", "init"]);
  await refloat.succeed(["capture", "shop"]);
}, 300_000);

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it(
  "is recovered from a server that was killed, and is not said to have taken nothing",
  { timeout: 300_000 },
  async () => {
    // What its file has is just what the point has.
    await server.cli("SAVE");
    await server.cli("SET", "product:1", "price of a bad upgrade");
    await server.crash();
    const again =
      "its server does not run, and its data are there: start it again first; lost is only what it had not written to its disk";
    const plan = wordsOf(await refloat.succeed(["plan", "shop"]));
    expect(plan).toContain(`cache: ${again}`);
    expect(plan).toContain("count lost writes");
    expect(plan).toContain("counted, and the old side is kept");
    expect(wordsOf(await refloat.succeed(["status"]))).toContain(again);
    expect(wordsOf(await refloat.succeed(["assess", "shop"]))).toContain("start it again first");
    const mend = wordsOf(await refloat.run(["mend", "shop", "--only", "cache:product:*"]));
    expect(mend).toContain(again);
    expect(mend).toContain("next: refloat validate --live shop");
    expect(plan).toContain("what cache took after the point cannot be told for sure");
    const ended = await refloat.succeed(["recover", "shop", "--yes", "--json"]);
    const run = /"run":(\d+)/.exec(JSON.stringify(ended.lines.at(-1)))?.[1] ?? "";
    expect(await server.cli("GET", "product:1")).toBe("price 1");
    const report = wordsOf(await refloat.succeed(["runs", run]));
    expect(report).toContain("cache could not be compared whole");
    expect(report).toContain("how much was written is not known");
  },
);

it("is recovered where the data folder is gone", { timeout: 300_000 }, async () => {
  await server.cli("SHUTDOWN", "NOSAVE").catch(() => "");
  await rm(server.data, { recursive: true });
  await refloat.succeed(["recover", "shop", "--yes"]);
  expect(await server.cli("GET", "product:1")).toBe("price 1");
});
