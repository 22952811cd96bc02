/** One key of a real etcd: looked for in a point, taken out of it, put back into what is live. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resultEnvelopeSchema } from "../../src/contract/envelope.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { writeEtcd } from "../../src/testing/etcd-bench.ts";
import { type EtcdServer, startEtcdServer } from "../../src/testing/etcd-server.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { type RefloatInside, refloatInside } from "./support/refloat-inside.ts";

describe("one key of etcd", () => {
  let folder: TestFolder;
  let server: EtcdServer;
  let program: RefloatInside;
  let point = "";
  let lease = "";

  const place = (key = ""): string => (key === "" ? `${point}:config` : `${point}:config:${key}`);
  const keysAt = async (key = "") => {
    const { lines } = await program.succeed(["browse", place(key), "--json"]);
    return lines.slice(0, -1).map((line) => line["data"] as { key: string; keyBase64?: string; lease?: string });
  };
  const put = (key: string, value: string | Uint8Array) => ({ key: Buffer.from(key), value: Buffer.from(value) });

  const fill = async (): Promise<void> => {
    await writeEtcd(server, [
      ...Array.from({ length: 500 }, (_, index) => put(`/many/${String(index).padStart(3, "0")}`, `value ${index}`)),
      put("/app/name", "shop"),
      put("/app/price", "first"),
      put("/app/removed", "gone"),
      put("/app/two\nlines", "one"),
      { key: Buffer.from([0xff, 0x00, 0x62]), value: Buffer.from([0, 255]) },
      put("/app/[a],b", "brackets"),
      put("data", "shadowed"),
      put("/data", "slashed"),
      put("..", "up"),
      put("/", "root"),
      put("/app/empty", ""),
      put("/app/big", "x".repeat(1_200_000)),
    ]);
    for (const name of ["/large/1", "/large/2"]) await writeEtcd(server, [put(name, name.repeat(110_000))]);
    await server.ctl("put", "/app/price", "5");
    await server.ctl("del", "/app/removed");
    await server.ctl("put", "/app/leased", "by a session", `--lease=${lease}`);
  };

  beforeAll(async () => {
    folder = await createTestFolder("refloat-one-key-of-etcd");
    server = await startEtcdServer();
    lease = /lease (\w+) granted/.exec(await server.ctl("lease", "grant", "3600"))?.[1] ?? "";
    await fill();
    const port = await findFreePort(2);
    await writeFile(join(folder.path, "password"), "correct horse battery staple", { mode: 0o600 });
    await writeFile(
      join(folder.path, "refloat.yaml"),
      `vault: { url: ${folder.path}/vault, password: "\${file:${folder.path}/password}" }
services:
  shop:
    components:
      config: { type: etcd, data: ${server.data}, url: "${server.url}", ports: "${port}-${port + 1}", start: "${server.startLine}", stop: "${server.stopLine}" }
`,
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

  it("is one of a cluster that has lost nothing by being captured as a stream", { timeout: 60_000 }, async () => {
    const { lines } = await program.succeed(["assess", "shop", "--against", point, "--json"]);
    const { components, cures } = resultEnvelopeSchema("assess").parse(lines.at(-1)).data;
    expect(components).toMatchObject([{ damaged: false, files: { added: 0, removed: 0, changed: 0 } }]);
    expect(cures.filter(({ kind }) => kind === "extract")).toEqual([]);
  });

  it("is listed with all others, or by a pattern, out of the point alone", { timeout: 60_000 }, async () => {
    const all = await keysAt();
    expect(all).toHaveLength(514);
    const last = (await program.succeed(["browse", place(), "--json"])).lines.at(-1);
    expect(resultEnvelopeSchema("browse").parse(last).data).toMatchObject({ kind: "keys", driver: "etcd", count: 514 });
    expect((await keysAt("/app/[np]*")).map(({ key }) => key).toSorted()).toEqual(["/app/name", "/app/price"]);
    expect(all.find(({ key }) => key === "/app/leased")).toMatchObject({ lease });
    expect(all.find(({ keyBase64 }) => keyBase64 !== undefined)?.keyBase64).toBe("/wBi");
    const shown = (await program.succeed(["browse", place("/app/*")])).stdout;
    expect(shown).toContain(`/app/leased (lease ${lease})`);
    expect(shown).toContain("/app/two\\nlines");
    expect(shown).not.toContain("/app/removed");
    const missing = await program.run(["browse", place("/app/removed")]);
    expect(missing.exit).not.toBe(0);
    expect(missing.stderr).toContain("has no key or file /app/removed");
    expect((await program.succeed(["browse", place("data/snapshot.db")])).stdout).toContain("data/snapshot.db");
    expect((await program.succeed(["browse", place(), "--files"])).stdout).toContain("data/");
  });

  it.each([
    ["/app/price", "5"],
    ["/app/empty", ""],
    ["/app/two\\nlines", "one"],
    ["\\xff\\x00b", "\u0000\u00ff"],
    ["/app/[a],b", "brackets"],
    ["\\x64ata", "shadowed"],
    ["/data", "slashed"],
    ["..", "up"],
    ["/", "root"],
    ["/app/big", "x".repeat(1_200_000)],
    ["/many/499", "value 499"],
  ])("%j is taken out by its name, whatever that is", { timeout: 60_000 }, async (key, value) => {
    const { bytes } = await program.succeed(["extract", place(key), "--stdout"]);
    expect(bytes.toString("latin1")).toBe(value);
  });

  it("is taken out as of a moment, which is that of a point", { timeout: 60_000 }, async () => {
    const { bytes, stderr } = await program.succeed(["extract", "shop:config:/app/price", "--at", "last", "--stdout"]);
    expect(bytes.toString("utf8")).toBe("5");
    expect(stderr).toContain(`config as of point ${point.slice(0, 8)}`);
  });

  it("is missed by its name", { timeout: 60_000 }, async () => {
    const refused = await program.run(["extract", place("/app/removed"), "--to", join(folder.path, "none")]);
    expect(refused.exit).not.toBe(0);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain("config has no key /app/removed in this point");
  });

  describe("put back", () => {
    type Said = {
      readonly kvs?: readonly { readonly key: string; readonly value?: string; readonly lease?: number }[];
    };
    let whole = "";
    const content = async (): Promise<string> => {
      const { kvs = [] } = JSON.parse(await server.ctl("get", "", "--from-key", "--write-out", "json")) as Said;
      return JSON.stringify(
        kvs.map(({ key, value, lease }) => [Buffer.from(key, "base64").toString("latin1"), value, lease]),
      );
    };
    const mend = (...args: readonly string[]) => program.run(["mend", "shop", ...args]);
    const answer = async (...args: readonly string[]) =>
      resultEnvelopeSchema("mend").parse((await program.succeed(["mend", "shop", ...args, "--json"])).lines.at(-1))
        .data;

    beforeEach(async () => {
      await server.ctl("del", "", "--from-key");
      await fill();
      whole = await content();
    }, 60_000);

    it("shows what differs first, does just that, and takes it back", { timeout: 120_000 }, async () => {
      await server.ctl("put", "/app/price", "0 after a bad upgrade");
      await server.ctl("put", "/app/newer", "since then");
      await server.ctl("del", "/app/name");
      await writeEtcd(server, [{ key: Buffer.from([0xff, 0x00, 0x62]), value: Buffer.from([1]) }]);
      const damaged = await content();
      const shown = (await program.succeed(["mend", "shop", "--only", "config:/app/[np]*", "--no-apply"])).stdout;
      expect(shown).toContain("keys: 1 differ, 1 gone, 1 newer, left alone, 0 equal");
      expect(shown).toContain("1 key gets back value, 1 key comes back");
      expect(shown).toContain("+ key /app/name: value shop");
      expect(shown).toContain("* key /app/price: value 0 after a bad upgrade > 5");
      expect(await content()).toBe(damaged);

      const typed = (await program.succeed(["mend", "shop", "--only", "config:\\xff*", "--no-apply"])).stdout;
      expect(typed).toContain("* key \\xff\\x00b: value \\x01 > \\x00\\xff");

      const { digest, tables, unit, script } = await answer("--only", "config:/app/*,config:\\xff\\x00b", "--yes");
      expect(unit).toBe("keys");
      expect(tables.map(({ name, puts, newer }) => [name, puts, newer])).toEqual([
        ["keys", { changed: 2, gone: 1 }, 1],
      ]);
      expect(await readFile(script ?? "", "utf8")).toContain('"name":"/app/price"');
      const mended = JSON.parse(await content()) as readonly (readonly string[])[];
      expect(JSON.stringify(mended.filter(([name]) => name !== "/app/newer"))).toBe(whole);
      const log = (await program.succeed(["log", "--json"])).stdout;
      expect(log).toContain(digest);
      expect(log).toContain('"direction":"mend"');

      // Done twice it is refused, and so is a way back from what somebody has changed since; after the way back it is done again.
      expect((await mend("--proposal", digest)).stderr).toContain("rows.changed");
      await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
      expect(await content()).toBe(damaged);
      expect((await mend("--undo", digest, "--yes")).stderr).toContain("rows.changed");
      await program.succeed(["mend", "shop", "--proposal", digest]);
      await server.ctl("put", "/app/price", "6");
      const refused = await mend("--undo", digest, "--yes");
      expect(refused.stderr).toContain("rows.changed");
      expect(refused.stderr).toContain("nothing was changed");
      expect(await server.ctl("get", "/app/name", "--print-value-only")).toBe("shop");
    });

    it("does nothing at all when one key was written since it was compared", { timeout: 60_000 }, async () => {
      await server.ctl("del", "/many/00", "--prefix");
      const { digest } = await answer("--only", "config:/many/*", "--no-apply");
      await server.ctl("put", "/many/007", "by somebody");
      const before = await content();
      const refused = await mend("--proposal", digest);
      expect(refused.stderr).toContain("rows.changed");
      expect(refused.stderr).toContain("nothing was changed");
      expect(await content()).toBe(before);
    });

    it("comes back with all of its folder at once", { timeout: 60_000 }, async () => {
      await server.ctl("del", "/many/", "--prefix");
      const { digest, tables, warnings } = await answer("--only", "config:/many/*", "--yes");
      expect([tables[0]?.puts, warnings]).toEqual([{ changed: 0, gone: 500 }, []]);
      expect(await content()).toBe(whole);
      await program.succeed(["mend", "shop", "--undo", digest, "--yes"]);
      expect(await server.ctl("get", "/many/", "--prefix", "--keys-only")).toBe("");
      await program.succeed(["mend", "shop", "--proposal", digest]);
      expect(await content()).toBe(whole);
    });

    it("has no lease any more when it comes back, which is said", { timeout: 60_000 }, async () => {
      await server.ctl("del", "/app/leased");
      const shown = (await program.succeed(["mend", "shop", "--only", "config:/app/*", "--yes"])).stdout;
      expect(shown.replaceAll(/\s+/g, " ")).toContain(
        "1 key had a lease in the point, which nobody renews: it comes back without one and stays until somebody removes it: /app/leased",
      );
      expect(await server.ctl("get", "/app/leased", "--print-value-only")).toBe("by a session");
      expect(await server.ctl("lease", "timetolive", lease, "--keys")).not.toContain("/app/leased");
    });

    it("is told to be too much for one request before it is refused as such", { timeout: 60_000 }, async () => {
      await server.ctl("del", "/large/", "--prefix");
      const { digest, warnings } = await answer("--only", "config:/large/*", "--no-apply");
      expect(warnings).toEqual([expect.stringContaining("etcd takes 1.6 MB in one request") as string]);
      const refused = await mend("--proposal", digest);
      expect(refused.stderr).toContain("too large");
      expect(refused.stderr).toContain("nothing was changed");
      expect(refused.stderr).toContain("narrow the pattern");
      expect(await server.ctl("get", "/large/", "--prefix", "--keys-only")).toBe("");
    });

    it("is refused where no key fits, and where rows are meant", { timeout: 60_000 }, async () => {
      expect((await mend("--only", "config:/ap/*", "--no-apply")).stderr).toContain("has no key that fits /ap/*");
      const refused = await mend("--only", "config:/app/*", "--where", "id = 1", "--no-apply");
      expect(refused.stderr).toContain("are of tables");
    });

    it("needs no more rights than are documented, and says which it misses", { timeout: 120_000 }, async () => {
      const rights =
        /etcdctl role grant-permission mender (.*)/.exec(await readFile("docs/etcd.md", "utf8"))?.[1] ?? "";
      const declared = await readFile(join(folder.path, "refloat.yaml"), "utf8");
      await server.ctl("put", "/app/price", "0");
      await server.ctl("del", "/many/001");
      await server.ctl("role", "add", "mender");
      await server.ctl("role", "grant-permission", "mender", ...rights.split(" "));
      await server.ctl("user", "add", "mender:secret");
      await server.ctl("user", "grant-role", "mender", "mender");
      await server.ctl("user", "add", "root:root");
      await server.ctl("user", "grant-role", "root", "root");
      await writeFile(join(folder.path, "etcd-password"), "secret", { mode: 0o600 });
      await server.ctl("auth", "enable");
      await program.close();
      await writeFile(
        join(folder.path, "refloat.yaml"),
        declared
          .replace("http://", "http://mender@")
          .replace("type: etcd,", `type: etcd, password: "\${file:${folder.path}/etcd-password}",`),
      );
      const asMender = refloatInside(folder.path);
      try {
        const told = await asMender.succeed(["mend", "shop", "--only", "config:/app/p*", "--yes"]);
        expect(told.stdout).toContain("1 key of shop config");
        const refused = await asMender.run(["mend", "shop", "--only", "config:/many/*", "--yes"]);
        expect(refused.stderr).toContain("source.denied");
        expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain("etcdctl role grant-permission");
      } finally {
        await asMender.close();
        await writeFile(join(folder.path, "refloat.yaml"), declared);
        await server.ctl("--user", "root:root", "auth", "disable");
      }
      expect(await server.ctl("get", "/app/price", "--print-value-only")).toBe("5");
      expect(await server.ctl("get", "/many/001", "--print-value-only")).toBe("");
      program = refloatInside(folder.path);
    });
  });
});
