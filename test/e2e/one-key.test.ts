/** One key of a real Redis server: looked for in a point, taken out of it, put back into what is live. */
import { cp, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { fillRedis, readRedisContent } from "../../src/testing/redis-bench.ts";
import { type RedisServer, startRedisServer } from "../../src/testing/redis-server.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

describe("one key of a Redis server", () => {
  let folder: TestFolder;
  let server: RedisServer;
  let program: RefloatInside;
  let point = "";
  let copies = 0;

  const place = (key = ""): string => (key === "" ? `${point}:cache` : `${point}:cache:${key}`);
  const keysAt = async (key = "") => {
    const { lines } = await program.succeed(["browse", place(key), "--json"]);
    return lines
      .slice(0, -1)
      .map(
        (line) =>
          line["data"] as { key: string; keyBase64?: string; prefix: string; type: string; expiresAt: string | null },
      );
  };
  beforeAll(async () => {
    folder = await createTestFolder("refloat-one-key");
    server = await startRedisServer();
    await fillRedis(server);
    // A value that comes in many pieces.
    await server.pipe(["CONFIG SET rdbcompression no", "SETRANGE big 5000000 x"]);
    await server.pipe([
      String.raw`SET "two\nlines" one`,
      String.raw`SET "\xff\x00bytes" binary`,
      String.raw`SET "back\\slash" slash`,
      "SET a,b comma",
      "SET user:[1] brackets",
      "SET .. up",
      "SET data shadowed",
      "SET db1/odd prefixed",
      "SET / root",
      "SET café coffee",
    ]);
    const port = await findFreePort(2);
    await writeFile(join(folder.path, "password"), "correct horse battery staple", { mode: 0o600 });
    await writeFile(
      join(folder.path, "refloat.yaml"),
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services: { shop: { components: { cache: { type: redis, data: ${server.data}, url: "${server.url}", ports: "${port}-${port + 1}" } } } }`,
    );
    program = refloatInside(folder.path);
    await program.succeed(["vault", "init"]);
    const captured = await program.succeed(["capture", "shop", "--json"]);
    point = resultEnvelopeSchema("capture").parse(captured.lines.at(-1)).data.id;
  }, 300_000);
  afterAll(async () => {
    await program.close();
    await server.stop();
    await folder.remove();
  });

  it("is one of a server that has lost no file by being captured as a stream", { timeout: 300_000 }, async () => {
    const { lines } = await program.succeed(["assess", "shop", "--against", point, "--json"]);
    const { components, cures } = resultEnvelopeSchema("assess").parse(lines.at(-1)).data;
    expect(components).toMatchObject([
      {
        damaged: false,
        files: { added: 0, removed: 0, changed: 0 },
        unseen: "redis is captured as a whole, and what is in it is not compared here",
      },
    ]);
    expect(cures.filter(({ kind }) => kind === "extract")).toEqual([]);
    const said = (await program.succeed(["assess", "shop", "--against", point])).stdout;
    expect(said).toContain("nothing looks damaged of what was compared");
    const diff = (await program.succeed(["diff", point, "live"])).stdout;
    expect(diff).toContain("cache: not compared: redis is captured as a whole");
    expect(diff).not.toContain("removed");
  });

  it("is listed with all others, or by a pattern, out of the point alone", { timeout: 300_000 }, async () => {
    const all = await keysAt();
    expect(all).toHaveLength(326);
    const last = (await program.succeed(["browse", place(), "--json"])).lines.at(-1);
    expect(resultEnvelopeSchema("browse").parse(last).data).toMatchObject({ kind: "keys", pattern: null, count: 326 });
    expect(all.find(({ key }) => key === "other")).toMatchObject({ prefix: "db2/", type: "string", expiresAt: null });
    expect(all.find(({ key }) => key === "db1/odd")).toMatchObject({ prefix: "db0/" });
    expect(all.find(({ keyBase64 }) => keyBase64 !== undefined)?.keyBase64).toBe(
      Buffer.from("\u00ff\u0000bytes", "latin1").toString("base64"),
    );
    expect((await keysAt("session:*")).map(({ key }) => key).toSorted()).toEqual(["session:1", "session:2"]);
    expect((await keysAt("session:?"))[0]?.expiresAt).toMatch(/^20\d\d-/);
    expect(await keysAt("db2/*")).toHaveLength(1);
    const shown = (await program.succeed(["browse", place("[t\\xff]*")])).stdout;
    expect(shown).toContain("two\\nlines");
    expect(shown).toContain("\\xff\\x00bytes");
    const missing = await program.run(["browse", place("nothing")]);
    expect(missing.exit).not.toBe(0);
    expect(missing.stderr).toContain("has no key or file nothing");
    // A file of the capture comes first, and the files are still there.
    expect((await program.succeed(["browse", place("data/dump.rdb")])).stdout).toContain("data/dump.rdb");
    expect((await program.succeed(["browse", place(), "--files"])).stdout).toContain("data/");
  });

  it.each([
    ["two\\nlines", "one"],
    ["\\xff\\x00bytes", "binary"],
    ["back\\\\slash", "slash"],
    ["a,b", "comma"],
    ["user:[1]", "brackets"],
    ["..", "up"],
    ["db0/data", "shadowed"],
    ["db0/db1/odd", "prefixed"],
    ["/", "root"],
    ["café", "coffee"],
    ["db2/other", "database"],
    ["number", "4711"],
    ["long", "x".repeat(20_000)],
    ["user:1", '["name","ann"]\n["age","40"]\n'],
    ["queue", '"a"\n"b"\n"c"\n'],
    ["ranks", '["ann",1]\n["bob",2.5]\n'],
  ])("%j is taken out by its name, whatever that is", { timeout: 300_000 }, async (key, value) => {
    const { bytes } = await program.succeed(["extract", place(key), "--stdout"]);
    expect(bytes.toString("utf8")).toBe(value);
  });

  it("goes into any server by RESTORE, in a file of its own", { timeout: 300_000 }, async () => {
    const target = join(folder.path, "events.key");
    const told = await program.succeed(["extract", place("events"), "--dump", "--to", target]);
    expect(told.stdout).toContain("key of cache");
    const before = await server.cli("XRANGE", "events", "-", "+");
    await server.cli("DEL", "events");
    await execa("redis-cli", ["-p", String(server.port), "-x", "RESTORE", "events", "0"], { inputFile: target });
    expect(await server.cli("XRANGE", "events", "-", "+")).toBe(before);
    // A stream has no other form, a missing key none at all, and what fails leaves no file.
    for (const [key, words] of [
      ["events", "not taken apart here"],
      ["no such", "has no key no such"],
    ] as const) {
      const refused = await program.run(["extract", place(key), "--to", join(folder.path, "none")]);
      expect(refused.exit).not.toBe(0);
      expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain(words);
    }
    expect(await readdir(folder.path)).not.toContain("none");
  });

  describe("put back", () => {
    const mend = (...args: readonly string[]) => program.run(["mend", "shop", ...args]);
    const answer = async (...args: readonly string[]) =>
      resultEnvelopeSchema("mend").parse((await program.succeed(["mend", "shop", ...args, "--json"])).lines.at(-1))
        .data;

    beforeEach(async () => {
      await server.cli("FLUSHALL");
      const rdb = join(folder.path, `point-${(copies += 1)}`);
      await program.succeed(["extract", place("data"), "--to", rdb]);
      await cp(join(rdb, "dump.rdb"), join(server.data, "dump.rdb"));
      await server.crash();
      await server.start();
    }, 300_000);

    it("shows what differs first, does just that, and takes it back", { timeout: 300_000 }, async () => {
      await server.pipe([
        "DEL session:1",
        "SET session:2 mallory KEEPTTL",
        "SET session:3 carol",
        "SELECT 2",
        "DEL other",
        "HSET other now hash",
      ]);
      const damaged = await readRedisContent(server, null);
      const shown = (await program.succeed(["mend", "shop", "--only", "cache:session:*", "--no-apply"])).stdout;
      expect(shown).toContain("db0: 1 differ, 1 gone, 1 newer, left alone, 0 equal");
      expect(shown).toContain("1 key gets back value, 1 key comes back");
      expect(shown).toContain("+ key session:1: value ann");
      expect(shown).toContain("* key session:2: value mallory > bob");
      expect(await readRedisContent(server, null)).toBe(damaged);

      const { digest, tables, unit } = await answer("--only", "cache:session:*,cache:db2/*", "--yes");
      expect(unit).toBe("keys");
      expect(tables.map(({ name, puts }) => [name, puts])).toEqual([
        ["db0", { changed: 1, gone: 1 }],
        ["db2", { changed: 1, gone: 0 }],
      ]);
      expect(await server.cli("MGET", "session:1", "session:2", "session:3")).toBe("ann\nbob\ncarol");
      expect(await server.cli("-n", "2", "GET", "other")).toBe("database");
      expect(Number(await server.cli("TTL", "session:1"))).toBeGreaterThan(90_000);
      const log = (await program.succeed(["log", "--json"])).stdout;
      expect(log).toContain(digest);
      expect(log).toContain('"direction":"mend"');

      // Done twice it is refused, and so is a way back from what somebody has changed since.
      expect((await mend("--proposal", digest)).stderr).toContain("rows.changed");
      await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
      expect(await readRedisContent(server, null)).toBe(damaged);
      expect((await mend("--undo", digest, "--yes")).stderr).toContain("rows.changed");
    });

    it("does nothing at all when one key was written since it was compared", { timeout: 300_000 }, async () => {
      await server.pipe(["DEL product:1", "DEL product:2"]);
      const { digest } = await answer("--only", "cache:product:*", "--no-apply");
      await server.cli("SET", "product:2", "sold");
      const before = await readRedisContent(server, null);
      const refused = await mend("--proposal", digest);
      expect(refused.stderr).toContain("rows.changed");
      expect(refused.stderr).toContain("nothing was changed");
      expect(await readRedisContent(server, null)).toBe(before);
      // A time to end that was moved is a change too.
      const { digest: again } = await answer("--only", "cache:product:1", "--no-apply");
      await server.pipe(["SET product:1 gone"]);
      expect((await mend("--proposal", again)).exit).not.toBe(0);
      expect(await server.cli("GET", "product:1")).toBe("gone");
    });

    it("takes what the server packs in another way for what it is", { timeout: 300_000 }, async () => {
      for (const [limit, value] of [
        ["hash-max-listpack-entries", "0"],
        ["zset-max-listpack-entries", "0"],
        ["set-max-intset-entries", "0"],
        ["list-max-listpack-size", "1"],
        ["rdbcompression", "no"],
      ] as const)
        await server.cli("CONFIG", "SET", limit, value);
      // Rewritten by the server in other packings, and in another order.
      await server.pipe([
        "DEL user:1 ranks numbers queue",
        "HSET user:1 age 40 name ann",
        "ZADD ranks 2.5 bob 1.0 ann",
        "SADD numbers 3 1 2",
        "RPUSH queue a b c",
      ]);
      const { tables, script } = await answer("--only", "cache:*", "--no-apply");
      expect([tables[0]?.changed, tables[0]?.gone, script]).toEqual([0, 0, null]);
      await server.cli("RPUSH", "queue", "d");
      expect((await answer("--only", "cache:*", "--no-apply")).tables[0]?.samples).toEqual([
        { kind: "changed", key: { key: "queue" }, columns: [{ name: "value", point: "list of 3", live: "list of 4" }] },
      ]);
    });

    it("comes back whatever its name and its size are", { timeout: 300_000 }, async () => {
      const before = await readRedisContent(server, null);
      await server.cli("FLUSHALL");
      const { tables } = await answer("--only", "cache:*,cache:db2/*", "--yes");
      expect(tables.map(({ puts }) => puts.gone)).toEqual([325, 1]);
      expect(await readRedisContent(server, null)).toBe(before);
    });

    it("does nothing at all where the server has no room for all of them", { timeout: 300_000 }, async () => {
      await server.pipe(["DEL session:1 session:2", "CONFIG SET maxmemory-policy noeviction"]);
      const { digest } = await answer("--only", "cache:session:*", "--no-apply");
      await server.cli("CONFIG", "SET", "maxmemory", "1mb");
      try {
        const refused = await mend("--proposal", digest);
        expect(refused.stderr).toContain("OOM");
        expect(refused.stderr).toContain("nothing was changed");
        expect(await server.cli("EXISTS", "session:1", "session:2")).toBe("0");
      } finally {
        await server.cli("CONFIG", "SET", "maxmemory", "0");
      }
      await program.succeed(["mend", "shop", "--proposal", digest]);
      expect(await server.cli("MGET", "session:1", "session:2")).toBe("ann\nbob");
    });

    it("needs no more rights than are documented, and says which it misses", { timeout: 300_000 }, async () => {
      const rights = /ACL SETUSER refloat (~\S+ .*)/.exec(await readFile("docs/redis.md", "utf8"))?.[1] ?? "";
      await server.cli("ACL", "SETUSER", "mender", "reset", "on", "nopass", ...rights.split(" "));
      const declared = await readFile(join(folder.path, "refloat.yaml"), "utf8");
      const asMender = refloatInside(folder.path);
      await program.close();
      await writeFile(
        join(folder.path, "refloat.yaml"),
        declared
          .replace("redis://", "redis://mender@")
          .replace("type: redis,", 'type: redis, password: "${file:/dev/null}",'),
      );
      try {
        await server.pipe(["DEL session:1", "DEL product:1"]);
        expect((await asMender.succeed(["mend", "shop", "--only", "cache:session:*", "--yes"])).stdout).toContain(
          "1 key of shop cache",
        );
        expect(await server.cli("GET", "session:1")).toBe("ann");
        const refused = await asMender.run(["mend", "shop", "--only", "cache:product:*", "--yes"]);
        expect(refused.stderr).toContain("source.denied");
        expect(await server.cli("EXISTS", "product:1")).toBe("0");
      } finally {
        await asMender.close();
        await writeFile(join(folder.path, "refloat.yaml"), declared);
      }
    });
  });
});
