import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CacheFolder, sha256 } from "./cache-folder.ts";

const isRoot = process.getuid?.() === 0;

describe("the cache of a remote vault", () => {
  let folder: string;
  let warnings: string[];

  const cache = (maxBytes = 1_000_000, at = folder): CacheFolder =>
    new CacheFolder({ folder: at, maxBytes }, (message) => warnings.push(message));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "refloat-cache-"));
    warnings = [];
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("gives back what it was given, to every process, and nothing else", () => {
    const content = randomBytes(5000);
    cache().put("index", sha256(content), content);
    expect(cache().get("index", sha256(content))).toEqual(content);
    expect(cache().get("snapshots", sha256(content))).toBeUndefined();
    expect(cache().open("index", sha256(content))?.readRange(100, 50)).toEqual(content.subarray(100, 150));
    expect(warnings).toEqual([]);
  });

  it("drops a copy that was changed or cut, and says so", async () => {
    for (const spoil of [(content: Buffer) => content.fill(0, 10, 11), (content: Buffer) => content.subarray(0, 99)]) {
      const content = randomBytes(100).fill(1, 10, 11);
      const name = sha256(content);
      const kept = cache();
      kept.put("data", name, content);
      await writeFile(join(folder, "data", name), spoil(Buffer.from(content)));
      expect(kept.get("data", name)).toBeUndefined();
      expect(await readdir(join(folder, "data"))).toEqual([]);
      expect(warnings.splice(0)).toEqual(["a copy in the cache was damaged and is fetched again"]);
    }
  });

  it("keeps nothing that is not what its name says", () => {
    cache().put("data", sha256(Buffer.of(1)), Buffer.of(2));
    expect(cache().get("data", sha256(Buffer.of(1)))).toBeUndefined();
  });

  it("stays within its bound; what was used longest ago goes first", async () => {
    const contents = Array.from({ length: 12 }, () => randomBytes(100_000));
    const kept = cache(1_000_000);
    for (const [at, content] of contents.entries()) {
      kept.put("data", sha256(content), content);
      if (at < 10) await utimes(join(folder, "data", sha256(content)), at + 1000, at + 1000);
      // The first one is used again before there is too much.
      if (at === 9) kept.get("data", sha256(contents[0] ?? Buffer.alloc(0)));
    }
    const left = await readdir(join(folder, "data"));
    expect(left).toHaveLength(10);
    const present = contents.map((content) => left.includes(sha256(content)));
    expect(present).toEqual([true, false, false, ...Array.from({ length: 9 }, () => true)]);
  });

  it("removes what a killed process left unfinished, but not what a living one writes", async () => {
    await mkdir(join(folder, "index"), { recursive: true });
    await writeFile(join(folder, "index", "1-a.tmp"), "half");
    await utimes(join(folder, "index", "1-a.tmp"), 1000, 1000);
    await writeFile(join(folder, "index", "2-b.tmp"), "half");
    cache().put("index", sha256(Buffer.of(1)), Buffer.of(1));
    expect((await readdir(join(folder, "index"))).sort()).toEqual(["2-b.tmp", sha256(Buffer.of(1))].sort());
  });

  it("may be deleted at any time", async () => {
    const content = randomBytes(5000);
    const kept = cache();
    kept.put("data", sha256(content), content);
    const open = kept.open("data", sha256(content));
    await rm(folder, { recursive: true });
    expect(open?.readRange(0, 5000)).toEqual(content);
    expect(kept.get("data", sha256(content))).toBeUndefined();
    kept.put("data", sha256(content), content);
    expect(kept.get("data", sha256(content))).toEqual(content);
    expect(warnings).toEqual([]);
  });

  it("only warns, and once, when its disk is full", async ({ skip }) => {
    skip(!isRoot, "only root may mount a small tmpfs to fill");
    const disk = join(folder, "disk");
    await mkdir(disk);
    await execa("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]);
    try {
      const kept = cache(100_000_000, disk);
      for (let at = 0; at < 5; at += 1) {
        const content = randomBytes(400_000);
        kept.put("data", sha256(content), content);
      }
      expect(warnings).toEqual(["nothing more is kept in the cache: it cannot be written to"]);
      for (const name of await readdir(join(disk, "data")))
        expect(sha256(await readFile(join(disk, "data", name)))).toBe(name);
    } finally {
      await execa("umount", [disk]);
    }
  });

  it("only warns when it may not be written to", async ({ skip }) => {
    skip(isRoot, "root may write everywhere");
    await chmod(folder, 0o500);
    cache().put("data", sha256(Buffer.of(1)), Buffer.of(1));
    expect(warnings).toHaveLength(1);
    await chmod(folder, 0o700);
  });
});
