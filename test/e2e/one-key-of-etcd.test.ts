/** One key of a real etcd: looked for in a point, taken out of it, put back into what is live. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

  beforeAll(async () => {
    folder = await createTestFolder("refloat-one-key-of-etcd");
    server = await startEtcdServer();
    lease = /lease (\w+) granted/.exec(await server.ctl("lease", "grant", "3600"))?.[1] ?? "";
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
    await server.ctl("put", "/app/price", "5");
    await server.ctl("del", "/app/removed");
    await server.ctl("put", "/app/leased", "by a session", `--lease=${lease}`);
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

  it("is listed with all others, or by a pattern, out of the point alone", { timeout: 60_000 }, async () => {
    const all = await keysAt();
    expect(all).toHaveLength(512);
    const last = (await program.succeed(["browse", place(), "--json"])).lines.at(-1);
    expect(resultEnvelopeSchema("browse").parse(last).data).toMatchObject({ kind: "keys", driver: "etcd", count: 512 });
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

  it("is missed by its name", { timeout: 60_000 }, async () => {
    const refused = await program.run(["extract", place("/app/removed"), "--to", join(folder.path, "none")]);
    expect(refused.exit).not.toBe(0);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain("config has no key /app/removed in this point");
  });
});
