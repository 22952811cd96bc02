import { lstat, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestFolder, createTestFolder } from "../testing/driver-context.ts";
import { exchangeAbility, exchangePaths } from "./path-exchange.ts";

const { signal } = new AbortController();
let folder: TestFolder;
beforeEach(async () => {
  folder = await createTestFolder();
});
afterEach(() => folder.remove());

test("two names change places in one act, whatever they stand for and however they are spelled", async () => {
  const [a, b] = [join(folder.path, "-e 'print' $x\n"), join(folder.path, "b ☃")];
  await mkdir(a);
  await writeFile(join(a, "inside"), "x");
  await symlink("nowhere", b);
  const before = [(await lstat(a)).ino, (await lstat(b)).ino];
  expect(await exchangePaths(a, b, signal)).toEqual({ atomic: true });
  expect([(await lstat(b)).ino, (await lstat(a)).ino]).toEqual(before);
  expect(await readdir(b)).toEqual(["inside"]);
});

test("a name that is not there is an error and changes nothing", async () => {
  const a = join(folder.path, "a");
  await writeFile(a, "x");
  await expect(exchangePaths(a, join(folder.path, "b"), signal)).rejects.toMatchObject({
    code: "target.failed",
    message: expect.stringContaining("No such file") as string,
  });
  expect(await readdir(folder.path)).toEqual(["a"]);
});

test("two file systems cannot exchange names", async () => {
  const a = join(folder.path, "a");
  await writeFile(a, "x");
  await expect(exchangePaths(a, "/proc/self", signal)).rejects.toMatchObject({ code: "target.failed" });
});

test("the ability is tried without a trace", async () => {
  expect(await exchangeAbility(folder.path, signal)).toEqual({ atomic: true });
  expect(await readdir(folder.path)).toEqual([]);
});
