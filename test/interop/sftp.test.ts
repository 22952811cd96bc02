/** A vault on an SSH server, shared with stock restic, which reaches it by its own means. */
import { appendFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Repository } from "../../src/core/ports/vault.ts";
import type { SnapshotReader } from "../../src/core/ports/vault-snapshots.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../src/testing/driver-context.ts";
import { type SshServer, startSshServer } from "../../src/testing/ssh-server.ts";
import { createRepository } from "../../src/vault/repository/create-repository.ts";
import { openRepository } from "../../src/vault/repository/open-repository.ts";
import { createStoreUse, readStoreUse } from "../../src/vault/repository/stores/decorators/store-use.ts";
import { describeTree, expectSameTree } from "./support/described-tree.ts";
import { noise } from "./support/nasty-tree.ts";
import { password, requireRestic } from "./support/restic.ts";

const never = new AbortController().signal;

requireRestic();

describe("a vault over SFTP", () => {
  let server: SshServer;
  let folder: TestFolder;
  let tree: string;
  let repository: Repository | undefined;

  beforeAll(async () => {
    server = await startSshServer();
  });

  afterAll(async () => {
    await server.stop();
  });

  beforeEach(async () => {
    folder = await createTestFolder("refloat-sftp");
    tree = `${folder.path}/tree`;
    await mkdir(`${tree}/deep/er`, { recursive: true });
    await writeFile(`${tree}/large`, noise(9_000_000, "large"));
    for (let i = 0; i < 300; i += 1) await writeFile(`${tree}/deep/er/${i}`, noise(i * 50, `small ${i}`));
  });

  afterEach(async () => {
    await repository?.close();
    repository = undefined;
    await folder.remove();
  });

  const environment = () => ({ clock: systemClock, settings: { sshConfig: server.configFile } });
  const restic = async (name: string, ...args: readonly string[]): Promise<string> => {
    const { stdout } = await execa(
      "restic",
      ["--no-cache", ...server.resticOptions, "-r", server.location(name), ...args],
      { env: { RESTIC_PASSWORD: password, TZ: "UTC" } },
    );
    return stdout;
  };

  it("restic checks and restores what we captured", async () => {
    repository = await createRepository(server.location("ours"), password, environment());
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [tree] });
    await writer.tree(tree, { exclude: [], oneFileSystem: false }, never);
    const { id } = await writer.commit();
    await repository.close();
    expect(await restic("ours", "check", "--read-data")).toContain("no errors were found");
    await restic("ours", "restore", id, "--target", `${folder.path}/restored`);
    expectSameTree(await describeTree(`${folder.path}/restored${tree}`), await describeTree(tree), 0n);
  });

  it("we restore what restic captured, verify it, and find only what is new to add", async () => {
    await restic("theirs", "init", "--repository-version", "2");
    await restic("theirs", "backup", tree);
    repository = await openRepository(server.location("theirs"), password, environment());
    const [snapshot] = await repository.snapshots();
    const reader = await repository.openSnapshot(snapshot?.id ?? "");
    await reader.extract(tree, `${folder.path}/restored`, never);
    expectSameTree(await describeTree(`${folder.path}/restored`), await describeTree(tree), 300n);
    expect(await repository.verify({ depth: "read-data" }, never)).toMatchObject({ findings: [] });
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [tree] });
    expect(await writer.tree(tree, { exclude: [], oneFileSystem: false }, never)).toMatchObject({ files: 301 });
    expect((await writer.commit()).newBytes).toBeLessThan(20_000);
    await repository.close();
    expect(await restic("theirs", "check", "--read-data")).toContain("no errors were found");
  });

  it("the second time, no index, snapshot or tree comes over the wire; a damaged copy does again", async () => {
    const cache = { folder: `${folder.path}/cache`, maxBytes: 100_000_000 };
    const open = async (make: typeof openRepository) => {
      const use = createStoreUse();
      const settings = { ...environment().settings, cache, use };
      repository = await make(server.location("cached"), password, { clock: systemClock, settings });
      return { opened: repository, reads: () => readStoreUse(use).acts.read?.calls ?? 0 };
    };
    const first = await open(createRepository);
    const writer = await first.opened.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [tree] });
    await writer.tree(tree, { exclude: [], oneFileSystem: false }, never);
    const { id } = await writer.commit();
    await first.opened.close();

    const listing = async (reader: SnapshotReader): Promise<number> => {
      let entries = 0;
      for await (const _entry of reader.list("/", { recursive: true })) entries += 1;
      return entries;
    };
    const browse = async () => {
      const { opened, reads } = await open(openRepository);
      const beforeReads = reads();
      const entries = await listing(await opened.openSnapshot(id));
      await opened.close();
      return { entries, reads: reads() - beforeReads };
    };
    const whole = await browse();
    expect(whole.reads).toBe(0);
    for (const kind of ["index", "snapshots", "data"]) {
      const [name = ""] = await readdir(`${cache.folder}/${kind}`);
      await appendFile(`${cache.folder}/${kind}/${name}`, "x");
      expect(await browse()).toEqual({ entries: whole.entries, reads: 1 });
      expect(await browse()).toEqual({ entries: whole.entries, reads: 0 });
    }
    await rm(cache.folder, { recursive: true });
    expect(await browse()).toEqual({ entries: whole.entries, reads: 3 });
  });

  it("a wrong password ends with a word, and leaves no connection open", async () => {
    await restic("wrong", "init", "--repository-version", "2");
    await expect(openRepository(server.location("wrong"), "another", environment())).rejects.toMatchObject({
      code: "vault.wrong-password",
    });
    await expect(openRepository(server.location("nothing"), password, environment())).rejects.toMatchObject({
      code: "vault.not-found",
    });
    await expect.poll(async () => server.connections()).toBe(0);
  });
});
