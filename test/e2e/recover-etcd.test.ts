/** A real etcd server behind the example plugin, by the command line: captured, recovered beside the damage, switched, undone without loss. */
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { findFreePort } from "../../src/testing/free-port.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

const plugin = join(import.meta.dirname, "../../examples/plugins/etcd/refloat-etcd.cjs");

describe("an etcd server by its plugin", () => {
  let folder: string;
  let data: string;
  let endpoint: string;
  let stop: string;
  let refloat: RefloatProgram;

  const etcdctl = async (...words: readonly string[]): Promise<string> =>
    (await execa("etcdctl", ["--endpoints", endpoint, ...words], { env: { ETCDCTL_API: "3" } })).stdout;
  const get = (key: string): Promise<string> => etcdctl("get", key, "--print-value-only");

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-etcd-e2e-"));
    await chmod(folder, 0o755);
    data = join(folder, "etcd");
    endpoint = `http://127.0.0.1:${await findFreePort()}`;
    const peer = `http://127.0.0.1:${await findFreePort()}`;
    const pid = join(folder, "pid");
    const start = join(folder, "start");
    stop = join(folder, "stop");
    await writeFile(
      start,
      `#!/bin/sh
export ETCDCTL_API=3
healthy() { etcdctl --endpoints ${endpoint} endpoint health > /dev/null 2>&1; }
healthy && exit 0
etcd --data-dir ${data} --name default --listen-client-urls ${endpoint} --advertise-client-urls ${endpoint} \\
  --listen-peer-urls ${peer} --initial-advertise-peer-urls ${peer} --initial-cluster default=${peer} \\
  > ${join(folder, "etcd.log")} 2>&1 < /dev/null &
echo $! > ${pid}
tries=0
until healthy; do tries=$((tries + 1)); [ $tries -lt 100 ] || exit 1; sleep 0.1; done
`,
      { mode: 0o755 },
    );
    await writeFile(
      stop,
      `#!/bin/sh
[ -e ${pid} ] || exit 0
kill $(cat ${pid}) 2> /dev/null || true
while kill -0 $(cat ${pid}) 2> /dev/null; do sleep 0.1; done
`,
      { mode: 0o755 },
    );
    await declareIn(
      folder,
      `services:
  shop:
    components:
      config:
        type: command
        plugin: ${plugin}
        name: ${data}
        options:
          endpoint: ${endpoint}
          peer: ${peer}
          stop: ${stop}
          start: ${start}
        checks:
          - command: test "$REFLOAT_ENDPOINT" = ${endpoint}
`,
    );
    refloat = refloatIn(folder);
    await execa(start);
    for (const [key, value] of [
      ["/shop/price", "5"],
      ["/shop/name", "tea"],
      ["/shop/empty", ""],
    ] as const)
      await etcdctl("put", key, value);
    await refloat.succeed(["vault", "init"]);
  }, 300_000);

  afterAll(async () => {
    await execa(stop, { reject: false });
    await rm(folder, { recursive: true, force: true });
  });

  it("is looked at before anything is done", { timeout: 300_000 }, async () => {
    const said = (await refloat.succeed(["validate", "--live", "shop"])).stdout.replaceAll(/\s+/g, " ");
    expect(said).toContain("3 keys at revision 4");
    expect(said).toContain("etcdctl version: 3");
    expect(said).toContain(`output endpoint`);
  });

  it("is recovered beside the damage, and put in its place", { timeout: 300_000 }, async () => {
    await refloat.succeed(["capture", "shop"]);
    await etcdctl("put", "/shop/price", "0");
    await etcdctl("del", "/shop/name");
    const plan = (await refloat.succeed(["plan", "shop"])).stdout.replaceAll(/\s+/g, " ");
    expect(plan).toContain("2 changes");
    expect(plan).toContain(`${data}.r1`);
    const done = (await refloat.succeed(["recover", "shop", "--yes"])).stdout.replaceAll(/\s+/g, " ");
    expect(done).toContain("SHOP IS BACK");
    expect([await get("/shop/price"), await get("/shop/name")]).toEqual(["5", "tea"]);
    expect((await readdir(folder)).filter((name) => /^etcd(\.r|\.old|\.cap|$)/.test(name)).toSorted()).toEqual([
      "etcd",
      "etcd.old1",
    ]);
  });

  it("is undone without loss, since its revision tells that nothing was written", { timeout: 300_000 }, async () => {
    await refloat.succeed(["undo", "1", "--yes"]);
    expect([await get("/shop/price"), await get("/shop/name")]).toEqual(["0", ""]);
    await refloat.succeed(["commit", "2", "--yes"]);
    await refloat.succeed(["recover", "shop", "--yes"]);
    await etcdctl("put", "/shop/price", "6");
    const refused = await refloat.run(["undo", "3", "--yes"]);
    expect(refused.exit).toBe(3);
    expect(refused.stderr).toContain("undo.would-lose");
    expect(refused.stderr).toContain("1 change");
    await refloat.succeed(["commit", "3", "--yes"]);
    expect(await get("/shop/price")).toBe("6");
    expect((await readdir(folder)).filter((name) => /^etcd\.(r|old)/.test(name))).toEqual([]);
  });

  it("makes no point when it does not answer", { timeout: 300_000 }, async () => {
    await execa(stop);
    const failed = await refloat.run(["capture", "shop"]);
    expect(failed.exit).toBe(4);
    expect(failed.stderr).toContain("error source.unreachable: config: ");
    expect(failed.stderr).toContain("(etcd 1.0.0)");
    const { lines } = await refloat.succeed(["points", "shop", "--json"]);
    expect((lines.at(-1) as { data: { points: unknown[] } }).data.points).toHaveLength(1);
  });
});
