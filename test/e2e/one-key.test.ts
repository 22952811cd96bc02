/** One key of a real Redis server: looked for in a point, taken out of it, put back into what is live. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { fillRedis } from "../../src/testing/redis-bench.ts";
import { type RedisServer, startRedisServer } from "../../src/testing/redis-server.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

describe("one key of a Redis server", () => {
  let folder: TestFolder;
  let server: RedisServer;
  let program: RefloatInside;
  let point = "";

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
  }, 120_000);
  afterAll(async () => {
    await program.close();
    await server.stop();
    await folder.remove();
  });

  it("is listed with all others, or by a pattern, out of the point alone", { timeout: 60_000 }, async () => {
    const all = await keysAt();
    expect(all).toHaveLength(325);
    const last = (await program.succeed(["browse", place(), "--json"])).lines.at(-1);
    expect(resultEnvelopeSchema("browse").parse(last).data).toMatchObject({ kind: "keys", pattern: null, count: 325 });
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
  ])("%j is taken out by its name, whatever that is", { timeout: 60_000 }, async (key, value) => {
    const { bytes } = await program.succeed(["extract", place(key), "--stdout"]);
    expect(bytes.toString("utf8")).toBe(value);
  });

  it("goes into any server by RESTORE, in a file of its own", { timeout: 60_000 }, async () => {
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
});
