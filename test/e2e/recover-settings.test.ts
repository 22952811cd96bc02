/** What a service is told to be, by the command line: its settings in etcd, its configuration in Git, its infrastructure in Terraform, of one point. */
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EtcdServer, startEtcdServer } from "../../src/testing/etcd-server.ts";
import { findFreePort } from "../../src/testing/free-port.ts";
import { git, makeRepository } from "../../src/testing/git-bench.ts";
import { applied, hasTerraform, makeConfiguration, password, terraform } from "../../src/testing/terraform-bench.ts";
import { type RefloatProgram, refloatIn } from "./support/refloat-program.ts";
import { declareIn } from "./support/declare.ts";

describe("settings in etcd, Git and Terraform", () => {
  let folder: string;
  let server: EtcdServer;
  let refloat: RefloatProgram;

  const at = (name: string): string => join(folder, name);
  const price = (): Promise<string> => server.ctl("get", "/shop/price", "--print-value-only");

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-settings-"));
    await chmod(folder, 0o755);
    server = await startEtcdServer({ directory: at("etcd") });
    await server.ctl("put", "/shop/price", "5");
    await makeRepository(at("config"));
    if (hasTerraform) {
      await makeConfiguration(at("infrastructure"));
      await terraform(at("infrastructure"), "apply", "-auto-approve", "-no-color", "-var=price=7");
    }
    const port = await findFreePort(2);
    const infrastructure = `      infrastructure:
        type: terraform
        path: ${at("infrastructure")}
        environment:
          TF_VAR_price: "7"
        checks:
          - terraform: plan
`;
    await declareIn(
      folder,
      `services:
  shop:
    components:
      settings:
        type: etcd
        data: ${server.data}
        url: ${server.url}
        ports: ${port}-${port + 1}
        start: ${server.startLine}
        stop: ${server.stopLine}
        checks:
          - command: test -n "$(ETCDCTL_API=3 etcdctl --endpoints \${settings.url} get /shop/price --print-value-only)"
      config:
        type: git
        path: ${at("config")}
        reload: touch ${at("reloaded")}
${hasTerraform ? infrastructure : ""}`,
    );
    refloat = refloatIn(folder);
    await refloat.succeed(["vault", "init"]);
  }, 300_000);

  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("are looked at before anything is done, and no value of a state is shown", { timeout: 300_000 }, async () => {
    const { stdout } = await refloat.succeed(["validate", "--live", "shop"]);
    const said = stdout.replaceAll(/\s+/g, " ");
    expect(said).toContain("1 key at revision 2");
    expect(said).toContain("a repository, refs/heads/main at");
    expect(said).toContain(hasTerraform ? "with 2 resources, kept in the folder" : "1 key");
    expect(stdout).not.toContain(password);
  });

  it("are recovered to what they were, checked, and put in their places", { timeout: 300_000 }, async () => {
    const commit = await git(at("config"), "rev-parse", "HEAD");
    await refloat.succeed(["capture", "shop"]);
    await server.ctl("put", "/shop/price", "0");
    await writeFile(at("config/shop.conf"), "price = 0\n");
    await git(at("config"), "commit", "--quiet", "--all", "--message", "a bad upgrade");
    if (hasTerraform) {
      await writeFile(at("infrastructure/main.tf"), 'resource "terraform_data" "product" { input = 0 }\n');
      await applied(at("infrastructure"));
    }
    const plan = (await refloat.succeed(["plan", "shop"])).stdout.replaceAll(/\s+/g, " ");
    expect(plan).toContain("1 change");
    expect(plan).toContain("1 commit, 1 ref");
    const done = (await refloat.succeed(["recover", "shop", "--yes"])).stdout;
    expect(done.replaceAll(/\s+/g, " ")).toContain("SHOP IS BACK");
    expect(done).not.toContain(password);
    expect(await price()).toBe("5");
    expect(await git(at("config"), "rev-parse", "HEAD")).toBe(commit);
    expect(await readdir(folder)).toContain("reloaded");
    const [output, main] = hasTerraform
      ? [
          await terraform(at("infrastructure"), "output", "-raw", "price"),
          await readFile(at("infrastructure/main.tf"), "utf8"),
        ]
      : ["7", "var.price"];
    expect(output).toBe("7");
    expect(main).toContain("var.price");
  });

  it("are brought back by an undo that nothing is lost by", { timeout: 300_000 }, async () => {
    await refloat.succeed(["undo", "1", "--yes"]);
    expect(await price()).toBe("0");
    expect(await readFile(at("config/shop.conf"), "utf8")).toBe("price = 0\n");
    await refloat.succeed(["commit", "2", "--yes"]);
    expect((await readdir(folder)).filter((name) => /\.(?:r|old)\d+$/.test(name))).toEqual([]);
  });
});
