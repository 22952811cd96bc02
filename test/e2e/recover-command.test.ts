/**
 * A real Redis server behind `type: command`, as examples/plugins/redis declares it, by the command line: captured while it runs,
 * recovered beside, switched by path, undone; and a recovery whose process is killed in the middle of the restore line.
 */
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { findFreePort } from "../../src/testing/free-port.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

const example = join(import.meta.dirname, "../../examples/plugins/redis");
const password = "hunter2 of redis";

describe("a Redis server by declared commands", () => {
  let folder: string;
  let data: string;
  let hold: string;
  let port: number;
  let refloat: RefloatProgram;

  const redis = async (...words: readonly string[]): Promise<string> =>
    (await execa("redis-cli", ["-p", String(port), ...words], { env: { REDISCLI_AUTH: password } })).stdout;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-redis-e2e-"));
    await chmod(folder, 0o755);
    port = await findFreePort();
    data = join(folder, "redis");
    hold = join(folder, "hold");
    await mkdir(data);
    const conf = join(folder, "redis.conf");
    await writeFile(
      conf,
      `port ${port}\nbind 127.0.0.1\ndir ${data}\nsave ""\nrequirepass "${password}"\nlogfile ${join(folder, "redis.log")}\n`,
      { mode: 0o600 },
    );
    await writeFile(join(folder, "password"), "correct horse battery staple\n", { mode: 0o600 });
    await writeFile(join(folder, "redis-password"), `${password}\n`, { mode: 0o600 });
    const declared = (await readFile(join(example, "refloat.yaml"), "utf8"))
      .replace("/backup/vault", join(folder, "vault"))
      .replace("/etc/refloat/password", join(folder, "password"))
      .replace("/etc/shop/redis-password", join(folder, "redis-password"))
      .replace("name: /var/lib/redis ", `name: ${data} `)
      .replace("/usr/local/lib/refloat/redis-facts", join(example, "redis-facts"))
      .replace("/etc/redis/redis.conf", conf)
      .replace("REDIS_PORT: 6379", `REDIS_PORT: ${port}`)
      // Holds a restore up where a test wants it.
      .replace("&& redis-check-rdb", `&& while [ -e ${hold} ]; do sleep 0.1; done && redis-check-rdb`);
    await writeFile(join(folder, "refloat.yaml"), declared);
    refloat = refloatIn(folder);
    await execa("redis-server", [conf, "--daemonize", "yes"]);
    while ((await redis("PING").catch(() => "")) !== "PONG") await delay(50);
    await redis("MSET", ...Array.from({ length: 500 }, (_, index) => [`product:${index}`, `price ${index}`]).flat());
    await refloat.succeed(["vault", "init"]);
  }, 300_000);

  afterAll(async () => {
    await redis("SHUTDOWN", "NOSAVE").catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  });

  it("is looked at before anything is done, without its password in any word", { timeout: 300_000 }, async () => {
    const { stdout } = await refloat.succeed(["validate", "--live", "shop"]);
    const said = stdout.replaceAll(/\s+/g, " ");
    expect(said).toContain("keys 500");
    expect(said).toContain("an undo cannot know what it would lose");
    expect(said).toContain(`${data} stands for inode:`);
    expect(said).not.toContain(password);
  });

  it("makes no point when the server dies in the middle", { timeout: 300_000 }, async () => {
    const file = join(folder, "refloat.yaml");
    const declared = await readFile(file, "utf8");
    const torn = 'capture: redis-cli -p "$REDIS_PORT" --rdb - ; kill -9 $$';
    await writeFile(
      file,
      declared.replace('capture: redis-cli -p "$REDIS_PORT" --rdb -', () => torn),
    );
    const failed = await refloat.run(["capture", "shop"]);
    await writeFile(file, declared);
    expect(failed.exit).toBe(4);
    expect(failed.stderr).toContain("the capture of cache failed: ended by SIGKILL");
    const { lines } = await refloat.succeed(["points", "shop", "--json"]);
    expect(lines.at(-1)).toMatchObject({ data: { points: [] } });
  });

  it(
    "is recovered beside the damage and switched, though the recovery was killed in the restore",
    { timeout: 300_000 },
    async () => {
      await refloat.succeed(["capture", "shop"]);
      await redis("FLUSHALL");
      await redis("SET", "product:0", "price 0 of a bad upgrade");
      await writeFile(hold, "");
      const killed = refloat.spawn(["recover", "shop", "--yes"]);
      while (!existsSync(`${data}.r1/dump.rdb`)) await delay(50);
      killed.kill("SIGKILL");
      await killed;
      await rm(hold);
      expect(await redis("DBSIZE")).toBe("1");
      const done = await refloat.succeed(["resume", "1"]);
      expect(done.stdout.replaceAll(/\s+/g, " ")).toContain("SHOP IS BACK");
      expect(await redis("DBSIZE")).toBe("500");
      expect(await redis("GET", "product:499")).toBe("price 499");
      expect(
        (await readdir(folder)).filter((name) => name.startsWith("redis.") || name === "redis").toSorted(),
      ).toEqual(["redis", "redis.conf", "redis.log", "redis.old1"]);
    },
  );

  it("is undone only by who accepts the loss that nobody can count", { timeout: 300_000 }, async () => {
    const refused = await refloat.run(["undo", "1", "--yes"]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain("undo.would-lose");
    await refloat.succeed(["undo", "1", "--accept-loss", "--yes"]);
    expect(await redis("GET", "product:0")).toBe("price 0 of a bad upgrade");
    await refloat.succeed(["commit", "2", "--yes"]);
    expect((await readdir(folder)).filter((name) => /^redis\.(r|old)/.test(name))).toEqual([]);
  });

  it(
    "is not switched when nothing is declared for it, and says so before anything is restored",
    { timeout: 300_000 },
    async () => {
      const file = join(folder, "refloat.yaml");
      const declared = await readFile(file, "utf8");
      const named = declared
        .replace(/name: .*/, "name: cache")
        .replace(/ {8}stop: \|\n(?: {10}.*\n)*/, "")
        .replaceAll('"$REFLOAT_NAME', `"${folder}/$REFLOAT_NAME`);
      await writeFile(file, named.replace("facts: ", "# facts: "));
      await mkdir(join(folder, "cache"));
      await refloat.succeed(["capture", "shop"]);
      const refused = await refloat.run(["recover", "shop", "--yes"]);
      expect(refused.exit).toBe(3);
      expect(refused.stderr).toContain("cache has no switch of its own and its name is no path");
      expect(refused.stderr).toContain("refloat recover shop --no-cutover");
      await refloat.succeed(["recover", "shop", "--no-cutover", "--yes"]);
      expect(existsSync(join(folder, "cache_r3/dump.rdb"))).toBe(true);
      await refloat.succeed(["cancel", "3", "--yes"]);
      expect(existsSync(join(folder, "cache_r3"))).toBe(false);
    },
  );
});
