import { chmod, mkdir, rename, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { createHash, randomBytes } from "node:crypto";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Repository } from "../../../core/ports/vault.ts";
import type { SnapshotReader, SnapshotWriter, TreeRules } from "../../../core/ports/vault-snapshots.ts";
import { RefloatError } from "../../../model/refloat-error.ts";
import { systemClock } from "../../../platform/system-clock.ts";
import { type TestFolder, createTestFolder } from "../../../testing/driver-context.ts";
import { maxChunkBytes } from "../chunking/chunker.ts";
import { createRepository } from "../create-repository.ts";

const never = new AbortController().signal;
const all: TreeRules = { exclude: [], oneFileSystem: false };
const isRoot = process.getuid?.() === 0;

async function* pieces(...content: readonly Uint8Array[]) {
  yield* content;
}

describe("a snapshot in the making", () => {
  let folder: TestFolder;
  let tree: string;
  let repository: Repository;
  let writer: SnapshotWriter;

  const begin = async (): Promise<SnapshotWriter> =>
    repository.beginSnapshot({ hostname: "h", time: new Date(), tags: ["t"], paths: ["/x"] });

  beforeEach(async () => {
    folder = await createTestFolder("refloat-writer");
    tree = `${folder.path}/tree`;
    await mkdir(tree);
    repository = await createRepository(`${folder.path}/vault`, "password", { clock: systemClock });
    writer = await begin();
  });

  afterEach(async () => {
    await writer.abort();
    await repository.close();
    await folder.remove();
  });

  const committed = async (): Promise<SnapshotReader> => repository.openSnapshot((await writer.commit()).id);

  const paths = async (reader: SnapshotReader, path: string): Promise<readonly string[]> => {
    const found: string[] = [];
    for await (const entry of reader.list(path, { recursive: true })) found.push(entry.path.slice(path.length + 1));
    return found;
  };

  const content = async (reader: SnapshotReader, path: string): Promise<Buffer> => {
    const parts: Uint8Array[] = [];
    for await (const part of reader.stream(path)) parts.push(part);
    return Buffer.concat(parts);
  };

  describe("streams", () => {
    it("are stored side by side, each with its own hash, size and rows", async () => {
      const contents = Array.from({ length: 12 }, (_, n) => randomBytes(n * 200_001));
      const receipts = await Promise.all(
        contents.map(async (bytes, n) =>
          writer.stream(
            `/db/${n}.dat`,
            { bytes: pieces(bytes.subarray(0, 70_000), bytes.subarray(70_000)), seal: async () => ({ rows: n }) },
            never,
          ),
        ),
      );
      expect(receipts.map(({ path, sizeBytes, sha256, rows }) => ({ path, sizeBytes, sha256, rows }))).toEqual(
        contents.map((bytes, n) => ({
          path: `/db/${n}.dat`,
          sizeBytes: bytes.length,
          sha256: createHash("sha256").update(bytes).digest("hex"),
          rows: n,
        })),
      );
      const reader = await committed();
      for (const [n, bytes] of contents.entries())
        expect((await content(reader, `/db/${n}.dat`)).equals(bytes)).toBe(true);
    });

    it("cost nothing the second time, also within one snapshot and at the same moment", async () => {
      const bytes = randomBytes(3_000_000);
      const receipts = await Promise.all(
        ["/a", "/b", "/c"].map(async (path) =>
          writer.stream(path, { bytes: pieces(bytes), seal: async () => ({}) }, never),
        ),
      );
      const added = receipts.reduce((sum, { newBytes }) => sum + newBytes, 0);
      expect(added).toBeGreaterThan(3_000_000);
      expect(added).toBeLessThan(3_010_000);
    });

    it("are cut by one thread and stored by others where processors are idle, in their order and each chunk once", async () => {
      const wide = await createRepository(`${folder.path}/wide`, "password", { clock: systemClock, processors: 4 });
      try {
        const half = randomBytes(30_000_000);
        const whole = Buffer.concat([half, half, randomBytes(3_000_000)]);
        const made = await wide.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/x"] });
        const { sha256, newBytes, sizeBytes } = await made.stream(
          "/large",
          { bytes: pieces(whole.subarray(0, 1_000_001), whole.subarray(1_000_001)), seal: async () => ({}) },
          never,
        );
        expect({ sha256, sizeBytes }).toEqual({
          sha256: createHash("sha256").update(whole).digest("hex"),
          sizeBytes: whole.length,
        });
        // The second half is cut as the first one was, but for where they meet.
        expect(newBytes).toBeLessThan(half.length + 3_000_000 + 2 * maxChunkBytes);
        const reader = await wide.openSnapshot((await made.commit()).id);
        expect((await content(reader, "/large")).equals(whole)).toBe(true);
      } finally {
        await wide.close();
      }
    });

    it("ask their source for one piece at a time", async () => {
      let asked = 0;
      let taken = 0;
      let ahead = 0;
      async function* source() {
        for (let n = 0; n < 200; n += 1) {
          asked += 100_000;
          ahead = Math.max(ahead, asked - taken);
          yield randomBytes(100_000);
        }
      }
      await writer.stream("/a", { bytes: source(), seal: async () => ({}) }, never, ({ bytes }) => {
        taken += bytes;
      });
      expect(taken).toBe(20_000_000);
      expect(ahead).toBeLessThanOrEqual(100_000);
    });

    it("come back whole, also to a reader that is done with each piece when it asks for the next", async () => {
      const bytes = randomBytes(6_000_000);
      await writer.stream("/a", { bytes: pieces(bytes), seal: async () => ({}) }, never);
      const reader = await committed();
      const read: Buffer[] = [];
      const emptied: Uint8Array[] = [];
      for await (const part of reader.stream("/a", undefined, { transient: true })) {
        read.push(Buffer.from(part));
        emptied.push(part);
      }
      expect(Buffer.concat(read).equals(bytes)).toBe(true);
      expect(emptied.some(({ length }) => length === 0)).toBe(true);
      expect((await content(reader, "/a")).equals(bytes)).toBe(true);
    });

    it("without a good seal are in no snapshot, and break the one they were for", async () => {
      const refusal = new RefloatError("source.failed", "psql ended with exit status 1");
      await expect(
        writer.stream(
          "/db/1",
          { bytes: pieces(Buffer.from("half")), seal: async () => Promise.reject(refusal) },
          never,
        ),
      ).rejects.toBe(refusal);
      await expect(writer.bytes("/db/2", Buffer.of(1))).rejects.toMatchObject({ code: "bug" });
      await expect(writer.commit()).rejects.toMatchObject({
        code: "bug",
        message: "a snapshot that is broken was to be committed",
      });
      await writer.abort();
      expect(await repository.snapshots()).toEqual([]);
      // The repository is as good as before.
      writer = await begin();
      await writer.bytes("/db/1", Buffer.from("half"));
      expect((await content(await committed(), "/db/1")).toString()).toBe("half");
    });

    it("that throw in the middle are told with what they threw", async () => {
      const broken = new Error("the connection was reset");
      async function* source() {
        yield Buffer.alloc(500_000);
        throw broken;
      }
      await expect(writer.stream("/a", { bytes: source(), seal: async () => ({}) }, never)).rejects.toBe(broken);
    });

    it("stop when the signal aborts, also while the source is silent", async () => {
      const abort = new AbortController();
      let closed = false;
      async function* source() {
        try {
          yield Buffer.from("first");
          await new Promise(() => undefined);
        } finally {
          closed = true;
        }
      }
      const reason = new Error("the person changed her mind");
      const stored = writer.stream("/a", { bytes: source(), seal: async () => ({}) }, abort.signal, () =>
        abort.abort(reason),
      );
      await expect(stored).rejects.toBe(reason);
      expect(closed).toBe(false);
    });

    it("refuse a path that leads elsewhere, and one that is taken", async () => {
      for (const path of ["relative", "/a/../b", "/a//b", "/a/./b", "/nul\0"]) {
        await expect(writer.bytes(path, Buffer.of(1))).rejects.toMatchObject({ code: "path.hostile" });
      }
      await writer.bytes("/a", Buffer.of(1));
      await expect(writer.bytes("/a/b", Buffer.of(1))).rejects.toMatchObject({ code: "bug" });
    });
  });

  describe("trees", () => {
    it("stand at their real place, or where they are asked to", async () => {
      await writeFile(`${tree}/file`, "content");
      await writer.tree(tree, all, never);
      await writer.tree(tree, { ...all, as: "/elsewhere/deep" }, never);
      await writer.tree(`${tree}/file`, { ...all, as: "/single" }, never);
      const reader = await committed();
      for (const path of [`${tree}/file`, "/elsewhere/deep/file", "/single"]) {
        expect((await content(reader, path)).toString()).toBe("content");
      }
      expect(await reader.stat("/elsewhere")).toMatchObject({ type: "dir", mode: 0o700 });
      expect(await reader.stat("/nowhere")).toBeUndefined();
      expect(await reader.stat("/")).toMatchObject({ type: "dir", path: "/" });
    });

    it("leave out what .gitignore patterns leave out", async () => {
      for (const path of [
        "keep.txt",
        "drop.log",
        "logs/a.log",
        "logs/keep.log",
        "node_modules/x/y",
        "src/node_modules/z",
        "src/main",
        "build",
      ]) {
        await mkdir(`${tree}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
        await writeFile(`${tree}/${path}`, path);
      }
      const exclude = ["*.log", "!logs/keep.log", "node_modules/", "/build"];
      const receipt = await writer.tree(tree, { ...all, exclude, as: "/t" }, never);
      expect(await paths(await committed(), "/t")).toEqual(["keep.txt", "logs", "logs/keep.log", "src", "src/main"]);
      expect(receipt).toMatchObject({ files: 3, directories: 2 });
    });

    it.skipIf(!isRoot)("stay on one file system and keep the mount point, if asked to", async () => {
      await mkdir(`${tree}/mounted`);
      await execa("mount", ["-t", "tmpfs", "tmpfs", `${tree}/mounted`]);
      try {
        await writeFile(`${tree}/mounted/inside`, "x");
        await writer.tree(tree, { ...all, oneFileSystem: true, as: "/one" }, never);
        await writer.tree(tree, { ...all, as: "/all" }, never);
      } finally {
        await execa("umount", [`${tree}/mounted`]);
      }
      const reader = await committed();
      expect(await paths(reader, "/one")).toEqual(["mounted"]);
      expect(await paths(reader, "/all")).toEqual(["mounted", "mounted/inside"]);
    });

    it("take unchanged files over from the parent snapshot, and read those that changed", async () => {
      for (let n = 0; n < 1500; n += 1) await writeFile(`${tree}/${n}`, `content ${n}`);
      await mkdir(`${tree}/sub`);
      await writeFile(`${tree}/sub/file`, "in a folder");
      const first = await writer.tree(tree, all, never);
      expect(first).toMatchObject({ files: 1501, unchangedFiles: 0, directories: 1 });
      await writer.commit();
      await writeFile(`${tree}/7`, "changed  7");
      await writeFile(`${tree}/new`, "new");
      await rm(`${tree}/9`);
      // The same size and mtime, but other content: the ctime tells.
      await writeFile(`${tree}/copy`, "content 8");
      await execa("touch", ["-r", `${tree}/8`, `${tree}/copy`]);
      await rename(`${tree}/copy`, `${tree}/8`);
      writer = await begin();
      const second = await writer.tree(tree, all, never);
      expect(second).toMatchObject({ files: 1501, unchangedFiles: 1498 });
      const reader = await committed();
      expect((await content(reader, `${tree}/7`)).toString()).toBe("changed  7");
      expect((await content(reader, `${tree}/8`)).toString()).toBe("content 8");
      expect((await content(reader, `${tree}/1499`)).toString()).toBe("content 1499");
      expect(await reader.stat(`${tree}/9`)).toBeUndefined();
    });

    it("take over nothing that a running program may have written to unseen", async () => {
      const hour = 3_600_000;
      const began = Date.now() + 2 * hour;
      const capture = async (time: number, writtenSince: number) => {
        await writer.abort();
        writer = await repository.beginSnapshot({ hostname: "h", time: new Date(time), tags: [], paths: ["/x"] });
        const rules = { exclude: [], oneFileSystem: false, as: "/x", writtenSince: new Date(writtenSince) };
        const { unchangedFiles } = await writer.tree(tree, rules, never);
        await writer.commit();
        return unchangedFiles;
      };
      await writeFile(`${tree}/rests`, "1");
      await writeFile(`${tree}/moves`, "2");
      await utimes(`${tree}/moves`, new Date(began - 1_000), new Date(began - 1_000));
      expect(await capture(began, 0)).toBe(0);
      // One of them was written to within a second before the parent was begun.
      expect(await capture(began + hour, 0)).toBe(1);
      expect(await capture(began + 2 * hour, 0)).toBe(2);
      // The program was started after the parent was begun.
      expect(await capture(began + 4 * hour, began + 3 * hour)).toBe(0);
    });

    it("keep the order of names around large files, which are read as tasks of their own", async () => {
      const names = ["a", "b.big", "c", "d.big", "e/f", "g"];
      await mkdir(`${tree}/e`);
      for (const name of names) {
        await writeFile(`${tree}/${name}`, name);
        if (name.endsWith(".big")) await truncate(`${tree}/${name}`, 64 * 1024 * 1024);
      }
      const { files, sizeBytes } = await writer.tree(tree, { ...all, as: "/t" }, never);
      expect({ files, sizeBytes }).toEqual({ files: 6, sizeBytes: 2 * 64 * 1024 * 1024 + "aceg/f".length });
      const reader = await committed();
      expect(await paths(reader, "/t")).toEqual(["a", "b.big", "c", "d.big", "e", "e/f", "g"]);
      const big = await content(reader, "/t/d.big");
      expect({ length: big.length, begins: big.toString("utf8", 0, 5) }).toEqual({
        length: 67_108_864,
        begins: "d.big",
      });
    });

    it("tell newest time, sizes and what else there is", async () => {
      await writeFile(`${tree}/a`, "12345");
      await symlink("a", `${tree}/link`);
      await execa("mkfifo", [`${tree}/fifo`]);
      await execa("touch", ["-d", "2020-02-03T04:05:06.789123456Z", `${tree}/a`]);
      expect(await writer.tree(tree, all, never)).toMatchObject({
        path: tree,
        files: 1,
        directories: 0,
        others: 2,
        sizeBytes: 5,
        newestAt: "2020-02-03T04:05:06.789123456Z",
        unsteady: [],
      });
    });

    it("report what vanished or changed while it was read", async () => {
      for (let n = 0; n < 40; n += 1) await writeFile(`${tree}/${String(n).padStart(2, "0")}`, randomBytes(700_000));
      await mkdir(`${tree}/zz`);
      let acted = false;
      const receipt = await writer.tree(tree, all, never, () => {
        if (acted) return;
        acted = true;
        void Promise.all([rm(`${tree}/39`), rm(`${tree}/zz`, { recursive: true })]);
      });
      // Whether the walk or the removal comes first is up to the machine; both are told as they were.
      const reader = await committed();
      const stored = await paths(reader, tree);
      for (const name of ["39", "zz"]) {
        const told = receipt.unsteady.some(({ path, reason }) => path === `${tree}/${name}` && reason === "vanished");
        expect(stored.includes(name) || told).toBe(true);
      }
      expect(receipt.files).toBe(stored.filter((name) => name !== "zz").length);
    });

    it("fail for a root that is missing, with its path", async () => {
      await expect(writer.tree(`${tree}/none`, all, never)).rejects.toMatchObject({
        code: "source.failed",
        message: `${tree}/none cannot be read: ENOENT`,
      });
      await expect(writer.commit()).rejects.toMatchObject({ code: "bug" });
    });

    it("stop soon when the signal aborts", async () => {
      for (let n = 0; n < 20; n += 1) await writeFile(`${tree}/${n}`, randomBytes(2_000_000));
      const abort = new AbortController();
      const reason = new Error("enough");
      await expect(writer.tree(tree, all, abort.signal, () => abort.abort(reason))).rejects.toBe(reason);
      await writer.abort();
      expect(await repository.snapshots()).toEqual([]);
      writer = await begin();
      await writer.tree(tree, all, never);
      expect(await paths(await committed(), tree)).toHaveLength(20);
    });
  });

  it("may be committed once, and not while something is under way", async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    async function* slow() {
      yield Buffer.from("x");
      await promise;
    }
    const stored = writer.stream("/a", { bytes: slow(), seal: async () => ({}) }, never);
    await expect(writer.commit()).rejects.toMatchObject({ code: "bug" });
    resolve(undefined);
    await stored;
    await writer.commit();
    await expect(writer.commit()).rejects.toMatchObject({ code: "bug" });
    await writer.abort();
    expect(await repository.snapshots()).toHaveLength(1);
  });

  it.skipIf(!isRoot)("says which file it may not read", async () => {
    await writeFile(`${tree}/secret`, "x");
    await chmod(tree, 0o755);
    await chmod(`${tree}/secret`, 0o000);
    const entry = new URL("../create-repository.ts", import.meta.url).href;
    // As another user, since root may read everything.
    const script = `
      const { createRepository } = await import(${JSON.stringify(entry)});
      const repository = await createRepository(process.argv[1] + "/vault", "password", { clock: { now: () => new Date(), monotonicMs: () => performance.now() } });
      const writer = await repository.beginSnapshot({ hostname: "h", time: new Date(), tags: [], paths: ["/x"] });
      try {
        await writer.tree(${JSON.stringify(tree)}, { exclude: [], oneFileSystem: false }, new AbortController().signal);
      } catch (error) {
        console.log(error.code, error.message);
      }
      await repository.close();
    `;
    const home = await createTestFolder("refloat-nobody");
    await chmod(folder.path, 0o755);
    await chmod(home.path, 0o777);
    const { stdout } = await execa(process.execPath, ["--input-type=module", "--eval", script, home.path], {
      uid: 65_534,
      gid: 65_534,
    });
    await home.remove();
    expect(stdout).toBe(`source.failed ${tree}/secret cannot be read: EACCES`);
  });
});
