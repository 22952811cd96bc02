/** A real Redis server with a password and an append-only file, by the command line: a capture that is killed, a recovery that is switched and undone. */
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type RedisServer, startRedisServer } from "../../src/testing/redis-server.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

const password = "hunter2 of redis";

describe("a Redis server", () => {
  let folder: string;
  let server: RedisServer;
  let refloat: RefloatProgram;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-redis-e2e-"));
    await chmod(folder, 0o755);
    server = await startRedisServer({
      directory: join(folder, "server"),
      lines: ["appendonly yes", `user refloat on ">${password}" ~* &* +@all`, "user default off"],
      login: { user: "refloat", password },
    });
    const port = await findFreePort(2);
    await writeFile(join(folder, "redis-password"), `${password}\n`, { mode: 0o600 });
    await declareIn(
      folder,
      `services:
  shop:
    components:
      cache:
        type: redis
        data: ${server.data}
        url: redis://refloat@127.0.0.1:${server.port}
        password: \${file:${join(folder, "redis-password")}}
        ports: ${port}-${port + 1}
        checks:
          - redis: GET product:499
            expect: price 499
`,
    );
    refloat = refloatIn(folder);
    await server.pipe(Array.from({ length: 500 }, (_, index) => `SET product:${index} "price ${index}"`));
    await refloat.succeed(["vault", "init"]);
  }, 300_000);

  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("is looked at before anything is done, without its password in any word", { timeout: 300_000 }, async () => {
    const { stdout } = await refloat.succeed(["validate", "--live", "shop"]);
    const said = stdout.replaceAll(/\s+/g, " ");
    expect(said).toMatch(/Redis \d+\.\d+\.\d+, 500 keys/);
    expect(said).toContain("all that a capture and a recovery need");
    expect(said).not.toContain(password);
  });

  it("makes no point when the capture is killed in the middle", { timeout: 300_000 }, async () => {
    await server.cli("CONFIG", "SET", "repl-diskless-sync-delay", "60");
    const killed = refloat.spawn(["capture", "shop"]);
    await vi.waitFor(async () => expect(await server.cli("INFO", "replication")).toContain("state=wait_bgsave"), {
      timeout: 60_000,
      interval: 50,
    });
    killed.kill("SIGKILL");
    await killed;
    await server.cli("CONFIG", "SET", "repl-diskless-sync-delay", "0");
    const { lines } = await refloat.succeed(["points", "shop", "--json"]);
    expect(lines.at(-1)).toMatchObject({ data: { points: [] } });
  });

  it("is recovered beside the damage, checked and put in its place", { timeout: 300_000 }, async () => {
    await refloat.succeed(["capture", "shop"]);
    await server.cli("FLUSHALL");
    await server.cli("SET", "product:0", "price 0 of a bad upgrade");
    const plan = (await refloat.succeed(["plan", "shop"])).stdout.replaceAll(/\s+/g, " ");
    expect(plan).toContain("0 more and 499 fewer keys by database");
    const done = (await refloat.succeed(["recover", "shop", "--yes"])).stdout.replaceAll(/\s+/g, " ");
    expect(done).toContain("SHOP IS BACK");
    expect(await server.cli("DBSIZE")).toBe("500");
    expect((await readdir(server.directory)).filter((name) => name.startsWith("data")).toSorted()).toEqual([
      "data",
      "data.old1",
    ]);
  });

  it(
    "is undone without loss as long as nothing was written, and then only by who accepts it",
    { timeout: 300_000 },
    async () => {
      await refloat.succeed(["undo", "1", "--yes"]);
      expect(await server.cli("GET", "product:0")).toBe("price 0 of a bad upgrade");
      await refloat.succeed(["commit", "2", "--yes"]);
      await refloat.succeed(["recover", "shop", "--yes"]);
      await server.cli("SET", "product:1", "price 1 of a customer");
      const refused = await refloat.run(["undo", "3", "--yes"]);
      expect(refused.exit).toBe(3);
      expect(refused.stderr).toContain("undo.would-lose");
      await refloat.succeed(["commit", "3", "--yes"]);
      expect(await server.cli("GET", "product:1")).toBe("price 1 of a customer");
      expect((await readdir(server.directory)).filter((name) => name.startsWith("data."))).toEqual([]);
    },
  );

  it("is restored beside while a Sentinel watches it, and not switched", { timeout: 300_000 }, async () => {
    const port = await findFreePort();
    const configuration = join(folder, "sentinel.conf");
    await writeFile(
      configuration,
      `port ${port}
bind 127.0.0.1
dir ${folder}
logfile ${folder}/sentinel.log
sentinel monitor mine 127.0.0.1 ${server.port} 1
sentinel auth-user mine refloat
sentinel auth-pass mine "${password}"
`,
    );
    const sentinel = execa("redis-server", [configuration, "--sentinel"], { reject: false });
    try {
      await vi.waitFor(async () => expect(await server.cli("CLIENT", "LIST")).toContain("name=sentinel-"), {
        timeout: 60_000,
        interval: 50,
      });
      const refused = await refloat.run(["plan", "shop"]);
      expect(refused.exit).toBe(3);
      const said = refused.stderr.replaceAll(/\s+/g, " ");
      expect(said).toMatch(/no cutover is possible: cache: Sentinels watch the server/);
      expect(said).toContain("SENTINEL REMOVE");
      expect(said).toContain("refloat recover shop --no-cutover");
      await refloat.succeed(["recover", "shop", "--no-cutover", "--yes"]);
      expect((await readdir(server.directory)).filter((name) => name.startsWith("data."))).toEqual(["data.r4"]);
      await refloat.succeed(["cancel", "4", "--yes"]);
      expect((await readdir(server.directory)).filter((name) => name.startsWith("data."))).toEqual([]);
      expect(await server.cli("GET", "product:1")).toBe("price 1 of a customer");
    } finally {
      sentinel.kill("SIGKILL");
      await sentinel;
    }
  });

  it("tells before a recovery who does not come in once the server is started anew", { timeout: 120_000 }, async () => {
    await server.cli("ACL", "SETUSER", "web", "on", ">w", "~*", "+@read");
    const gone = "web stands in no file, and is gone when the server is started anew";
    const said = async (words: readonly string[]) => (await refloat.run(words)).stdout.replaceAll(/\s+/g, " ");
    expect(await said(["plan", "shop"])).toContain(`cache: ${gone}`);
    expect(await said(["ready", "shop"])).toContain(gone);
    // Of the user that it comes as, no switch could be finished: refused, and what mends it is named.
    await server.cli("ACL", "SETUSER", "refloat", `>${password} anew`);
    await writeFile(join(folder, "redis-password"), `${password} anew\n`);
    const refused = await refloat.run(["plan", "shop"]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain("the user refloat has another password there");
    expect(refused.stderr).toContain("CONFIG REWRITE");
  });

  it("takes the switch back where it finds out only then, and the old side serves", { timeout: 240_000 }, async () => {
    // A line of one's own may do more than the files tell, and is given the chance to.
    await writeFile(join(folder, "start.sh"), `redis-server ${server.configFile} --daemonize yes\n`);
    const file = join(folder, "refloat.yaml");
    await writeFile(
      file,
      (await readFile(file, "utf8")).replace(/( +)type: redis\n/, `$&$1start: sh ${join(folder, "start.sh")}\n`),
    );
    await refloat.succeed(["capture", "shop"]);
    await server.cli("SET", "product:1", "price of a bad upgrade");
    expect((await refloat.succeed(["plan", "shop"])).stdout.replaceAll(/\s+/g, " ")).toContain(
      "cache: the user refloat has another password there",
    );
    const ended = await refloat.run(["recover", "shop", "--yes"]);
    expect(ended.exit).toBe(5);
    const said = `${ended.stdout} ${ended.stderr}`.replaceAll(/\s+/g, " ");
    expect(said).toContain("CUTOVER UNDONE");
    expect(said).toMatch(/was started and is up, and refuses refloat \(WRONGPASS/);
    expect(said).toContain("not in use");
    expect(await server.cli("GET", "product:1")).toBe("price of a bad upgrade");
  });
});
