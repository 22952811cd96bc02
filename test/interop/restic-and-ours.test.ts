/** Our repositories under stock restic, and restic's under ours: the same bytes, names, modes, links and times, and one store. */
import { mkdir, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { SnapshotInfo, TreeReceipt } from "../../src/core/ports/vault-snapshots.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { describeTree, expectSameTree } from "./support/described-tree.ts";
import { noise, plantNastyTree } from "./support/nasty-tree.ts";
import { password, requireRestic, restic } from "./support/restic.ts";

const never = new AbortController().signal;
const environment = { clock: systemClock };

requireRestic();

let source: TestFolder;
let tree: string;

beforeAll(async () => {
  source = await createTestFolder("refloat-interop-source");
  tree = `${source.path}/tree`;
  await mkdir(tree);
  await plantNastyTree(tree);
});

afterAll(async () => {
  await source.remove();
});

const captureTree = async (
  repository: Repository,
  local = tree,
): Promise<{ readonly info: SnapshotInfo; readonly receipt: TreeReceipt }> => {
  const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: ["ours"], paths: [local] });
  const receipt = await writer.tree(local, { exclude: [], oneFileSystem: false }, never);
  return { info: await writer.commit(), receipt };
};

describe("restic and Refloat", () => {
  let folder: TestFolder;
  let vault: string;
  let repository: Repository | undefined;

  beforeEach(async () => {
    folder = await createTestFolder("refloat-interop");
    vault = `${folder.path}/vault`;
  });

  afterEach(async () => {
    await repository?.close();
    repository = undefined;
    await folder.remove();
  });

  const ours = async (): Promise<Repository> => (repository = await createRepository(vault, password, environment));
  const theirs = async (): Promise<Repository> => {
    await restic(vault, "init", "--repository-version", "2");
    return (repository = await openRepository(vault, password, environment));
  };

  it("restic checks, lists and restores what we captured", async () => {
    const { info, receipt } = await captureTree(await ours());
    await repository?.close();
    expect(receipt.unsteady).toEqual([]);
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
    const [listed] = JSON.parse(await restic(vault, "snapshots", "--json")) as { id: string; tags: string[] }[];
    expect(listed).toMatchObject({ id: info.id, tags: ["ours"], paths: [tree], hostname: "h" });
    await restic(vault, "restore", info.id, "--target", `${folder.path}/restored`);
    expectSameTree(await describeTree(`${folder.path}/restored${tree}`), await describeTree(tree), 0n);
    const count = (await restic(vault, "ls", "--json", info.id)).split("\n").length;
    expect(count).toBeGreaterThan(receipt.files);
  });

  it("we restore what restic captured, and verify it", async () => {
    const opened = await theirs();
    await restic(vault, "backup", tree);
    const [snapshot] = await opened.snapshots();
    const reader = await opened.openSnapshot(snapshot?.id ?? "");
    const report = await reader.extract(tree, `${folder.path}/restored`, never);
    expect(report.warnings).toEqual([]);
    expectSameTree(await describeTree(`${folder.path}/restored`), await describeTree(tree), 500n);
    const verified = await opened.verify({ depth: "read-data" }, never);
    expect(verified.findings).toEqual([]);
    expect(verified.snapshots).toBe(1);
    expect(verified.bytesRead).toBeGreaterThan(9_000_000);
  });

  it("we restore symlinks to what is not UTF-8, which restic learned in 0.16 only", async () => {
    const local = `${folder.path}/links`;
    await mkdir(local);
    await symlink(Buffer.from("fffe2f80", "hex"), `${local}/odd`);
    const { info } = await captureTree(await ours(), local);
    const reader = await (await repository?.openSnapshot(info.id))?.extract(local, `${folder.path}/restored`, never);
    expect(reader?.warnings).toEqual([]);
    expect((await readlink(`${folder.path}/restored/odd`, { encoding: "buffer" })).toString("hex")).toBe("fffe2f80");
  });

  it("we restore what we captured", async () => {
    const { info } = await captureTree(await ours());
    const reader = await (await ours2()).openSnapshot(info.id.slice(0, 8));
    const report = await reader.extract(tree, `${folder.path}/restored`, never);
    expect(report.warnings).toEqual([]);
    expectSameTree(await describeTree(`${folder.path}/restored`), await describeTree(tree), 500n);
  });

  const ours2 = async (): Promise<Repository> => {
    await repository?.close();
    return (repository = await openRepository(vault, password, environment));
  };

  it("makes trees of the same id, so that an unchanged tree is stored once", async () => {
    const opened = await theirs();
    await restic(vault, "backup", tree);
    const [before] = await opened.snapshots();
    /** The captured folder's own tree: the folders above it change with every test. */
    const idOf = async (snapshot: string): Promise<string> => {
      let { tree: id } = JSON.parse(await restic(vault, "cat", "snapshot", snapshot)) as { tree: string };
      for (const name of tree.split("/").slice(1)) {
        const { nodes } = JSON.parse(await restic(vault, "cat", "blob", id)) as {
          nodes: { name: string; subtree: string }[];
        };
        id = nodes.find((node) => node.name === name)?.subtree ?? "missing";
      }
      return id;
    };
    const packs = async (): Promise<readonly string[]> =>
      (await readdir(`${vault}/data`, { recursive: true })).filter((name) => name.length > 60).sort();
    const packsBefore = await packs();
    const { info, receipt } = await captureTree(opened);
    expect(await idOf(info.id)).toBe(await idOf(before?.id ?? ""));
    expect(receipt.newBytes).toBe(0);
    // At most the trees of the folders above.
    expect((await packs()).length - packsBefore.length).toBeLessThanOrEqual(1);
  });

  it("deduplicates in both directions", async () => {
    const opened = await ours();
    const data = `${folder.path}/data`;
    await mkdir(data);
    await writeFile(`${data}/a`, noise(24_000_000, "shared"));
    const first = await captureTree(opened, data);
    expect(first.receipt.newBytes).toBeGreaterThan(23_000_000);
    await opened.close();
    await writeFile(`${data}/b`, Buffer.concat([noise(200_000, "prefix"), noise(24_000_000, "shared")]));
    const summary = (await restic(vault, "backup", "--json", "--host", "h", data)).trim().split("\n").at(-1) ?? "";
    // Restic finds all chunks but those at the inserted beginning, where one may be of 8 MiB.
    expect((JSON.parse(summary) as { data_added: number }).data_added).toBeLessThan(18_000_000);
    await writeFile(`${data}/c`, noise(300_000, "new"));
    const again = await ours2();
    const second = await captureTree(again, data);
    expect(second.receipt.newBytes).toBeLessThan(320_000);
    expect(second.receipt.newBytes).toBeGreaterThan(290_000);
    expect(second.receipt.unchangedFiles).toBe(2);
    await again.close();
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
  });

  it("restic takes our snapshot as parent, and we take restic's", async () => {
    const opened = await ours();
    const { receipt: first } = await captureTree(opened);
    await opened.close();
    const summary = (await restic(vault, "backup", "--json", "--host", "h", tree)).trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(summary)).toMatchObject({ files_new: 0, files_changed: 0, files_unmodified: first.files });
    const { receipt } = await captureTree(await ours2());
    expect(receipt.unchangedFiles).toBe(first.files);
    expect(receipt.newBytes).toBe(0);
  });

  it("restic restores streams that never were on a disk", async () => {
    const opened = await ours();
    const content = noise(3_000_000, "stream");
    const writer = await opened.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/db"] });
    async function* bytes() {
      for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
    }
    await Promise.all([
      writer.stream("/db/3012.dat", { bytes: bytes(), seal: async () => ({ rows: 7 }) }, never),
      writer.bytes("/db/toc.dat", Buffer.from("contents")),
      writer.bytes("/db/empty.dat", new Uint8Array()),
    ]);
    const { id } = await writer.commit();
    await opened.close();
    await restic(vault, "restore", id, "--target", `${folder.path}/restored`);
    const restored = await describeTree(`${folder.path}/restored/db`);
    const named = (name: string) => restored[Buffer.from(name).toString("hex")];
    expect(named("3012.dat")).toMatchObject({ sizeBytes: 3_000_000, mode: "600" });
    expect(named("toc.dat")).toMatchObject({ sizeBytes: 8 });
    expect(named("empty.dat")).toMatchObject({ sizeBytes: 0 });
    expect(named("")).toMatchObject({ mode: "700" });
  });

  it("a repository that stays open notices that restic has pruned", async () => {
    const data = `${folder.path}/data`;
    await mkdir(data);
    await writeFile(`${data}/stays`, noise(2_000_000, "stays"));
    await writeFile(`${data}/goes`, noise(2_000_000, "goes"));
    const other = await ours();
    const first = await captureTree(other, data);
    await rm(`${data}/goes`);
    const second = await captureTree(other, data);
    // It reads the index now, and holds no lock that would keep restic waiting.
    const open = await openRepository(vault, password, environment);
    try {
      await (await open.openSnapshot(first.info.id)).read(`${data}/goes`);
      await other.close();
      await restic(vault, "forget", "--prune", "--max-unused", "0", first.info.id);
      const reader = await open.openSnapshot(second.info.id);
      expect(Buffer.from(await reader.read(`${data}/stays`)).equals(noise(2_000_000, "stays"))).toBe(true);
      // What was pruned is stored again, not taken for there.
      await writeFile(`${data}/goes`, noise(2_000_000, "goes"));
      const third = await captureTree(open, data);
      expect(third.receipt.newBytes).toBeGreaterThan(2_000_000);
    } finally {
      await open.close();
    }
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
  });

  it("restic forgets and prunes in a vault that both wrote, and both read the rest", async () => {
    const opened = await ours();
    const data = `${folder.path}/data`;
    await mkdir(data);
    await writeFile(`${data}/stays`, noise(2_000_000, "stays"));
    await writeFile(`${data}/goes`, noise(2_000_000, "goes"));
    const first = await captureTree(opened, data);
    await rm(`${data}/goes`);
    const second = await captureTree(opened, data);
    await opened.close();
    await restic(vault, "backup", "--host", "h", data);
    await restic(vault, "forget", "--prune", "--max-unused", "0", first.info.id);
    expect(await restic(vault, "check", "--read-data")).toContain("no errors were found");
    const reader = await (await ours2()).openSnapshot(second.info.id);
    await reader.extract(data, `${folder.path}/restored`, never);
    expectSameTree(await describeTree(`${folder.path}/restored`), await describeTree(data), 500n);
  });
});
