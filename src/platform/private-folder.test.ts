import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makePrivateFolder } from "./private-folder.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "refloat-folder-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

it("makes what is missing, for its user only, however many ask at once", async () => {
  const path = join(folder, "runs", "1", "lost");
  await Promise.all(Array.from({ length: 20 }, () => makePrivateFolder(path)));
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, "runs"))).mode & 0o777).toBe(0o700);
});

it("refuses a file in the way, and a place where nothing can be made", async () => {
  await writeFile(join(folder, "file"), "");
  await expect(makePrivateFolder(join(folder, "file"))).rejects.toMatchObject({ code: "EEXIST" });
  await expect(makePrivateFolder(join(folder, "file", "below"))).rejects.toMatchObject({ code: "ENOTDIR" });
  await expect(makePrivateFolder("/proc/refloat/state")).rejects.toMatchObject({ code: "ENOENT" });
});
