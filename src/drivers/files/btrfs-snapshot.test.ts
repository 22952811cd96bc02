/** Files captured from a snapshot of a real btrfs on a loop device: all of one instant, removed afterwards in whatever way the capture ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TreeRules } from "../../core/ports/vault-snapshots.ts";
import { type TestFolder, createTestContext, createTestFolder } from "../../testing/driver-context.ts";
import { createDirectorySink } from "../../testing/directory-vault.ts";
import { withSnapshot } from "./btrfs-snapshot.ts";
import { captureFiles } from "./capture-files.ts";
import type { FilesContext, FilesOptions } from "./files-options.ts";
import { preflightFiles } from "./preflight-files.ts";

/** A btrfs of its own; null where nobody may mount a loop device. */
const mountBtrfs = async (): Promise<{ readonly folder: TestFolder; readonly mount: string } | null> => {
  const folder = await createTestFolder("refloat-btrfs");
  const mount = join(folder.path, "mount");
  const image = join(folder.path, "image");
  await mkdir(mount);
  await writeFile(image, "");
  await truncate(image, 128 * 1024 * 1024);
  await execa("mkfs.btrfs", ["-q", "-m", "single", image]);
  const { exitCode, stderr } = await execa("mount", ["-o", "loop", image, mount], { reject: false });
  if (exitCode === 0) return { folder, mount };
  console.warn(`btrfs snapshots are not tested here: ${stderr}`);
  await folder.remove();
  return null;
};

const mounted = await mountBtrfs();

describe.skipIf(mounted === null)("a snapshot of btrfs", () => {
  const { folder, mount } = mounted ?? { folder: { path: "", remove: async () => undefined }, mount: "" };
  const path = join(mount, "srv", "uploads");

  beforeAll(async () => {
    await execa("btrfs", ["subvolume", "create", join(mount, "srv")]);
    await mkdir(path);
    for (let index = 0; index < 20; index += 1) await writeFile(join(path, `${index}.txt`), `as it was ${index}`);
  });

  afterAll(async () => {
    await execa("umount", [mount]);
    await folder.remove();
  });

  const contextOf = (more: Partial<FilesOptions> = {}): FilesContext =>
    createTestContext<FilesOptions>({
      options: { path, snapshot: "btrfs", ...more },
      folder: folder.path,
      component: "uploads",
    });

  const left = async (): Promise<readonly string[]> =>
    (await readdir(join(mount, "srv"))).filter((name) => name.startsWith(".refloat"));

  it("has all files as of one instant, whatever is written while they are read, and is gone afterwards", async () => {
    await mkdir(join(folder.path, "vault"));
    const snapshot = createDirectorySink(join(folder.path, "vault"));
    let isPinned = false;
    const sink = {
      ...snapshot,
      tree: async (root: string, rules: TreeRules, ...rest: [AbortSignal]) => {
        expect(isPinned).toBe(true);
        // After the snapshot, before the first byte is read.
        await rm(join(path, "0.txt"));
        await writeFile(join(path, "1.txt"), "overwritten");
        await writeFile(join(path, "new.txt"), "new");
        expect(rules.exclude).toEqual(["/.refloat-snapshot-*"]);
        return snapshot.tree(root, { ...rules, exclude: [] }, ...rest);
      },
    };
    const report = await captureFiles(contextOf(), sink, null, () => (isPinned = true));
    expect(report).toMatchObject({ path, consistency: "snapshot", facts: { counts: { files: 20 } } });
    expect(report.window.beginAt).toBe(report.window.endAt);
    expect(await left()).toEqual([]);
    await writeFile(join(path, "0.txt"), "as it was 0");
  });

  it("is removed when the capture fails, and when it is killed", async () => {
    const broken = new Error("the vault is full");
    await expect(withSnapshot(contextOf(), path, () => Promise.reject(broken))).rejects.toBe(broken);
    expect(await left()).toEqual([]);

    const script = `
      const { withSnapshot } = await import(${JSON.stringify(new URL("btrfs-snapshot.ts", import.meta.url).href)});
      const context = { service: "shop", component: "uploads", options: {}, clock: { now: () => new Date() }, marker: "m", signal: new AbortController().signal };
      await withSnapshot(context, ${JSON.stringify(path)}, () => new Promise(() => { console.log("held"); setInterval(() => undefined, 1000); }));`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    expect(await left()).toHaveLength(1);
    child.kill("SIGKILL");
    await once(child, "exit");
    await expect.poll(left, { timeout: 60_000 }).toEqual([]);
  });

  it("removes what a capture left whose remover was killed too, and nothing of others", async () => {
    const gone = spawn("true");
    await once(gone, "exit");
    for (const name of [`.refloat-snapshot-shop-uploads-${gone.pid}`, ".refloat-snapshot-shop-other-1"])
      await execa("btrfs", ["subvolume", "snapshot", "-r", join(mount, "srv"), join(mount, "srv", name)]);
    await withSnapshot(contextOf(), path, async () => undefined);
    expect(await left()).toEqual([".refloat-snapshot-shop-other-1"]);
    await execa("btrfs", ["subvolume", "delete", join(mount, "srv", ".refloat-snapshot-shop-other-1")]);
  });

  it("refuses what it would not have: another subvolume, another mount, another file system", async () => {
    await execa("btrfs", ["subvolume", "create", join(path, "apart")]);
    await expect(withSnapshot(contextOf(), path, async () => undefined)).rejects.toMatchObject({
      code: "source.unsupported",
      message: "apart below the path is a subvolume of its own, which the snapshot does not have",
    });
    await execa("btrfs", ["subvolume", "delete", join(path, "apart")]);
    await mkdir(join(path, "mounted"));
    await execa("mount", ["-t", "tmpfs", "none", join(path, "mounted")]);
    try {
      await expect(withSnapshot(contextOf(), path, async () => undefined)).rejects.toMatchObject({
        code: "source.unsupported",
        message: `${join(path, "mounted")} is mounted below ${path}, and a snapshot does not have what is in it`,
      });
    } finally {
      await execa("umount", [join(path, "mounted")]);
      await rm(join(path, "mounted"), { recursive: true });
    }
    await expect(withSnapshot(contextOf(), "/proc", async () => undefined)).rejects.toMatchObject({
      code: "source.unsupported",
      message: "/proc lies on no btrfs, so no snapshot of it can be taken",
    });
    expect(await left()).toEqual([]);
  });

  it("is told by validate --live before one is taken", async () => {
    const found = async (context: FilesContext) =>
      (await preflightFiles(context)).findings.find(({ subject }) => subject === "snapshot");
    expect(await found(contextOf())).toMatchObject({
      ok: true,
      found: expect.stringContaining(join(mount, "srv")) as string,
    });
    expect(await found(contextOf({ path: "/proc/self" }))).toMatchObject({ ok: false, only: "capture" });
  });
});
