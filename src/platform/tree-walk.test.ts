import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { type WalkRules, comparePaths, pairWalks, walkTree } from "./tree-walk.ts";

let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder();
});
afterEach(() => folder.remove());

const rulesOf = (exclude: readonly string[] = []): WalkRules => ({
  exclude,
  oneFileSystem: false,
  signal: new AbortController().signal,
  unreadable: (path, code) => {
    throw new Error(`${path.toString()} ${code}`);
  },
});

const pathsOf = async (root: string, exclude?: readonly string[]): Promise<string[]> => {
  const paths: string[] = [];
  for await (const { path } of walkTree(root, rulesOf(exclude))) paths.push(path.toString());
  return paths;
};

/** Letters around the slash in byte order, so that the order of folders and of names beside them is put to the test. */
const name = fc
  .string({ unit: fc.constantFrom("a", "b", ".", "-", "0", " "), minLength: 1, maxLength: 3 })
  .filter((text) => text !== "." && text !== "..");
const tree = fc.uniqueArray(
  fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/")),
  { maxLength: 12 },
);

/** Makes what can be made: a name may be a folder in one path and a file in another. */
const plant = async (root: string, paths: readonly string[]): Promise<void> => {
  await mkdir(root, { recursive: true });
  for (const path of paths) {
    const parent = join(root, path, "..");
    await mkdir(parent, { recursive: true }).catch(() => undefined);
    await writeFile(join(root, path), path).catch(() => undefined);
  }
};

describe("a walk", () => {
  test("gives every entry once, in the order that comparePaths tells", async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (paths) => {
        const root = join(folder.path, "tree");
        await plant(root, paths);
        const found = await pathsOf(root);
        await rm(root, { recursive: true });
        expect(new Set(found).size).toBe(found.length);
        expect(found).toEqual(found.toSorted((a, b) => comparePaths(Buffer.from(a), Buffer.from(b))));
      }),
      { numRuns: 60 },
    );
  });

  test("of two trees pairs what has the same path", async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, async (left, right) => {
        const roots = [join(folder.path, "left"), join(folder.path, "right")] as const;
        await plant(roots[0], left);
        await plant(roots[1], right);
        const [a, b] = [new Set(await pathsOf(roots[0])), new Set(await pathsOf(roots[1]))];
        const seen: string[] = [];
        for await (const pair of pairWalks(walkTree(roots[0], rulesOf()), walkTree(roots[1], rulesOf()))) {
          const path = (pair.left ?? pair.right)?.path.toString() ?? "";
          expect([pair.left !== null, pair.right !== null]).toEqual([a.has(path), b.has(path)]);
          seen.push(path);
        }
        for (const root of roots) await rm(root, { recursive: true });
        expect(seen.toSorted()).toEqual([...new Set([...a, ...b])].toSorted());
      }),
      { numRuns: 40 },
    );
  });

  test("leaves out what is excluded as .gitignore would", async () => {
    await plant(folder.path, ["a.tmp", "keep.tmp", "cache/deep/x", "src/cache", "src/a.tmp"]);
    expect(await pathsOf(folder.path, ["*.tmp", "!keep.tmp", "/cache/"])).toEqual(["keep.tmp", "src", "src/cache"]);
  });

  test("follows a root that is a link, and no other link", async () => {
    await plant(join(folder.path, "real"), ["file"]);
    await symlink("/", join(folder.path, "real", "link"));
    await symlink("real", join(folder.path, "root"));
    expect(await pathsOf(join(folder.path, "root"))).toEqual(["file", "link"]);
    expect(await pathsOf(join(folder.path, "root", "file"))).toEqual([""]);
  });

  test("of a root that is not there fails", async () => {
    await expect(pathsOf(join(folder.path, "nowhere"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("stops when it is aborted", async () => {
    await plant(
      folder.path,
      Array.from({ length: 600 }, (_, index) => `${index}`),
    );
    const reason = new Error("enough");
    const walk = walkTree(folder.path, { ...rulesOf(), signal: AbortSignal.abort(reason) });
    const all = async (): Promise<number> => {
      let entries = 0;
      for await (const _ of walk) entries++;
      return entries;
    };
    await expect(all()).rejects.toBe(reason);
  });
});
