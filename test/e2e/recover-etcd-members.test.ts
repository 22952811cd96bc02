/** Three etcd members: a recovery is refused when it is planned, and the commands that are named instead put all three back at once. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type EtcdServer, startEtcdServer } from "../../src/testing/etcd-server.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { declareIn } from "./support/declare.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";

const names = ["one", "two", "three"] as const;

describe("an etcd cluster of three members", { timeout: 300_000 }, () => {
  let folder: string;
  let members: readonly EtcdServer[] = [];
  let refloat: RefloatProgram;

  const first = (): EtcdServer => members[0] as EtcdServer;
  const clusterId = async (): Promise<string> =>
    (
      JSON.parse(await first().ctl("endpoint", "status", "-w", "json")) as [
        { Status: { header: { cluster_id: number } } },
      ]
    )[0].Status.header.cluster_id.toString();
  const answering = () =>
    vi.waitFor(async () => Promise.all(members.map(({ ctl }) => ctl("endpoint", "health"))), {
      timeout: 60_000,
      interval: 200,
    });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-etcd-members-"));
    const peers: Record<string, number> = {};
    for (const name of names) peers[name] = await findFreePort();
    members = await Promise.all(names.map((name) => startEtcdServer({ name, peers })));
    await answering();
    const port = await findFreePort(2);
    await declareIn(
      folder,
      `services:
  shop:
    components:
      config:
        type: etcd
        data: ${first().data}
        url: ${first().url}
        ports: ${port}-${port + 1}
        start: ${first().startLine}
        stop: ${first().stopLine}
`,
    );
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
    await first().ctl("put", "/shop/price", "5");
  }, 300_000);
  afterAll(async () => {
    for (const member of members) await member.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("is refused when a recovery is planned, and is put back whole by the commands that are named", async () => {
    const captured = await refloat.succeed(["capture", "shop", "--json"]);
    const point = (captured.lines.at(-1) as { data: { id: string } }).data.id.slice(0, 8);
    expect(captured.stderr + captured.stdout).toContain("the cluster has 3 members");
    await first().ctl("put", "/shop/price", "6");
    const before = await clusterId();

    // One key is put back in a cluster of any size, and is the same for all members.
    await refloat.succeed(["mend", "shop", "--only", "config:/shop/*", "--yes"]);
    for (const { ctl } of members) expect(await ctl("get", "/shop/price", "--print-value-only")).toBe("5");
    await first().ctl("put", "/shop/price", "6");

    const { exit, stderr } = await refloat.run(["plan", "shop"]);
    expect(exit).toBe(3);
    expect(stderr).toMatch(/is one of 3 \(.*\), which would go on without it/);
    expect(stderr).toContain("refloat validate --live shop");
    expect(await first().ctl("get", "/shop/price", "--print-value-only")).toBe("6");

    // As the refusal offers: beside, which takes nothing from the members.
    const { stderr: told } = await refloat.succeed(["recover", "shop", "--no-cutover", "--yes"]);
    const [, port = ""] = /on port (\d+)/.exec(told.replaceAll(/\s+/g, " ")) ?? [];
    const { stdout: beside } = await execa(
      "etcdctl",
      ["--endpoints", `http://127.0.0.1:${port}`, "get", "/shop/price", "--print-value-only"],
      { env: { ETCDCTL_API: "3" } },
    );
    expect(beside).toBe("5");
    await refloat.succeed(["cancel", "1", "--yes"]);
    expect(await first().ctl("get", "/shop/price", "--print-value-only")).toBe("6");

    const { stdout } = await refloat.run(["validate", "--live", "shop"]);
    const lines = stdout.split("\n").map((line) => line.trim());
    const extract = lines.find((line) => line.startsWith("refloat extract")) ?? "";
    const restores = lines.filter((line) => line.includes("snapshot restore"));
    expect(restores).toHaveLength(3);
    const [, place = ""] = /^refloat extract (\S+) /.exec(extract) ?? [];
    const snapshot = join(folder, "snapshot.db");
    await refloat.succeed(["extract", place.replace("POINT", point).replace("COMPONENT", "config"), "--to", snapshot]);

    for (const [index, name] of names.entries()) {
      const line = restores.find((one) => one.endsWith(`# for ${name}`)) ?? "";
      // Each command on the machine of its own member, where the data folder has the same name.
      const own = line.replaceAll(first().data, members[index]?.data ?? "").replace("snapshot.db", snapshot);
      await execa("sh", ["-ec", own]);
    }
    for (const { stopLine } of members) await execa("sh", ["-c", stopLine]);
    for (const { data } of members) await execa("sh", ["-ec", `mv ${data} ${data}.old; mv ${data}.new ${data}`]);
    for (const { start } of members) await start();
    await answering();
    for (const { ctl } of members) expect(await ctl("get", "/shop/price", "--print-value-only")).toBe("5");
    expect((await first().ctl("member", "list")).split("\n")).toHaveLength(3);
    expect(await clusterId()).not.toBe(before);
    // It takes writes, and each of them has what another one took.
    await members[2]?.ctl("put", "/shop/price", "7");
    expect(await first().ctl("get", "/shop/price", "--print-value-only")).toBe("7");
  });
});
