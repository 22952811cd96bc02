import { createHash } from "node:crypto";
import { lstat, mkdir, readFile, readdir, rename, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Repository } from "../../../core/ports/vault.ts";
import type { SnapshotReader } from "../../../core/ports/vault-snapshots.ts";
import { silentLog } from "../../../platform/log.ts";
import { systemClock } from "../../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { PackWriter } from "../blobs/pack-writer.ts";
import { createRepository } from "../create-repository.ts";
import { type IndexedPack, writeIndex } from "../format/index-file.ts";
import { writeSnapshot } from "../format/snapshot-file.ts";
import { openRepository } from "../open-repository.ts";
import { openMasterKey } from "../seal/key-file.ts";
import { Sealer } from "../seal/seal.ts";
import { openStore } from "../stores/open-store.ts";

const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;
const zeroTime = "1970-01-01T00:00:00Z";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("a restore", () => {
  let folder: TestFolder;
  let vault: string;
  let target: string;
  let repository: Repository;

  beforeEach(async () => {
    folder = await createTestFolder("refloat-extract");
    vault = `${folder.path}/vault`;
    target = `${folder.path}/target`;
    repository = await createRepository(vault, "password", { clock: systemClock, log: silentLog });
  });

  afterEach(async () => {
    await repository.close();
    await folder.remove();
  });

  const captured = async (local: string): Promise<SnapshotReader> => {
    const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: [local] });
    await writer.tree(local, { exclude: [], oneFileSystem: false, as: "/t" }, never);
    return repository.openSnapshot((await writer.commit()).id);
  };

  /** A snapshot as someone with the key could forge it: whatever nodes, from the leaves to the root. */
  const forged = async (...trees: readonly ((subtree: string) => readonly object[])[]): Promise<SnapshotReader> => {
    const store = openStore(vault, { blocking: true });
    const sealer = new Sealer(await openMasterKey(store, "password"));
    const packs: IndexedPack[] = [];
    const finished = (pack: IndexedPack): void => void packs.push(pack);
    const data = new PackWriter({ type: "data", store, sealer, finished });
    const content = Buffer.from("content");
    data.add(sha256(content), content);
    await data.flush();
    const writer = new PackWriter({ type: "tree", store, sealer, finished });
    let subtree = "";
    for (const nodes of trees) {
      const blob = Buffer.from(`${JSON.stringify({ nodes: nodes(subtree) })}\n`);
      subtree = sha256(blob);
      writer.add(subtree, blob);
    }
    await writer.flush();
    await writeIndex(store, sealer, 2, packs);
    const id = await writeSnapshot(store, sealer, 2, {
      time: new Date(0),
      parent: undefined,
      tree: subtree,
      paths: ["/"],
      hostname: "h",
      username: "u",
      uid: 0,
      gid: 0,
      excludes: [],
      tags: [],
      programVersion: "forged",
      summary: { backupStart: new Date(0), backupEnd: new Date(0), totalFiles: 0, totalBytes: 0, newBytes: 0 },
    });
    return repository.openSnapshot(id);
  };

  const times = { mtime: zeroTime, atime: zeroTime, ctime: zeroTime, uid: 0, gid: 0, mode: 0o644 };
  const file = (name: string) => ({ name, type: "file", ...times, size: 7, content: [sha256(Buffer.from("content"))] });
  const link = (name: string, linktarget: string) => ({ name, type: "symlink", ...times, linktarget, content: null });
  const dir = (name: string, subtree: string) => ({
    name,
    type: "dir",
    ...times,
    mode: 2 ** 31 + 0o755,
    content: null,
    subtree,
  });

  it.each(["../escaped", "..", ".", "/etc/escaped", "a/b", ""])("refuses the name %j", async (name) => {
    const reader = await forged(() => [file(name)]);
    await expect(reader.extract("/", target, never)).rejects.toMatchObject({ code: "path.hostile" });
    expect(await readdir(folder.path)).toEqual(["target", "vault"]);
  });

  it("refuses a folder that stands under the name of a symlink, so that nothing is written through it", async () => {
    await mkdir(`${folder.path}/outside`);
    const reader = await forged(
      () => [file("planted")],
      (subtree) => [link("way", `${folder.path}/outside`), dir("way", subtree)],
    );
    await expect(reader.extract("/", target, never)).rejects.toMatchObject({ code: "path.hostile" });
    expect(await readdir(`${folder.path}/outside`)).toEqual([]);
  });

  it("refuses a file that stands under the name of a symlink", async () => {
    const victim = `${folder.path}/victim`;
    await writeFile(victim, "untouched");
    const reader = await forged(() => [link("way", victim), file("way")]);
    await expect(reader.extract("/", target, never)).rejects.toMatchObject({ code: "path.hostile" });
    expect(await readFile(victim, "utf8")).toBe("untouched");
  });

  it("keeps the mode and owner of what a symlink points to", async () => {
    const victim = `${folder.path}/victim`;
    await writeFile(victim, "untouched", { mode: 0o600 });
    const before = await stat(victim, { bigint: true });
    const reader = await forged(() => [{ ...link("way", victim), mode: 2 ** 27 + 0o777, uid: 1234, gid: 1234 }]);
    await reader.extract("/", target, never);
    const after = await stat(victim, { bigint: true });
    expect([after.mode, after.uid, after.mtimeNs]).toEqual([before.mode, before.uid, before.mtimeNs]);
    expect((await lstat(`${target}/way`)).uid).toBe(isRoot ? 1234 : process.getuid?.());
  });

  it("writes nothing outside when folders are swapped for symlinks while it goes on", async () => {
    const source = `${folder.path}/source`;
    for (let sub = 0; sub < 30; sub += 1) {
      await mkdir(`${source}/${sub}/deeper`, { recursive: true });
      for (let n = 0; n < 30; n += 1) await writeFile(`${source}/${sub}/deeper/${n}`, `${sub} ${n}`.repeat(500));
    }
    const reader = await captured(source);
    const outside = `${folder.path}/outside`;
    await mkdir(outside);
    await mkdir(`${outside}/deeper`);
    const ended = new AbortController();
    const attacker = (async () => {
      let turn = 0;
      while (!ended.signal.aborted) {
        turn += 1;
        for (const name of await readdir(target).catch(() => [])) {
          await rename(`${target}/${name}`, `${folder.path}/moved-${turn}-${name}`).catch(() => undefined);
          await symlink(outside, `${target}/${name}`).catch(() => undefined);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    // Either it notices, or it finishes in the folders that were moved away.
    const outcome = await reader.extract("/t", target, never).then(
      () => "done",
      (error: { code: string }) => error.code,
    );
    ended.abort();
    await attacker;
    expect(["done", "path.hostile", "target.failed"]).toContain(outcome);
    expect(await readdir(outside)).toEqual(["deeper"]);
    expect(await readdir(`${outside}/deeper`)).toEqual([]);
  });

  it("refuses a target that exists, and one whose parent does not", async () => {
    const reader = await forged(() => [file("a")]);
    const refusal = { code: "target.failed", message: `${target} is there already` };
    await mkdir(target);
    await writeFile(`${target}/mine`, "x");
    for (const path of ["/", "/a"]) await expect(reader.extract(path, target, never)).rejects.toMatchObject(refusal);
    expect(await readdir(target)).toEqual(["mine"]);
    await rm(target, { recursive: true });
    await symlink(`${folder.path}/elsewhere`, target);
    for (const path of ["/", "/a"]) await expect(reader.extract(path, target, never)).rejects.toMatchObject(refusal);
    await expect(reader.extract("/", `${folder.path}/no/such`, never)).rejects.toMatchObject({ code: "target.failed" });
    await expect(reader.extract("/none", target, never)).rejects.toMatchObject({ code: "point.unknown" });
  });

  it("restores a single file, and a single symlink", async () => {
    const reader = await forged(() => [file("a"), link("b", "a")]);
    expect(await reader.extract("/a", target, never)).toMatchObject({ files: 1, directories: 0, sizeBytes: 7 });
    expect(await readFile(target, "utf8")).toBe("content");
    await reader.extract("/b", `${folder.path}/link`, never);
    expect((await lstat(`${folder.path}/link`)).isSymbolicLink()).toBe(true);
  });

  it("leaves holes where there were zeros, at the end of a file too", async () => {
    const source = `${folder.path}/source`;
    await mkdir(source);
    await writeFile(
      `${source}/holes`,
      Buffer.concat([Buffer.from("begin"), Buffer.alloc(5_000_000), Buffer.from("middle")]),
    );
    await truncate(`${source}/holes`, 20_000_003);
    await writeFile(`${source}/empty`, "");
    await truncate(`${source}/empty`, 8_000_000);
    const reader = await captured(source);
    await reader.extract("/t", target, never);
    for (const name of ["holes", "empty"]) {
      expect((await readFile(`${target}/${name}`)).equals(await readFile(`${source}/${name}`))).toBe(true);
      expect((await stat(`${target}/${name}`)).blocks * 512).toBeLessThan(100_000);
    }
  });

  it("restores a large folder, and large files, in parallel and whole", async () => {
    const source = `${folder.path}/source`;
    await mkdir(source);
    for (let n = 0; n < 1300; n += 1) await writeFile(`${source}/${n}`, `content ${n}`);
    const large = Buffer.alloc(18_000_000, "a line of text that is found again and again, but not at the same place\n");
    await writeFile(`${source}/large`, large);
    const reader = await captured(source);
    let told = { bytes: 0, items: 0 };
    const report = await reader.extract("/t", target, never, ({ bytes, items }) => {
      told = { bytes: told.bytes + bytes, items: told.items + items };
    });
    expect(report).toMatchObject({ files: 1301, directories: 0, warnings: [] });
    expect(told).toEqual({ bytes: report.sizeBytes, items: 1301 });
    expect((await readFile(`${target}/large`)).equals(large)).toBe(true);
    expect(await readFile(`${target}/1299`, "utf8")).toBe("content 1299");
  });

  it("stops soon when the signal aborts, and says so by its reason", async () => {
    const source = `${folder.path}/source`;
    await mkdir(source);
    for (let n = 0; n < 30; n += 1) await writeFile(`${source}/${n}`, Buffer.alloc(1_500_000, String(n)));
    const reader = await captured(source);
    const abort = new AbortController();
    const reason = new Error("enough");
    await expect(reader.extract("/t", target, abort.signal, () => abort.abort(reason))).rejects.toBe(reason);
    await reader.extract("/t", `${folder.path}/again`, never);
    expect(await readdir(`${folder.path}/again`)).toHaveLength(30);
  });

  it.skipIf(!isRoot)("says that the target is full", async () => {
    const source = `${folder.path}/source`;
    await mkdir(source);
    await writeFile(`${source}/large`, Buffer.alloc(6_000_000, "text"));
    const reader = await captured(source);
    const disk = `${folder.path}/disk`;
    await mkdir(disk);
    await execa("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]);
    try {
      await expect(reader.extract("/t", `${disk}/target`, never)).rejects.toMatchObject({
        code: "target.failed",
        message: `${disk}/target/large could not be restored: ENOSPC`,
        hint: "make room on its file system",
      });
    } finally {
      await execa("umount", [disk]);
    }
  });

  it.skipIf(!isRoot)("as another user sets what it may and says what it may not", async () => {
    const source = `${folder.path}/source`;
    await mkdir(source);
    await writeFile(`${source}/set-uid`, "x");
    await execa("chmod", ["4755", `${source}/set-uid`]);
    await execa("chown", ["1234:1234", `${source}/set-uid`]);
    await captured(source);
    await repository.close();
    const entry = new URL("../open-repository.ts", import.meta.url).href;
    const script = `
      const { openRepository } = await import(${JSON.stringify(entry)});
      const [vault, target] = process.argv.slice(1);
      const repository = await openRepository(vault, "password", { clock: { now: () => new Date(), monotonicMs: () => performance.now() } });
      const [snapshot] = await repository.snapshots();
      const reader = await repository.openSnapshot(snapshot.id);
      console.log(JSON.stringify(await reader.extract("/t", target, new AbortController().signal)));
      await repository.close();
    `;
    await execa("chown", ["-R", "65534:65534", folder.path]);
    const { stdout } = await execa(process.execPath, ["--input-type=module", "--eval", script, vault, target], {
      uid: 65_534,
      gid: 65_534,
    });
    expect(JSON.parse(stdout)).toMatchObject({
      files: 1,
      warnings: ["the owner of 2 entries was not set, for want of the right"],
    });
    // Set-uid under another owner would lend the wrong rights.
    expect((await stat(`${target}/set-uid`)).mode & 0o7777).toBe(0o755);
    repository = await openRepository(vault, "password", { clock: systemClock });
  });
});
