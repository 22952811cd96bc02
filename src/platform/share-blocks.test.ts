import { randomBytes } from "node:crypto";
import { open, readFile, readdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { type LoopMount, canMountImages, mountImage } from "../testing/loop-mount.ts";
import { shareBlocks } from "./share-blocks.ts";

let folder: TestFolder;
const mebibyte = 1_048_576;
const content = randomBytes(40 * mebibyte);

beforeAll(async () => {
  folder = await createTestFolder("refloat-blocks");
});
afterAll(() => folder?.remove());

const freeOf = async (path: string): Promise<number> => {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
};

const onImage = async (type: "ext4" | "xfs", act: (mount: LoopMount) => Promise<void>): Promise<void> => {
  const mount = await mountImage(join(folder.path, type), type);
  try {
    await writeFile(join(mount.path, "kept"), content);
    const file = await open(join(mount.path, "kept"));
    await file.sync();
    await file.close();
    await act(mount);
  } finally {
    await mount.remove();
  }
};

describe("blocks of a file", async () => {
  const probe = await createTestFolder("refloat-blocks-probe");
  const canMount = await canMountImages(probe.path);
  await probe.remove();

  it.skipIf(!canMount)("are shared, and what is written to the copy is in that alone", () =>
    onImage("xfs", async ({ path }) => {
      const before = await freeOf(path);
      expect(await shareBlocks(join(path, "kept"), join(path, "copy"))).toBe(true);
      expect(before - (await freeOf(path))).toBeLessThan(4 * mebibyte);
      const copy = await open(join(path, "copy"), "r+");
      await copy.write(Buffer.from("other"), 0, 5, 0);
      await copy.close();
      expect((await readFile(join(path, "kept"))).equals(content)).toBe(true);
      expect((await readFile(join(path, "copy"))).subarray(0, 5).toString()).toBe("other");
    }),
  );

  it.skipIf(!canMount)("are not shared where the file system cannot, and nothing is left of it", () =>
    onImage("ext4", async ({ path }) => {
      expect(await shareBlocks(join(path, "kept"), join(path, "copy"))).toBe(false);
      expect(await readdir(path)).not.toContain("copy");
    }),
  );
});
