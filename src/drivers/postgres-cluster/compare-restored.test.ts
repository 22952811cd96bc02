import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../../testing/driver-context.ts";
import { compareRestored } from "./compare-restored.ts";

let folder: TestFolder;
let data: string;
let space: string;

/** More than are looked at in one turn. */
const names = Array.from({ length: 2100 }, (_, at) => `base/5/${at}`);

const files = new Map(
  [...names, "pg_tblspc/16390/PG_15_202209061/5/1"].map(
    (path, at) => [path, { sizeBytes: at % 3, sha256: "" }] as const,
  ),
);

beforeEach(async () => {
  folder = await createTestFolder("refloat-compare-restored");
  [data, space] = [join(folder.path, "data"), join(folder.path, "space")];
  await mkdir(join(data, "base/5"), { recursive: true });
  await mkdir(join(space, "PG_15_202209061/5"), { recursive: true });
  for (const [path, { sizeBytes }] of files)
    await writeFile(
      path.startsWith("pg_tblspc/16390/") ? join(space, path.slice("pg_tblspc/16390/".length)) : join(data, path),
      "x".repeat(sizeBytes),
    );
});

afterEach(async () => {
  await folder.remove();
});

const compare = (): Promise<void> => compareRestored(data, [{ oid: "16390", path: space }], { files, wal: [] });

test("all files are there as long as they were, those of a tablespace at its place", async () => {
  await expect(compare()).resolves.toBeUndefined();
});

test("the last of thousands that is missing, shorter or no file is named", async () => {
  const last = join(data, "base/5/2099");
  await writeFile(last, "longer than it was");
  await expect(compare()).rejects.toMatchObject({
    code: "point.damaged",
    message: "base/5/2099 of the point is not as long as it was",
  });
  await rm(last);
  await expect(compare()).rejects.toMatchObject({ message: "base/5/2099 of the point is missing" });
  await symlink(join(data, "base/5/0"), last);
  await expect(compare()).rejects.toMatchObject({ message: "base/5/2099 of the point is not as long as it was" });
});

test("a tablespace without its file is told by the name in the point", async () => {
  await rm(join(space, "PG_15_202209061"), { recursive: true });
  await writeFile(join(space, "PG_15_202209061"), "");
  await expect(compare()).rejects.toMatchObject({
    code: "point.damaged",
    message: "pg_tblspc/16390/PG_15_202209061/5/1 of the point is missing",
  });
});
